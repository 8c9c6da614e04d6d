// Policy of `BlockState` for description lengths: minus their number of nats, as `criteria.description_length` has it,
// the number of blocks paid for. Empty labels are no blocks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "_graph.hpp"
#include "_restricted.hpp"
#include "_special.hpp"
#include "_state.hpp"

namespace blocks {

// What the description length needs to know of a graph: one kind of ends of edges if undirected, else sources and
// targets.
struct Ends {
  struct Kind {
    std::vector<double> degree;         // by node
    std::vector<std::int32_t> alike;    // by node: nodes of one degree have one number, from 0
    std::int32_t n_degrees = 0;
    double constant = 0.0;              // sum of log k!
  };
  std::int32_t n_nodes;
  bool directed;
  double n_edges = 0.0;
  double repeats = 0.0;  // sum of log x!
  std::vector<Kind> kinds;
  LogGammaTable factorial;          // log n!
  std::vector<double> logs;         // of whole numbers up to N + 1, 0 of 0
  RestrictedPartitions partitions;

  Ends(const Graph& graph, bool corrected)
      : n_nodes(graph.n),
        directed(graph.directed),
        factorial(1.0, 1u << 16),
        logs(static_cast<std::size_t>(graph.n) + 2),
        partitions(corrected ? total(graph) * (graph.directed ? 1 : 2) : 0, corrected ? graph.n : 0) {
    for (std::size_t n = 1; n < logs.size(); ++n) logs[n] = std::log(static_cast<double>(n));
    n_edges = static_cast<double>(total(graph));
    count(graph.out, graph.loop, directed ? 1.0 : 2.0);
    if (directed) count(graph.in, graph.loop, 1.0);
    for (double x : graph.out.value) repeats += log_gamma(x + 1.0) / (directed ? 1.0 : 2.0);
    for (double x : graph.loop) repeats += log_gamma(x + 1.0) + (directed ? 0.0 : x * std::log(2.0));
  }

 private:
  static std::int64_t total(const Graph& graph) {
    double sum = 0.0;
    for (double x : graph.out.value) sum += x;
    if (graph.out.value.empty()) sum = static_cast<double>(graph.out.node.size());
    if (!graph.directed) sum /= 2.0;
    for (double x : graph.loop) sum += x;
    return std::llround(sum);
  }

  void count(const Adjacency& edges, const std::vector<double>& loop, double of_loop) {
    Kind kind;
    kind.degree.resize(static_cast<std::size_t>(n_nodes));
    for (std::int32_t i = 0; i < n_nodes; ++i) {
      double& degree = kind.degree[i];
      degree = of_loop * loop[i];
      for (std::int64_t at = edges.start[i]; at < edges.start[i + 1]; ++at)
        degree += edges.value.empty() ? 1.0 : edges.value[at];
      kind.constant += log_gamma(degree + 1.0);
    }
    std::vector<double> found = kind.degree;
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    kind.n_degrees = static_cast<std::int32_t>(found.size());
    for (double degree : kind.degree)
      kind.alike.push_back(static_cast<std::int32_t>(std::lower_bound(found.begin(), found.end(), degree) - found.begin()));
    kinds.push_back(std::move(kind));
  }
};

class LengthPolicy {
 public:
  static constexpr bool uses_exposures = false;
  static constexpr bool fractional = false;

  LengthPolicy(std::shared_ptr<const Ends> ends, bool corrected, bool shared, const std::int32_t* capacities)
      : ends_(std::move(ends)), corrected_(corrected), shared_(shared) {
    for (int side = 0; side < (shared ? 1 : 2); ++side) {
      count_[side].resize(static_cast<std::size_t>(capacities[side]) + 1);
      for (std::size_t kind = 0; kind < ends_->kinds.size(); ++kind) {
        if (!has(side, kind)) continue;
        total_[kind].resize(count_[side].size());
        restricted_[kind].resize(count_[side].size());
        if (corrected) alike_[kind].resize(count_[side].size() * width(kind));
      }
    }
  }

  double pair(double weight, double) const { return ends_->factorial(weight); }
  double own(double weight, double) const {
    return ends_->factorial(weight) + (ends_->directed ? 0.0 : weight * 0.69314718055994530942);
  }

  double joining(int side, std::int32_t node, std::int32_t block, const Partition&) const {
    const double n = count_[side][block], log_next = log_of(n + 1.0);
    double change = log_next;
    if (n == 0.0) change += numbers(side, 1) - numbers(side, 0);
    for (std::size_t kind = 0; kind < ends_->kinds.size(); ++kind) {
      if (!has(side, kind)) continue;
      const double degree = ends_->kinds[kind].degree[node], total = total_[kind][block];
      if (!corrected_) {
        change -= (total + degree) * log_next - total * log_of(n);
        continue;
      }
      change -= ends_->factorial(total + degree) - ends_->factorial(total) + log_next;
      change -= ends_->partitions(total + degree, n + 1.0) - restricted_[kind][block];
      change += log_of(alike_[kind][place(kind, block, node)] + 1.0);
    }
    return change;
  }

  double merging(int side, std::int32_t from, std::int32_t to, const Partition&) const {
    const double n = count_[side][from], m = count_[side][to];
    if (n == 0.0 || m == 0.0) return 0.0;
    double change = numbers(side, -1) - numbers(side, 0);
    change += ends_->factorial(n + m) - ends_->factorial(n) - ends_->factorial(m);
    for (std::size_t kind = 0; kind < ends_->kinds.size(); ++kind)
      if (has(side, kind)) change += of_united(kind, from, to, n, m) - of_block(side, kind, from) - of_block(side, kind, to);
    return change;
  }

  // The first side has what no partition changes.
  double whole(int side, const Partition& part) const {
    double total = 0.0;
    for (std::int32_t k = 0; k < part.size; ++k) {
      total += ends_->factorial(count_[side][k]);
      for (std::size_t kind = 0; kind < ends_->kinds.size(); ++kind)
        if (has(side, kind)) total += of_block(side, kind, k);
    }
    const double n = ends_->n_nodes;
    total -= ends_->factorial(n) + std::log(n) + log_binomial(n - 1.0, occupied_[side] - 1.0);
    if (side != 0) return total;
    total -= of_cells(occupied_[0], occupied_[shared_ ? 0 : 1]) + ends_->repeats;
    if (corrected_)
      for (const Ends::Kind& kind : ends_->kinds) total += kind.constant;
    return total;
  }

  void reset() {
    for (int side = 0; side < 2; ++side) {
      std::fill(count_[side].begin(), count_[side].end(), 0.0);
      occupied_[side] = 0.0;
    }
    for (int kind = 0; kind < 2; ++kind) {
      for (auto* numbers : {&total_[kind], &restricted_[kind]}) std::fill(numbers->begin(), numbers->end(), 0.0);
      std::fill(alike_[kind].begin(), alike_[kind].end(), 0);
    }
  }
  void joined(int side, std::int32_t node, std::int32_t block) { change(side, node, block, 1); }
  void left(int side, std::int32_t node, std::int32_t block) { change(side, node, block, -1); }
  void merged(int side, std::int32_t from, std::int32_t to) {
    occupied_[side] -= count_[side][from] > 0.0 && count_[side][to] > 0.0;
    count_[side][to] += count_[side][from];
    count_[side][from] = 0.0;
    for (std::size_t kind = 0; kind < ends_->kinds.size(); ++kind) {
      if (!has(side, kind)) continue;
      total_[kind][to] += total_[kind][from];
      total_[kind][from] = 0.0;
      if (!corrected_) continue;
      for (std::size_t d = 0; d < width(kind); ++d) {
        alike_[kind][to * width(kind) + d] += alike_[kind][from * width(kind) + d];
        alike_[kind][from * width(kind) + d] = 0;
      }
      restricted_[kind][to] = ends_->partitions(total_[kind][to], count_[side][to]);
      restricted_[kind][from] = 0.0;
    }
  }

 private:
  std::shared_ptr<const Ends> ends_;
  bool corrected_, shared_;
  std::vector<double> count_[2];          // nodes, by side and block
  double occupied_[2] = {0.0, 0.0};
  std::vector<double> total_[2];          // ends of edges, by kind and block
  std::vector<double> restricted_[2];     // log of the number of their restricted partitions
  std::vector<std::int32_t> alike_[2];    // nodes of a degree, by kind, block and degree

  bool has(int side, std::size_t kind) const { return shared_ || static_cast<std::size_t>(side) == kind; }
  std::size_t width(std::size_t kind) const { return static_cast<std::size_t>(ends_->kinds[kind].n_degrees); }
  std::size_t place(std::size_t kind, std::int32_t block, std::int32_t node) const {
    return static_cast<std::size_t>(block) * width(kind) + static_cast<std::size_t>(ends_->kinds[kind].alike[node]);
  }
  double log_of(double n) const { return ends_->logs[static_cast<std::int32_t>(n)]; }

  // What the numbers of blocks cost, with more blocks on one side.
  double numbers(int side, double more) const {
    const double here = occupied_[side] + more, there = shared_ ? here : occupied_[1 - side];
    return -log_binomial(ends_->n_nodes - 1.0, here - 1.0) - of_cells(here, there);
  }
  double of_cells(double first, double second) const {
    const double cells = ends_->directed ? first * second : first * (first + 1.0) / 2.0;
    return cells == 0.0 ? 0.0 : log_binomial(cells + ends_->n_edges - 1.0, ends_->n_edges);
  }
  static double log_binomial(double n, double k) {
    return k < 0.0 || k > n ? 0.0 : log_gamma(n + 1.0) - log_gamma(k + 1.0) - log_gamma(n - k + 1.0);
  }

  double of_block(int side, std::size_t kind, std::int32_t block) const {
    const double n = count_[side][block], total = total_[kind][block];
    if (!corrected_) return -total * log_of(n);
    double found = -ends_->factorial(total) - restricted_[kind][block] - ends_->factorial(n);
    for (std::size_t d = 0; d < width(kind); ++d)
      found += ends_->factorial(alike_[kind][static_cast<std::size_t>(block) * width(kind) + d]);
    return found;
  }

  double of_united(std::size_t kind, std::int32_t from, std::int32_t to, double n, double m) const {
    const double total = total_[kind][from] + total_[kind][to];
    if (!corrected_) return -total * log_of(n + m);
    double found = -ends_->factorial(total) - ends_->partitions(total, n + m) - ends_->factorial(n + m);
    const std::int32_t* first = &alike_[kind][static_cast<std::size_t>(from) * width(kind)];
    const std::int32_t* second = &alike_[kind][static_cast<std::size_t>(to) * width(kind)];
    for (std::size_t d = 0; d < width(kind); ++d) found += ends_->factorial(first[d] + second[d]);
    return found;
  }

  void change(int side, std::int32_t node, std::int32_t block, int sign) {
    double& n = count_[side][block];
    occupied_[side] += sign > 0 ? n == 0.0 : -(n == 1.0);
    n += sign;
    for (std::size_t kind = 0; kind < ends_->kinds.size(); ++kind) {
      if (!has(side, kind)) continue;
      total_[kind][block] += sign * ends_->kinds[kind].degree[node];
      if (!corrected_) continue;
      restricted_[kind][block] = ends_->partitions(total_[kind][block], n);
      alike_[kind][place(kind, block, node)] += sign;
    }
  }
};

}  // namespace blocks
