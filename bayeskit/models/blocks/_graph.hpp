// A graph in compressed rows, both ways, with the pairs that are not observed and the nodes' exposures.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace blocks {

// Neighbours of every node with numbers; the numbers are left out where all are 1.
struct Adjacency {
  std::vector<std::int64_t> start;
  std::vector<std::int32_t> node;
  std::vector<double> value;

  Adjacency() = default;

  // Take compressed rows, without what is on the diagonal. `value` may be null: ones.
  Adjacency(std::int32_t n, const std::int64_t* starts, const std::int32_t* nodes, const double* values) {
    start.reserve(static_cast<std::size_t>(n) + 1);
    start.push_back(0);
    node.reserve(static_cast<std::size_t>(starts[n]));
    if (values) value.reserve(static_cast<std::size_t>(starts[n]));
    for (std::int32_t i = 0; i < n; ++i) {
      for (std::int64_t at = starts[i]; at < starts[i + 1]; ++at) {
        if (nodes[at] == i) continue;
        node.push_back(nodes[at]);
        if (values) value.push_back(values[at]);
      }
      start.push_back(static_cast<std::int64_t>(node.size()));
    }
    if (std::all_of(value.begin(), value.end(), [](double x) { return x == 1.0; })) value = {};
  }

  Adjacency transposed() const {
    const std::size_t n = start.size() - 1;
    Adjacency other;
    other.start.assign(n + 1, 0);
    for (std::int32_t j : node) ++other.start[static_cast<std::size_t>(j) + 1];
    for (std::size_t i = 0; i < n; ++i) other.start[i + 1] += other.start[i];
    std::vector<std::int64_t> place(other.start.begin(), other.start.end() - 1);
    other.node.resize(node.size());
    other.value.resize(value.size());
    for (std::size_t i = 0; i < n; ++i) {
      for (std::int64_t at = start[i]; at < start[i + 1]; ++at) {
        const std::int64_t to = place[static_cast<std::size_t>(node[at])]++;
        other.node[to] = static_cast<std::int32_t>(i);
        if (!value.empty()) other.value[to] = value[at];
      }
    }
    return other;
  }
};

struct Graph {
  std::int32_t n = 0;
  bool directed = true;
  bool self_pairs = false;
  Adjacency out, in;                // weights of edges; undirected: only `out`, with both directions of each
  Adjacency hidden_out, hidden_in;  // pairs that say nothing; undirected: only `hidden_out`
  std::vector<double> loop;         // weights of self-loops
  std::vector<double> out_exposure, in_exposure;

  // Weights as compressed rows, self-loops among them, and unobserved pairs, none on the diagonal; see `Pairs`.
  Graph(std::int32_t n_nodes, const std::int64_t* start, const std::int32_t* node, const double* value,
        const std::int64_t* hidden_start, const std::int32_t* hidden_node, const double* out_exposures,
        const double* in_exposures, bool is_directed, bool has_self_pairs)
      : n(n_nodes),
        directed(is_directed),
        self_pairs(has_self_pairs),
        out(n_nodes, start, node, value),
        hidden_out(n_nodes, hidden_start, hidden_node, nullptr),
        loop(static_cast<std::size_t>(n_nodes)),
        out_exposure(out_exposures, out_exposures + n_nodes),
        in_exposure(in_exposures, in_exposures + n_nodes) {
    if (directed) {
      in = out.transposed();
      hidden_in = hidden_out.transposed();
    }
    for (std::int32_t i = 0; i < n; ++i)
      for (std::int64_t at = start[i]; at < start[i + 1]; ++at)
        if (node[at] == i) loop[i] = value[at];
  }
};

}  // namespace blocks
