// Logarithms of the gamma function: a series, and tables at whole steps from an offset.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace blocks {

// Stirling's series for x > 0, arguments below 12 raised by the recurrence; unlike the C library's, it touches no
// global variable. Abramowitz and Stegun (1964), 6.1.15 and 6.1.40.
inline double log_gamma(double x) {
  double below = 0.0;
  if (x < 12.0) {
    double product = 1.0;
    for (; x < 12.0; x += 1.0) product *= x;
    below = std::log(product);
  }
  const double r = 1.0 / x, q = r * r;
  const double series =
      r * (1.0 / 12 -
           q * (1.0 / 360 - q * (1.0 / 1260 - q * (1.0 / 1680 - q * (1.0 / 1188 - q * (691.0 / 360360 - q / 156))))));
  return (x - 0.5) * std::log(x) - x + 0.91893853320467274178 + series - below;
}

// log Gamma(offset + n) for whole n >= 0: from a table while n is below its size.
class LogGammaTable {
 public:
  LogGammaTable() = default;
  LogGammaTable(double offset, std::size_t size) : offset_(offset), limit_(static_cast<double>(size)), values_(size) {
    for (std::size_t n = 0; n < size; ++n) values_[n] = log_gamma(offset + static_cast<double>(n));
  }
  double operator()(double n) const {
    return n < limit_ ? values_[static_cast<std::int32_t>(n)] : log_gamma(offset_ + n);
  }

 private:
  double offset_ = 1.0, limit_ = 0.0;
  std::vector<double> values_;
};

}  // namespace blocks
