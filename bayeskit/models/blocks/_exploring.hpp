// Where to look for the best partition with `Search`: from many blocks down to few, and around the best that is found.
//
// Blocks merge as Peixoto (2014), doi:10.1103/PhysRevE.89.012804, has it, but single nodes move on the way after every
// few merges, to the best block for each; around the best, blocks split and merge as those of Peixoto (2020),
// doi:10.1103/PhysRevE.102.012305, but what is worse is not taken; and all nodes are shaken up by a few sweeps of a
// Gibbs sampler, at temperatures about that of the posterior.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "_searching.hpp"

namespace blocks {

struct Found {
  double value = 0.0;
  std::vector<std::int32_t> labels[2];
};

template <class Policy>
class Explorer {
 public:
  using Cut = typename Search<Policy>::Cut;
  using Sizes = std::pair<std::int32_t, std::int32_t>;

  explicit Explorer(Search<Policy>& search) : search_(search) {}

  // The best of every number of blocks that was come by.
  const std::map<Sizes, Found>& path() const { return path_; }

  // From a start, which has more blocks than are expected in the end, or will once each is split.
  void descend(const std::int32_t* first, const std::int32_t* second, bool divided) {
    search_.assign(first, second);
    if (divided) divide_all();
    for (int side = 0; side < search_.sides(); ++side)
      while (search_.occupied(side) < search_.limits.fewest[side] && divide(side)) {
      }
    search_.opening = false;
    settle();
    search_.tidy();
    record();
    std::int32_t whole = search_.total();
    while (lessen(&whole)) {
    }
    search_.opening = true;
  }

  // Split and merge the best until nothing helps.
  void polish() {
    if (!resume()) return;
    for (bool better = true; better;) {
      better = false;
      for (int side = 0; side < search_.sides(); ++side)
        for (std::int32_t block = 0; block < search_.occupied(side); ++block)
          for (Cut cut : {Cut::near, Cut::alike, Cut::random}) {
            if (cut == Cut::near && !search_.state().shared()) continue;
            if (!attempt([&] { return split_and_settle(side, block, cut); })) continue;
            better = true;
            break;
          }
      better = attempt([&] { return merge_and_settle(); }) || better;
    }
  }

  // Try at random, so many times.
  void shake(std::int32_t rounds) {
    if (!resume()) return;
    for (std::int32_t round = 0; round < rounds; ++round) {
      const int side = search_.random().below(search_.sides());
      const std::int32_t block = search_.random().below(search_.occupied(side));
      const std::int32_t other = search_.random().below(search_.occupied(side));
      const double temperature = 0.5 + 2.0 * search_.random().uniform();
      const int way = search_.random().below(4);
      const Cut cut = any_cut();
      attempt([&] {
        if (way == 0) return split_and_settle(side, block, cut);
        if (way == 1) return block != other && reshare(side, block, other, cut);
        for (int sweep = 0; sweep < 2; ++sweep) search_.heat(temperature);
        settle();
        return true;
      });
    }
  }

  // Some numbers of blocks around the best, of each side alone.
  void widen(std::int32_t below, std::int32_t above) {
    const auto top = best();
    if (top == path_.end()) return;
    const Found start = top->second;
    for (int side = 0; side < search_.sides(); ++side) {
      const Limits limits = search_.limits;
      search_.opening = false;
      if (search_.sides() == 2) search_.limits.fewest[1 - side] = size_of(top->first, 1 - side);
      take(start);
      for (std::int32_t step = 0; step < below && lessen(); ++step) {
      }
      take(start);
      for (std::int32_t step = 0; step < above && search_.occupied(side) < limits.most[side] && divide(side); ++step) {
        search_.limits.fewest[side] = search_.occupied(side);
        if (search_.n_nodes() < kLarge) settle();
        record();
      }
      search_.limits = limits;
      search_.opening = true;
    }
  }

 private:
  static constexpr double kVisits = 10.0;           // of each node, at most, until nodes have settled
  static constexpr int kSweeps = 8;                 // of the members of two blocks
  static constexpr std::int32_t kFew = 24;          // blocks, from which on they merge one pair at a time
  static constexpr double kStep = 1.25;             // factor from one number of blocks to the next, of more
  static constexpr std::int32_t kLarge = 20000;     // nodes, of which not all look around after a single merge

  Search<Policy>& search_;
  std::map<Sizes, Found> path_;

  Cut first_cut() const { return search_.state().shared() ? Cut::near : Cut::alike; }
  Cut any_cut() {
    constexpr Cut all[3] = {Cut::near, Cut::alike, Cut::random};
    return all[search_.random().below(3)];
  }

  Sizes sizes() const { return {search_.occupied(0), search_.occupied(search_.sides() - 1)}; }
  static std::int32_t size_of(const Sizes& sizes, int side) { return side == 0 ? sizes.first : sizes.second; }

  bool allowed(const Sizes& sizes) const {
    for (int side = 0; side < search_.sides(); ++side)
      if (size_of(sizes, side) < search_.limits.fewest[side] || size_of(sizes, side) > search_.limits.most[side]) return false;
    return true;
  }

  void record() {
    if (!allowed(sizes())) return;
    const auto place = path_.find(sizes());
    if (place != path_.end() && search_.value() <= place->second.value + kSame) return;
    keep(path_[sizes()]);
  }
  static constexpr double kSame = 1e-6;  // nats

  void keep(Found& found) const {
    found.value = search_.value();
    for (int side = 0; side < search_.sides(); ++side) found.labels[side] = search_.labels(side);
  }
  void take(const Found& found) { search_.assign(found.labels[0].data(), found.labels[1].data()); }

  typename std::map<Sizes, Found>::const_iterator best() const {
    return std::max_element(path_.begin(), path_.end(),
                            [](const auto& a, const auto& b) { return a.second.value < b.second.value; });
  }

  bool resume() {
    const auto top = best();
    if (top == path_.end()) return false;
    take(top->second);
    return true;
  }

  void settle() { search_.relax(kVisits); }

  // Whether it is worth it to let all nodes look around: of a large graph only where it is better than before as it is.
  bool hopeful(double before) const { return search_.n_nodes() < kLarge || search_.value() > before + kSame; }

  // Merge one pair of blocks, or, of many on the way down, some at once; nodes settle. `whole` is the number of blocks
  // at which all nodes last looked around.
  bool lessen(std::int32_t* whole = nullptr) {
    const std::int32_t before = search_.total();
    typename Search<Policy>::Pair pair;
    if (whole && before > kFew * search_.sides()) {
      // In step: where one side has many blocks, what the other merges is cheap, until nothing is left of it.
      for (int side = 0; side < search_.sides(); ++side)
        search_.merge_down(side, static_cast<std::int32_t>(search_.occupied(side) / kStep));
    } else {
      pair = search_.best_merge();
      if (pair.from >= 0) search_.merge(pair);
    }
    if (search_.total() == before) return false;
    if (pair.to < 0 || search_.n_nodes() < kLarge || (whole && search_.total() * kStep < *whole)) {
      settle();
      if (whole) *whole = search_.total();
    } else {
      search_.relax_block(pair.side, pair.to, kVisits);
    }
    search_.tidy();
    record();
    return true;
  }

  // Run a change from the best, and take it back where it does not help.
  template <class Change>
  bool attempt(Change change) {
    Found before;
    keep(before);
    if (change() && search_.value() > before.value + kSame) {
      search_.tidy();
      record();
      return true;
    }
    take(before);
    return false;
  }

  bool split_and_settle(int side, std::int32_t block, Cut cut) {
    if (search_.occupied(side) >= search_.limits.most[side]) return exchange(side, block, cut);
    const double before = search_.value();
    if (search_.split(side, block, cut, kSweeps) < 0 || !hopeful(before)) return false;
    settle();
    merge_what_helps();
    return true;
  }

  // Where the number of blocks is given: split one, merge those two that cost least.
  bool exchange(int side, std::int32_t block, Cut cut) {
    const double before = search_.value();
    if (search_.split(side, block, cut, kSweeps) < 0) return false;
    const auto pair = search_.best_merge(side);
    if (pair.from < 0) return false;
    search_.merge(pair);
    if (!hopeful(before)) return false;
    settle();
    return true;
  }

  bool merge_and_settle() {
    const double before = search_.value();
    const auto pair = search_.best_merge();
    if (pair.from < 0) return false;
    search_.merge(pair);
    if (!hopeful(before)) return false;
    settle();
    return true;
  }

  void merge_what_helps() {
    for (auto pair = search_.best_merge(); pair.from >= 0 && pair.change > kSame; pair = search_.best_merge())
      search_.merge(pair);
  }

  bool reshare(int side, std::int32_t block, std::int32_t other, Cut cut) {
    search_.merge({side, other, block, search_.merge_change(side, other, block)});
    if (search_.split(side, block, cut, kSweeps) < 0) return false;
    settle();
    return true;
  }

  // Split the block for which it is best, or costs least.
  bool divide(int side) {
    search_.tidy();
    Found top;
    const std::int32_t n_blocks = search_.occupied(side);
    for (std::int32_t block = 0; block < n_blocks; ++block) {
      const double before = search_.value();
      const std::int32_t other = search_.split(side, block, first_cut(), kSweeps);
      if (other < 0) continue;
      if (top.labels[0].empty() || search_.value() > top.value) keep(top);
      search_.merge({side, other, block, before - search_.value()});
    }
    if (!top.labels[0].empty()) {
      take(top);
      return true;
    }
    const std::vector<double>& count = search_.state().partition(side).count;
    const auto largest = std::max_element(count.begin(), count.begin() + n_blocks) - count.begin();
    return search_.split(side, static_cast<std::int32_t>(largest), Cut::alike, 0) >= 0;
  }

  void divide_all() {
    for (int side = 0; side < search_.sides(); ++side) {
      const std::int32_t n_blocks = search_.occupied(side);
      for (std::int32_t block = 0; block < n_blocks; ++block) search_.split(side, block, first_cut(), kSweeps);
    }
    search_.tidy();
  }
};

}  // namespace blocks
