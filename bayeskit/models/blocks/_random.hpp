// Random numbers: xoshiro256++, Blackman and Vigna (2021), doi:10.1145/3460772, seeded by splitmix64.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace blocks {

class Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : words_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = turned(words_[0] + words_[3], 23) + words_[0], t = words_[1] << 17;
    words_[2] ^= words_[0];
    words_[3] ^= words_[1];
    words_[1] ^= words_[2];
    words_[0] ^= words_[3];
    words_[2] ^= t;
    words_[3] = turned(words_[3], 45);
    return result;
  }

  // In (0, 1): its logarithm is finite, and it is below 1.
  double uniform() { return (static_cast<double>(next() >> 12) + 0.5) * 0x1p-52; }

  // Below n, each as likely but for 1 in 2^64.
  std::int32_t below(std::int32_t n) {
    const auto wide = static_cast<unsigned __int128>(next()) * static_cast<unsigned __int128>(n);
    return static_cast<std::int32_t>(wide >> 64);
  }

  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::int32_t i = static_cast<std::int32_t>(items.size()) - 1; i > 0; --i) std::swap(items[i], items[below(i + 1)]);
  }

 private:
  std::uint64_t words_[4];
  static std::uint64_t turned(std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }
};

}  // namespace blocks
