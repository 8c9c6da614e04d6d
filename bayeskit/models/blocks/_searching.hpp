// Greedy moves of `BlockState` towards a better partition: of single nodes, of pairs of blocks that merge, of blocks that
// split. Numbers of blocks are free between limits; labels without nodes are no blocks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "_candidates.hpp"
#include "_random.hpp"
#include "_state.hpp"

namespace blocks {

// Of blocks, by side.
struct Limits {
  std::int32_t fewest[2] = {1, 1};
  std::int32_t most[2] = {1, 1};
};

template <class Policy>
class Search {
 public:
  static constexpr double kGain = 1e-7;  // nats: less is rounding

  Search(const Graph& graph, bool shared, const std::int32_t* capacities, Policy policy, Limits limits, std::uint64_t seed)
      : limits(limits),
        state_(graph, shared, capacities[0], capacities[shared ? 0 : 1], std::move(policy)),
        random_(seed),
        candidates_(state_, random_),
        change_(static_cast<std::size_t>(std::max(capacities[0], capacities[1])) + 1) {
    for (int side = 0; side < sides(); ++side) queued_[side].assign(static_cast<std::size_t>(graph.n), 0);
  }

  Limits limits;
  bool opening = true;  // whether nodes that move may open blocks

  int sides() const { return state_.sides(); }
  std::int32_t n_nodes() const { return state_.graph().n; }
  std::int32_t occupied(int side) const { return state_.partition(side).occupied; }
  std::int32_t total() const { return occupied(0) + (sides() == 2 ? occupied(1) : 0); }
  double value() const { return value_; }
  const BlockState<Policy>& state() const { return state_; }
  Random& random() { return random_; }
  const std::vector<std::int32_t>& labels(int side) const { return state_.partition(side).label; }

  // Take partitions over, their blocks numbered without gaps.
  void assign(const std::int32_t* first, const std::int32_t* second) {
    const std::int32_t* given[2] = {first, second};
    for (int side = 0; side < sides(); ++side) named_[side].assign(given[side], given[side] + n_nodes());
    close_gaps();
  }

  // Number the blocks without gaps, and count everything anew.
  void tidy() {
    const double kept_up = value_;
    for (int side = 0; side < sides(); ++side) named_[side] = labels(side);
    close_gaps();
    drift_ = std::max(drift_, std::abs(kept_up - value_));
  }

  // How far the value that is kept up was from the one counted anew, at most.
  double drift() const { return drift_; }

  // Move single nodes, each to its best block, until none of them wants to move: those given, or all, and whoever's
  // neighbour has moved. No more than so many visits for each node of the graph.
  void relax(double visits) {
    for (int side = 0; side < sides(); ++side)
      for (std::int32_t i = 0; i < n_nodes(); ++i) enqueue(side, i);
    random_.shuffle(queue_);
    drain(visits);
  }
  // The same of the nodes of one block first.
  void relax_block(int side, std::int32_t block, double visits) {
    for (std::int32_t i = 0; i < n_nodes(); ++i)
      if (labels(side)[i] == block) enqueue(side, i);
    random_.shuffle(queue_);
    drain(visits);
  }

  // Visit all nodes once at a temperature, blocks drawn as likely as exp(change / temperature).
  void heat(double temperature) {
    order_.clear();
    for (int side = 0; side < sides(); ++side)
      for (std::int32_t i = 0; i < n_nodes(); ++i) order_.push_back(i + side * n_nodes());
    random_.shuffle(order_);
    for (std::int32_t each : order_) visit(each / n_nodes(), each % n_nodes(), temperature);
  }

  struct Pair {
    int side = 0;
    std::int32_t from = -1, to = -1;
    double change = -std::numeric_limits<double>::infinity();
  };

  // The pair of blocks that costs least to merge; `from` is -1 where no side may have fewer.
  Pair best_merge() {
    Pair best;
    for (int side = 0; side < sides(); ++side) {
      if (occupied(side) <= limits.fewest[side]) continue;
      const Pair found = best_merge(side);
      if (found.change > best.change) best = found;
    }
    return best;
  }
  Pair best_merge(int side) {
    Pair best;
    for (std::int32_t k = 0; k < state_.partition(side).size; ++k) {
      const Pair found = partner(side, k, false);
      if (found.change > best.change) best = found;
    }
    return best;
  }

  double merge_change(int side, std::int32_t from, std::int32_t to) const { return state_.merge_change(side, from, to); }
  void merge(const Pair& pair) {
    state_.merge(pair.side, pair.from, pair.to);
    value_ += pair.change;
  }

  // Merge blocks of one side with what costs them least until so few are left, each no more than once before the next
  // look.
  void merge_down(int side, std::int32_t target) {
    target = std::max(target, limits.fewest[side]);
    while (occupied(side) > target) {
      std::vector<Pair> pairs;
      for (std::int32_t k = 0; k < state_.partition(side).size; ++k) {
        const Pair found = partner(side, k, true);
        if (found.from >= 0) pairs.push_back(found);
      }
      if (pairs.empty()) return;
      std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.change > b.change; });
      std::vector<char> touched(change_.size(), 0);
      for (Pair& pair : pairs) {
        if (occupied(side) <= target) break;
        if (touched[pair.from] || touched[pair.to]) continue;
        pair.change = state_.merge_change(side, pair.from, pair.to);
        touched[pair.from] = touched[pair.to] = 1;
        merge(pair);
      }
    }
  }

  // How a block is cut in two before its nodes choose between the halves: at random; into a node's nearest, along edges
  // within the block, and the rest; or into those nearest by common neighbours, and the rest. From halves at random all
  // rates are about the same, and nodes may go the wrong way.
  enum class Cut { random, near, alike };

  // Share a block's nodes out between it and a label without nodes, by a cut, then each where it is better off, a few
  // times. Returns the label, or -1 where there is none or one of the two stayed empty.
  std::int32_t split(int side, std::int32_t block, Cut cut, int sweeps) {
    const std::int32_t other = free_label(side);
    if (other < 0) return -1;
    collect(side, block, block);
    if (members_.size() < 2) return -1;
    const bool along_edges = cut == Cut::near && state_.shared();
    const auto& half = cut == Cut::random ? candidates_.half_at_random(members_)
                                          : candidates_.nearest_half(side, block, members_, along_edges);
    for (std::int32_t node : half) move(side, node, other);
    share(side, block, other, sweeps);
    const Partition& part = state_.partition(side);
    return part.count[block] > 0.0 && part.count[other] > 0.0 ? other : -1;
  }

  // Let the members of two blocks choose between the two, until none moves or they have done so many sweeps.
  void share(int side, std::int32_t first, std::int32_t second, int sweeps) {
    collect(side, first, second);
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      random_.shuffle(members_);
      bool moved = false;
      for (std::int32_t node : members_) {
        const std::int32_t from = state_.label(side, node), to = from == first ? second : first;
        state_.take_out(side, node);
        const double gain = state_.score(to) - state_.score(from);
        if (gain > kGain) {
          state_.put(to);
          value_ += gain;
          moved = true;
        } else {
          state_.put_back(from);
        }
      }
      if (!moved) break;
    }
  }

  // A label without nodes, or -1.
  std::int32_t free_label(int side) {
    const Partition& part = state_.partition(side);
    for (std::int32_t k = 0; k < part.size; ++k)
      if (part.count[k] == 0.0) return k;
    if (part.size == part.capacity) return -1;
    state_.resize(side, part.size + 1);
    return part.size - 1;
  }

  // Move a node, whatever it costs.
  void move(int side, std::int32_t node, std::int32_t block) {
    const std::int32_t from = state_.label(side, node);
    if (from == block) return;
    state_.take_out(side, node);
    value_ += state_.score(block) - state_.score(from);
    state_.put(block);
  }

 private:
  static constexpr std::int32_t kAll = 48;  // blocks, up to which each visit looks at all of them
  static constexpr std::int32_t kAllPairs = 96;  // blocks, up to which all pairs are weighed

  BlockState<Policy> state_;
  Random random_;
  Candidates<Policy> candidates_;
  double value_ = 0.0, drift_ = 0.0;
  std::vector<double> change_, odds_;
  std::vector<std::int32_t> named_[2], order_, queue_, members_;
  std::vector<char> queued_[2];

  void collect(int side, std::int32_t first, std::int32_t second) {
    members_.clear();
    const std::vector<std::int32_t>& label = labels(side);
    for (std::int32_t i = 0; i < n_nodes(); ++i)
      if (label[i] == first || label[i] == second) members_.push_back(i);
  }

  // What a block is best merged with; of many blocks, among some that share neighbours with it.
  Pair partner(int side, std::int32_t from, bool both_ways) {
    const Partition& part = state_.partition(side);
    Pair best;
    if (part.count[from] == 0.0) return best;
    const auto look_at = [&](std::int32_t to) {
      if (to == from || part.count[to] == 0.0) return;
      const double change = state_.merge_change(side, from, to);
      if (change > best.change) best = {side, from, to, change};
    };
    if (part.occupied > kAllPairs) {
      collect(side, from, from);
      for (std::int32_t to : candidates_.of_block(side, members_)) look_at(to);
    } else {
      for (std::int32_t to = both_ways ? 0 : from + 1; to < part.size; ++to) look_at(to);
    }
    return best;
  }

  void close_gaps() {
    for (int side = 0; side < sides(); ++side) {
      std::vector<std::int32_t>& label = named_[side];
      const std::int32_t last = *std::max_element(label.begin(), label.end());
      std::vector<std::int32_t> name(static_cast<std::size_t>(last) + 1, -1);
      std::int32_t n_blocks = 0;
      for (std::int32_t& k : label) {
        if (name[k] < 0) name[k] = n_blocks++;
        k = name[k];
      }
      state_.resize(side, std::min(state_.partition(side).capacity, n_blocks + 1));
    }
    state_.assign(named_[0].data(), named_[1].data());
    value_ = state_.objective();
  }

  void enqueue(int side, std::int32_t node) {
    if (queued_[side][node]) return;
    queued_[side][node] = 1;
    queue_.push_back(node + side * n_nodes());
  }

  void drain(double visits) {
    const auto limit = static_cast<std::size_t>(visits * n_nodes() * sides());
    for (std::size_t at = 0; at < queue_.size(); ++at) {
      const int side = queue_[at] / n_nodes();
      const std::int32_t node = queue_[at] % n_nodes();
      queued_[side][node] = 0;
      if (at < limit && visit(side, node, 0.0)) wake(side, node);
    }
    queue_.clear();
  }

  // Let the neighbours of a node that has moved look around again.
  void wake(int side, std::int32_t node) {
    const Graph& graph = state_.graph();
    const std::int32_t block = state_.label(side, node);
    const auto all = [&](const Adjacency& edges, int other) {
      for (std::int64_t at = edges.start[node]; at < edges.start[node + 1]; ++at)
        if (!state_.shared() || state_.label(other, edges.node[at]) != block) enqueue(other, edges.node[at]);
    };
    if (state_.shared()) {
      all(graph.out, 0);
      if (graph.directed) all(graph.in, 0);
    } else if (side == 0) {
      all(graph.out, 1);
    } else {
      all(graph.in, 0);
    }
  }

  // Whether a node has moved: to its best block, or, where it is hot, to one drawn.
  bool visit(int side, std::int32_t node, double temperature) {
    const Partition& part = state_.partition(side);
    const std::int32_t from = part.label[node], n_blocks = part.occupied;
    const bool alone = part.count[from] == 1.0;
    if (alone && n_blocks <= limits.fewest[side]) return false;
    const bool opens = alone || (opening && n_blocks < limits.most[side]);
    std::int32_t best = from;
    if (part.size <= kAll) {
      state_.take_out(side, node);
      state_.scores(change_.data());
      if (temperature > 0.0) {
        best = drawn(part, opens, from, temperature);
      } else {
        for (std::int32_t k = 0; k < part.size; ++k)
          if (change_[k] > change_[best] + kGain && (opens || part.count[k] > 0.0)) best = k;
      }
    } else {
      const auto& some = candidates_.of_node(side, node);
      state_.take_out(side, node);
      change_[from] = state_.score(from);
      for (std::int32_t k : some) {
        if (k == from) continue;
        change_[k] = state_.score(k);
        if (change_[k] > change_[best] + kGain) best = k;
      }
    }
    if (best == from) {
      state_.put_back(from);
      return false;
    }
    state_.put(best);
    value_ += change_[best] - change_[from];
    if (opens && part.count[best] == 1.0 && part.occupied == part.size && part.size < part.capacity)
      state_.resize(side, part.size + 1);
    return true;
  }

  std::int32_t drawn(const Partition& part, bool opens, std::int32_t from, double temperature) {
    double top = change_[from], total = 0.0;
    bool empty = false;
    odds_.assign(static_cast<std::size_t>(part.size), 0.0);
    for (std::int32_t k = 0; k < part.size; ++k)
      if (opens || part.count[k] > 0.0) top = std::max(top, change_[k]);
    for (std::int32_t k = 0; k < part.size; ++k) {
      if (part.count[k] == 0.0) {  // of all empty labels one, the node's own if it was alone
        if (k != from && (!opens || empty || part.count[from] == 0.0)) continue;
        empty = true;
      }
      total += odds_[k] = std::exp((change_[k] - top) / temperature);
    }
    double at = random_.uniform() * total;
    for (std::int32_t k = 0; k < part.size; ++k)
      if ((at -= odds_[k]) < 0.0) return k;
    return from;
  }
};

}  // namespace blocks
