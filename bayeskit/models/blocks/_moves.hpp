// Metropolis-Hastings moves of many nodes at once between blocks, for `BlockState`: of one side, or of both together,
// where two blocks of sources that are taken for one make two of targets look alike, too.
//
// All of them propose by restricted Gibbs scans, Jain and Neal (2004), doi:10.1198/1061860043001: nodes are shared out
// between two labels at random, drawn again in a few scans (the launch), and in a last one whose probability counts.
// Where the launch leads does not depend on which of the two labels a node has had, nor does the order of the nodes: so
// both directions of a move have it in common, and its probability cancels. Labels are those of a mixture with a fixed
// number of them, some of which may be empty.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "_random.hpp"
#include "_state.hpp"

namespace blocks {

template <class Policy>
class Moves {
 public:
  Moves(BlockState<Policy>& state, Random& random) : state_(state), random_(random) {}

  // Share the nodes of two labels out anew: the move M3 of Nobile and Fearnside (2007),
  // doi:10.1007/s11222-006-9014-7, after scans.
  bool reallocate(int first, int last, int scans) {
    there_.clear();
    for (int side = first; side <= last; ++side) {
      const std::int32_t size = state_.partition(side).size;
      if (size < 2) return false;
      const std::int32_t p = random_.below(size);
      there_.push_back(nodes_of(side, p, other(size, p)));
    }
    const double before = state_.objective();
    state_.save(start_);
    launch(there_, scans);
    state_.save(launched_);
    const double back = scan(there_, true);
    state_.load(launched_);
    const double there = scan(there_, false);
    return std::log(random_.uniform()) < state_.objective() - before + back - there || refuse();
  }

  // Split a block, its second part taking an empty label, or merge two blocks, as two nodes chosen at random are in
  // one block or in two. Of targets these are nodes that the two of the sources link to.
  bool split_or_merge(int first, int last, int scans) {
    std::int32_t i = random_.below(state_.graph().n), j = random_.below(state_.graph().n);
    seeds_.clear();
    for (int side = first; side <= last; ++side) {
      if (side > first && !(linked(i) && linked(j))) return false;
      if (i == j) return false;
      seeds_.push_back({side, i, j, state_.label(side, i), state_.label(side, j)});
    }
    const bool together = seeds_[0].p == seeds_[0].q;
    for (const Seeds& s : seeds_)
      if ((s.p == s.q) != together) return false;
    return together ? split(scans) : merge(scans);
  }

  // Merge one block into another, and split a third, its second part taking the label that is free now: between
  // partitions without an empty label, which no split can start from. As many labels are occupied before as after.
  bool exchange(int first, int last, int scans) {
    double chosen = 0.0;
    changes_.clear();
    for (int side = first; side <= last; ++side) {
      list_occupied(side);
      if (occupied_.size() < 3) return false;
      const auto [from, to] = choose_pair(side);
      chosen += log_chance(from, to);
      changes_.push_back({side, from, to, 0});
    }
    const double before = state_.objective();
    state_.save(start_);
    back_.clear();
    there_.clear();
    for (const Change& c : changes_) {
      back_.push_back(nodes_of(c.side, c.to, c.from));
      state_.merge(c.side, c.from, c.to);
    }
    state_.save(merged_);
    chosen += choose_thirds();
    for (const Change& c : changes_) there_.push_back(nodes_of(c.side, c.third, c.from));
    launch(there_, scans);
    double change = -scan(there_, false) - before - chosen;
    for (const Change& c : changes_) {
      const Partition& part = state_.partition(c.side);
      if (part.count[c.third] == 0.0 || part.count[c.from] == 0.0) return refuse();
      list_occupied(c.side);
      weigh_pairs(c.side);
      change += log_chance(c.from, c.third);
    }
    change += state_.objective();
    const double limit = std::log(random_.uniform());
    // The chance to come back is below 1.
    if (change < limit) return refuse();
    state_.save(launched_);
    state_.load(merged_);
    launch(back_, scans);
    if (change + scan(back_, true) < limit) return refuse();
    state_.load(launched_);
    return true;
  }

 private:
  using Snapshot = typename BlockState<Policy>::Snapshot;
  // Nodes between two labels, in random order, and where they were.
  struct Nodes {
    int side;
    std::int32_t p, q;
    std::vector<std::int32_t> node, label;
  };
  struct Seeds {
    int side;
    std::int32_t i, j, p, q;
  };
  struct Change {
    int side;
    std::int32_t from, to, third;
  };

  BlockState<Policy>& state_;
  Random& random_;
  std::vector<Nodes> there_, back_;
  std::vector<Seeds> seeds_;
  std::vector<Change> changes_;
  std::vector<std::int32_t> occupied_;
  std::vector<double> weight_;  // of pairs of blocks to merge
  std::size_t size_ = 0;
  Snapshot start_, launched_, merged_;

  // Another of n, each as likely.
  std::int32_t other(std::int32_t n, std::int32_t than) {
    const std::int32_t found = random_.below(n - 1);
    return found + (found >= than);
  }

  bool refuse() {
    state_.load(start_);
    return false;
  }

  // Go on to a node that one links to, each as likely; false if there is none.
  bool linked(std::int32_t& node) {
    const Adjacency& out = state_.graph().out;
    const std::int64_t n = out.start[node + 1] - out.start[node];
    if (n == 0) return false;
    node = out.node[out.start[node] + random_.below(static_cast<std::int32_t>(n))];
    return true;
  }

  // Those of two labels, but for two of them.
  Nodes nodes_of(int side, std::int32_t p, std::int32_t q, std::int32_t without = -1, std::int32_t and_without = -1) {
    const auto& label = state_.partition(side).label;
    Nodes found{side, p, q, {}, {}};
    for (std::int32_t i = 0; i < state_.graph().n; ++i)
      if ((label[i] == p || label[i] == q) && i != without && i != and_without) found.node.push_back(i);
    random_.shuffle(found.node);
    for (std::int32_t node : found.node) found.label.push_back(label[node]);
    return found;
  }

  // Not one by one into empty blocks: before edges between them tell anything, nodes would all go where most are.
  void launch(const std::vector<Nodes>& parts, int scans) {
    for (const Nodes& part : parts) {
      for (std::int32_t node : part.node) {
        const std::int32_t block = random_.below(2) ? part.p : part.q;
        if (block != state_.label(part.side, node)) state_.move(part.side, node, block);
      }
    }
    for (int t = 0; t < scans; ++t) scan(parts, false);
  }

  // Draw all nodes once between their two labels, or put them where they were, and return the log probability.
  double scan(const std::vector<Nodes>& parts, bool as_they_were) {
    double total = 0.0;
    for (const Nodes& part : parts) {
      for (std::size_t at = 0; at < part.node.size(); ++at) {
        const std::int32_t node = part.node[at], old = state_.label(part.side, node);
        state_.take_out(part.side, node);
        const double gap = state_.score(part.p) - state_.score(part.q);
        const bool first = as_they_were ? part.label[at] == part.p : random_.uniform() * (1.0 + std::exp(-gap)) < 1.0;
        total -= log1p_exp(first ? -gap : gap);
        const std::int32_t block = first ? part.p : part.q;
        if (block == old) state_.put_back(block); else state_.put(block);
      }
    }
    return total;
  }

  static double log1p_exp(double x) { return x > 0.0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

  bool split(int scans) {
    double ways = 0.0;
    there_.clear();
    for (Seeds& s : seeds_) {
      const Partition& part = state_.partition(s.side);
      const std::int32_t n_empty = part.size - part.occupied;
      if (n_empty == 0) return false;
      ways += std::log(n_empty);
      s.q = empty_label(part, random_.below(n_empty));
      there_.push_back(nodes_of(s.side, s.p, s.q, s.i, s.j));
    }
    const double before = state_.objective();
    state_.save(start_);
    for (const Seeds& s : seeds_) state_.move(s.side, s.j, s.q);
    launch(there_, scans);
    const double there = scan(there_, false);
    return std::log(random_.uniform()) < state_.objective() - before + ways - there || refuse();
  }

  static std::int32_t empty_label(const Partition& part, std::int32_t skip) {
    std::int32_t label = 0;
    for (;; ++label)
      if (part.count[label] == 0.0 && skip-- == 0) return label;
  }

  bool merge(int scans) {
    const double before = state_.objective();
    state_.save(start_);
    double ways = 0.0;
    for (const Seeds& s : seeds_) {
      state_.merge(s.side, s.q, s.p);
      ways += std::log(state_.partition(s.side).size - state_.partition(s.side).occupied);
    }
    const double change = state_.objective() - before - ways, limit = std::log(random_.uniform());
    // The chance to come back is below 1: most are refused without it.
    if (change < limit) return refuse();
    state_.save(merged_);
    state_.load(start_);
    back_.clear();
    for (const Seeds& s : seeds_) back_.push_back(nodes_of(s.side, s.p, s.q, s.i, s.j));
    launch(back_, scans);
    if (change + scan(back_, true) < limit) return refuse();
    state_.load(merged_);
    return true;
  }

  void list_occupied(int side) {
    const Partition& part = state_.partition(side);
    occupied_.clear();
    for (std::int32_t k = 0; k < part.size; ++k)
      if (part.count[k] > 0.0) occupied_.push_back(k);
  }

  // Weights of ordered pairs of blocks to merge, half of them as the objective is after it, half of them equal.
  void weigh_pairs(int side) {
    const std::size_t size = static_cast<std::size_t>(state_.partition(side).size), n = occupied_.size();
    weight_.assign(size * size, 0.0);
    size_ = size;
    double highest = -std::numeric_limits<double>::infinity(), total = 0.0;
    for (std::size_t x = 1; x < n; ++x) {
      for (std::size_t y = 0; y < x; ++y) {
        const double change = state_.merge_change(side, occupied_[x], occupied_[y]);
        weight_[at(occupied_[x], occupied_[y])] = change;
        highest = std::max(highest, change);
      }
    }
    for (std::size_t x = 1; x < n; ++x)
      for (std::size_t y = 0; y < x; ++y)
        total += weight_[at(occupied_[x], occupied_[y])] = std::exp(weight_[at(occupied_[x], occupied_[y])] - highest);
    const double equal = 0.5 / (static_cast<double>(n) * (static_cast<double>(n) - 1.0));
    for (std::size_t x = 1; x < n; ++x) {
      for (std::size_t y = 0; y < x; ++y) {
        const std::size_t here = at(occupied_[x], occupied_[y]);
        weight_[here] = weight_[at(occupied_[y], occupied_[x])] = 0.25 * weight_[here] / total + equal;
      }
    }
  }

  std::size_t at(std::int32_t from, std::int32_t to) const {
    return static_cast<std::size_t>(from) * size_ + static_cast<std::size_t>(to);
  }

  std::pair<std::int32_t, std::int32_t> choose_pair(int side) {
    weigh_pairs(side);
    double left = random_.uniform();
    std::pair<std::int32_t, std::int32_t> last;
    for (std::int32_t from : occupied_) {
      for (std::int32_t to : occupied_) {
        if (from == to) continue;
        last = {from, to};
        if ((left -= weight_[at(from, to)]) <= 0.0) return last;
      }
    }
    return last;
  }

  double log_chance(std::int32_t from, std::int32_t to) const { return std::log(weight_[at(from, to)]); }

  // Choose which blocks to split, once pairs are merged: the first one as it has nodes, then of targets as the one of
  // sources links to them. Returns the log chance of this choice less that of the move back.
  double choose_thirds() {
    const Partition& part = state_.partition(changes_[0].side);
    const auto nodes = [&](std::int32_t k) { return part.count[k]; };
    double chosen = choose_third(changes_[0], nodes, nodes);
    if (changes_.size() > 1) {
      const Partition& targets = state_.partition(1);
      const auto links = [&](std::int32_t k) {
        return [&, k](std::int32_t l) { return targets.count[l] > 0.0 ? 1.0 + state_.weight(k, l) : 0.0; };
      };
      chosen += choose_third(changes_[1], links(changes_[0].third), links(changes_[0].to));
    }
    return chosen;
  }

  // By the weights of all blocks but the merged one; those of the move back leave the third one out.
  template <class There, class Back>
  double choose_third(Change& c, There there, Back back) {
    const std::int32_t size = state_.partition(c.side).size;
    double total = 0.0, of_back = 0.0;
    for (std::int32_t k = 0; k < size; ++k) total += k == c.to ? 0.0 : there(k);
    double left = random_.uniform() * total;
    for (std::int32_t k = 0; k < size && left > 0.0; ++k) {
      if (k == c.to || there(k) == 0.0) continue;
      c.third = k;
      left -= there(k);
    }
    for (std::int32_t k = 0; k < size; ++k) of_back += k == c.third ? 0.0 : back(k);
    return std::log(there(c.third) / total) - std::log(back(c.to) / of_back);
  }
};

}  // namespace blocks
