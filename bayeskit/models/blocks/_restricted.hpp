// Logarithms of the numbers of partitions of integers into at most so many parts, as `criteria.log_partitions` has them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "_special.hpp"

namespace blocks {

class RestrictedPartitions {
 public:
  // Of integers up to a largest one into any number of parts up to a largest one.
  RestrictedPartitions(std::int64_t largest, std::int64_t most_parts) {
    count(std::min(largest, kMostExact), std::min(most_parts, kMostParts));
    if (largest > kMostExact || most_parts > kMostParts) tabulate(static_cast<double>(std::max(largest, kMostExact)));
  }

  double operator()(double total, double parts) const {
    if (total < 2.0 || parts < 2.0) return 0.0;
    const double n = std::min(parts, total);
    if (total < limit_ && n < static_cast<double>(rows_))
      return std::log(counts_[static_cast<std::size_t>(n) * columns_ + static_cast<std::size_t>(total)]);
    if (n * n * n * n < total) return log_binomial(total - 1.0, n - 1.0) - log_gamma(n + 1.0);
    const double root = std::sqrt(total), log_total = 2.0 * std::log(root);
    double front, rate;
    interpolate(std::log(n) - log_total / 2.0, front, rate);
    return front - log_total + root * rate;
  }

 private:
  static constexpr std::int64_t kMostExact = 10000, kMostParts = 1024;
  static constexpr double kStep = 1.0 / 256.0, kLast = 3.5;  // of log(n / sqrt(e)): beyond, nothing changes any more
  std::size_t rows_ = 0, columns_ = 0;
  double limit_ = 0.0, first_ = 0.0;
  std::vector<double> counts_;          // by parts, then by integer
  std::vector<double> fronts_, rates_;  // of Szekeres' formula, by log(n / sqrt(e))

  void count(std::int64_t largest, std::int64_t most_parts) {
    rows_ = static_cast<std::size_t>(most_parts) + 1;
    columns_ = static_cast<std::size_t>(largest) + 1;
    limit_ = static_cast<double>(columns_);
    counts_.assign(rows_ * columns_, 0.0);
    counts_[0] = 1.0;
    for (std::size_t n = 1; n < rows_; ++n) {
      const double* fewer = &counts_[(n - 1) * columns_];
      double* row = &counts_[n * columns_];
      for (std::size_t e = 0; e < columns_; ++e) row[e] = fewer[e] + (e < n ? 0.0 : row[e - n]);
    }
  }

  void tabulate(double largest) {
    first_ = -std::log(largest) / 4.0 - 4.0 * kStep;
    for (double at = first_; at < kLast + 4.0 * kStep; at += kStep) {
      const double u = std::exp(at), v = saddle_point(u), rate = -std::expm1(-v);
      fronts_.push_back(std::log(v / u) - 1.5 * std::log(2.0) - std::log(M_PI) -
                        std::log1p(-std::exp(-v) * (1.0 + u * u / 2.0)) / 2.0);
      rates_.push_back(2.0 * v / u - u * std::log(rate));
    }
  }

  // Cubic through the four nearest of the table.
  void interpolate(double at, double& front, double& rate) const {
    const double place = std::max(1.0, (std::min(at, kLast) - first_) / kStep);
    const auto i = static_cast<std::size_t>(place);
    const double t = place - static_cast<double>(i);
    const double w[4] = {-t * (t - 1.0) * (t - 2.0) / 6.0, (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0,
                         -(t + 1.0) * t * (t - 2.0) / 2.0, (t + 1.0) * t * (t - 1.0) / 6.0};
    front = rate = 0.0;
    for (std::size_t k = 0; k < 4; ++k) {
      front += w[k] * fronts_[i + k - 1];
      rate += w[k] * rates_[i + k - 1];
    }
  }

  // Solve v² = u² D(v), D the integral of x / (e^x - 1) up to v, by Newton's method.
  static double saddle_point(double u) {
    double v = u < 1.0 ? u * u : u * M_PI / std::sqrt(6.0);
    for (int step = 0; step < 50; ++step) {
      const double slope = 2.0 * v - u * u * v * std::exp(-v) / -std::expm1(-v);
      const double next = std::max(v - (v * v - u * u * debye(v)) / slope, v / 4.0);
      const bool done = std::abs(next - v) < 1e-15 * v;
      v = next;
      if (done) break;
    }
    return v;
  }

  static double debye(double v) {
    if (v < 0.5) {  // Bernoulli numbers
      const double q = v * v;
      return v * (1.0 - v / 4.0 + q * (1.0 / 36 - q * (1.0 / 3600 - q * (1.0 / 211680 - q / 10886400))));
    }
    double total = M_PI * M_PI / 6.0;
    for (double k = 1.0; k * v < 40.0; k += 1.0) total -= std::exp(-k * v) * (v + 1.0 / k) / k;
    return total;
  }

  static double log_binomial(double n, double k) {
    return log_gamma(n + 1.0) - log_gamma(k + 1.0) - log_gamma(n - k + 1.0);
  }
};

}  // namespace blocks
