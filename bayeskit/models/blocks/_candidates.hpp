// Where a search looks first: blocks that a node, or all of a block, may be better off in, and halves of a block.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "_graph.hpp"
#include "_random.hpp"
#include "_state.hpp"

namespace blocks {

template <class Policy>
class Candidates {
 public:
  using Nodes = std::vector<std::int32_t>;

  Candidates(const BlockState<Policy>& state, Random& random) : state_(state), random_(random) {}

  // Blocks of some neighbours of a node, and of some nodes that share a neighbour with it.
  const Nodes& of_node(int side, std::int32_t node) {
    found_.clear();
    const Graph& graph = state_.graph();
    for (int sample = 0; sample < kSamples; ++sample) {
      const bool out = state_.shared() ? !graph.directed || random_.below(2) == 0 : side == 0;
      const std::int32_t middle = neighbour(out ? graph.out : graph.in, node);
      if (middle < 0) continue;
      if (state_.shared()) found_.push_back(state_.label(0, middle));
      const std::int32_t other = neighbour(out && graph.directed ? graph.in : graph.out, middle);
      if (other >= 0) found_.push_back(state_.label(side, other));
    }
    return unique(found_);
  }

  // Some of those of some members of a block.
  const Nodes& of_block(int side, const Nodes& members) {
    gathered_.clear();
    for (int sample = 0; sample < kSamples; ++sample) {
      const Nodes& found = of_node(side, any(members));
      for (int few = 0; few < kFew && !found.empty(); ++few) gathered_.push_back(any(found));
    }
    return unique(gathered_);
  }

  // Half of a block's members, drawn each by itself.
  const Nodes& half_at_random(const Nodes& members) {
    half_.clear();
    for (std::int32_t node : members)
      if (random_.below(2)) half_.push_back(node);
    return half_;
  }

  // Half of a block's members, or all to which there is a way, from one of them on, the nearest first: along edges
  // within the block, or by common neighbours.
  const Nodes& nearest_half(int side, std::int32_t block, const Nodes& members, bool along_edges) {
    const Graph& graph = state_.graph();
    half_.assign(1, any(members));
    reached_.assign(static_cast<std::size_t>(graph.n), 0);
    reached_[half_.front()] = 1;
    const auto reach = [&](std::int32_t node) {
      if (reached_[node] || state_.label(side, node) != block || half_.size() * 2 >= members.size()) return;
      reached_[node] = 1;
      half_.push_back(node);
    };
    const auto each = [](const Adjacency& edges, std::int32_t node, auto call) {
      for (std::int64_t at = edges.start[node]; at < edges.start[node + 1]; ++at) call(edges.node[at]);
    };
    const auto from = [&](const Adjacency& edges, const Adjacency& back, std::int32_t node) {
      each(edges, node, [&](std::int32_t j) {
        if (along_edges) reach(j);
        else each(back, j, reach);
      });
    };
    const Adjacency& in = graph.directed ? graph.in : graph.out;
    for (std::size_t at = 0; at < half_.size() && half_.size() * 2 < members.size(); ++at) {
      const std::int32_t node = half_[at];
      if (state_.shared() || side == 0) from(graph.out, in, node);
      if (state_.shared() ? graph.directed : side == 1) from(graph.in, graph.out, node);
    }
    return half_;
  }

 private:
  static constexpr int kSamples = 12;
  static constexpr int kFew = 3;

  const BlockState<Policy>& state_;
  Random& random_;
  Nodes found_, gathered_, half_;
  std::vector<char> reached_;

  std::int32_t any(const Nodes& nodes) { return nodes[random_.below(static_cast<std::int32_t>(nodes.size()))]; }
  std::int32_t neighbour(const Adjacency& edges, std::int32_t node) {
    const auto degree = static_cast<std::int32_t>(edges.start[node + 1] - edges.start[node]);
    return degree == 0 ? -1 : edges.node[edges.start[node] + random_.below(degree)];
  }
  static const Nodes& unique(Nodes& found) {
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }
};

}  // namespace blocks
