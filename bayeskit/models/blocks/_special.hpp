// Logarithms of the gamma function: a series, and tables at whole steps from an offset.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// log x of a positive number that is not subnormal, without a branch, so that loops of it run in several lanes at once:
// x = 2^k m with m about 1, and log m = 2 artanh((m - 1) / (m + 1)). Remez polynomial of FreeBSD's e_log.c (Sun, 1993).
inline double quick_log(double x) {
  std::int64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::int64_t root_half = 0x3fe6a09e667f3bcd;
  const std::int64_t k = (bits - root_half) >> 52;
  bits -= k * (std::int64_t{1} << 52);
  double m;
  std::memcpy(&m, &bits, sizeof m);
  const double f = m - 1.0, s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  const double r =
      z * (6.666666666666735130e-01 +
           z * (3.999999999940941908e-01 +
                z * (2.857142874366239149e-01 +
                     z * (2.222219843214978396e-01 +
                          z * (1.818357216161805012e-01 + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
  const double power = static_cast<double>(k);
  return power * 6.93147180369123816490e-01 - ((half - (s * (half + r) + power * 1.90821492927058770002e-10)) - f);
}

// log Gamma(offset + n) for whole n >= 0: from a table while n is below its size.
class LogGammaTable {
 public:
  LogGammaTable() = default;
  // `size` above 0, and no more than 2^31.
  LogGammaTable(double offset, std::size_t size) : offset_(offset), limit_(static_cast<double>(size)), values_(size) {
    for (std::size_t n = 0; n < size; ++n) values_[n] = log_gamma(offset + static_cast<double>(n));
  }
  double operator()(double n) const {
    return n < limit_ ? values_[static_cast<std::int32_t>(n)] : log_gamma(offset_ + n);
  }
  // The same without a call, which would clear a loop's registers: right where `beyond` stays 0. Never of an empty table.
  struct Quick {
    const double* values;
    double limit;
    double operator()(double n, std::int64_t& beyond) const {
      beyond += n >= limit;
      return values[static_cast<std::int32_t>(n < limit ? n : limit - 1.0)];
    }
  };
  Quick quick() const { return {values_.data(), limit_}; }

 private:
  double offset_ = 1.0, limit_ = 0.0;
  std::vector<double> values_;
};

}  // namespace blocks
