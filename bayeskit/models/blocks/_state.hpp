// A graph's nodes in blocks: totals of weights and exposures between blocks, kept up while nodes and blocks move, and
// what a move changes in an objective
//
//   sum over pairs of blocks, each once, of policy.pair(weight, exposure)  +  whatever else the policy says of blocks.
//
// Rows are blocks of sources (side 0), columns blocks of targets (side 1); where one partition is shared there is only
// side 0, and a node's move changes a row, a column and the corner where they cross. Undirected totals are symmetric,
// each pair of nodes counted once on the diagonal, as `block_totals` has them.
//
// A policy has
//
//   static constexpr bool uses_exposures;         false: `pair` ignores exposures, which are then not kept, and only
//                                                 those pairs of blocks are looked at that a node has edges with
//   double pair(double weight, double exposure);  0 at (0, 0), so that empty labels cost nothing
//   double own(double weight, double exposure);   if it has one, the same of a block with itself, of a shared partition
//   Quick quick();                                where exposures are used: `pair` without calls, for fast loops, as the
//                                                 sum of `computed(weight, exposure)`, which runs in several lanes at once,
//                                                 and `looked_up(weight, exposure, int64_t& beyond)`, which does not, and
//                                                 is right unless it adds to `beyond`
//   double joining(int side, int32_t node, int32_t block, const Partition&);
//                                                 change of everything else where a node from outside joins a block
//   double merging(int side, int32_t from, int32_t to, const Partition&);   the same where one block joins another
//   double whole(int side, const Partition&);     everything else; summed over sides
//   void reset(); void joined(int side, int32_t node, int32_t block); void left(...); void merged(int side, from, to);
//                                                 told of every change, for what it keeps of blocks itself, such as
//                                                 histograms of degrees
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "_graph.hpp"

namespace blocks {

struct Partition {
  std::vector<std::int32_t> label;  // by node; `outside` where it is in no block for now
  std::vector<double> count;        // nodes by block
  std::int32_t size = 0;            // labels in use, empty ones among them
  std::int32_t capacity = 0;
  std::int32_t occupied = 0;
  std::int32_t outside = 0;
};

template <class Policy, class = void>
struct weighs_own : std::false_type {};
template <class Policy>
struct weighs_own<Policy, std::void_t<decltype(&Policy::own)>> : std::true_type {};

template <class Policy>
class BlockState {
 public:
  Policy policy;

  // With as many labels as there may ever be; all in use until `resize`.
  BlockState(const Graph& graph, bool shared, std::int32_t rows, std::int32_t columns, Policy with)
      : policy(std::move(with)), graph_(graph), shared_(shared), stride_(columns) {
    const std::int32_t capacities[2] = {rows, columns};
    const std::size_t longest = static_cast<std::size_t>(std::max(rows, columns)) + 1;
    for (int side = 0; side < (shared ? 1 : 2); ++side) {
      Partition& part = parts_[side];
      part.size = part.capacity = part.outside = capacities[side];
      part.label.assign(static_cast<std::size_t>(graph.n), part.outside);
      part.count.assign(longest, 0.0);
    }
    const std::size_t cells = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
    for (auto* matrix : {&weights_, &exposures_, &terms_}) matrix->assign(cells, 0.0);
    for (auto* sums : {&out_sum_, &in_sum_}) sums->assign(longest, 0.0);
    for (auto* part : {&out_weight_, &out_exposure_, &in_weight_, &in_exposure_}) part->assign(longest, 0.0);
    for (auto* place : {&out_blocks_, &in_blocks_}) place->reserve(longest);
    kept_.resize(6 * longest);
    gains_.resize(longest);
  }

  const Graph& graph() const { return graph_; }
  bool shared() const { return shared_; }
  int sides() const { return shared_ ? 1 : 2; }
  const Partition& partition(int side) const { return parts_[side]; }
  std::int32_t label(int side, std::int32_t node) const { return parts_[side].label[node]; }
  double weight(std::int32_t k, std::int32_t l) const { return weights_[cell(k, l)]; }
  double exposure(std::int32_t k, std::int32_t l) const { return exposures_[cell(k, l)]; }
  double term(std::int32_t k, std::int32_t l) const { return terms_[cell(k, l)]; }

  // Put all nodes into blocks; `second` is not read where one partition is shared.
  void assign(const std::int32_t* first, const std::int32_t* second) {
    const std::int32_t* given[2] = {first, second};
    for (int side = 0; side < sides(); ++side) std::copy_n(given[side], graph_.n, parts_[side].label.begin());
    recount();
  }

  // Count everything anew from the labels.
  void recount() {
    count_weights();
    recount_exposures();
  }

  // Count all but the weights anew: sums of fractions drift, by their last digits, while nodes move.
  void recount_exposures() {
    policy.reset();
    for (auto* sums : {&out_sum_, &in_sum_}) std::fill(sums->begin(), sums->end(), 0.0);
    for (int side = 0; side < sides(); ++side) {
      Partition& part = parts_[side];
      std::fill(part.count.begin(), part.count.end(), 0.0);
      part.occupied = 0;
      for (std::int32_t i = 0; i < graph_.n; ++i)
        if (part.label[i] != part.outside) enter(side, i, part.label[i]);
    }
    if constexpr (Policy::uses_exposures) count_exposures();
    retake();
  }

  // Take all terms anew: after a change of the policy's arguments.
  void retake() {
    for (std::int32_t k = 0; k < rows(); ++k)
      for (std::int32_t l = 0; l < columns(); ++l) retake_at(k, l);
  }

  // Use more labels, or fewer where those beyond are empty.
  void resize(int side, std::int32_t size) {
    const std::int32_t old = parts_[side].size;
    parts_[side].size = size;
    for (std::int32_t k = old; k < size; ++k) retake(side, k);
  }

  double pairs_total() const {
    double total = 0.0;
    for (std::int32_t k = 0; k < rows(); ++k)
      for (std::int32_t l = graph_.directed ? 0 : k; l < columns(); ++l) total += terms_[cell(k, l)];
    return total;
  }

  double objective() const {
    double total = pairs_total();
    for (int side = 0; side < sides(); ++side) total += policy.whole(side, parts_[side]);
    return total;
  }

  // Everything that moves change, to return to.
  struct Snapshot {
    std::vector<double> weights, exposures, terms, out_sum, in_sum;
    Partition parts[2];
    std::vector<Policy> policy;
  };

  void save(Snapshot& into) const {
    into.weights = weights_;
    into.exposures = exposures_;
    into.terms = terms_;
    into.out_sum = out_sum_;
    into.in_sum = in_sum_;
    for (int side = 0; side < sides(); ++side) into.parts[side] = parts_[side];
    into.policy.assign(1, policy);
  }

  void load(const Snapshot& from) {
    weights_ = from.weights;
    exposures_ = from.exposures;
    terms_ = from.terms;
    out_sum_ = from.out_sum;
    in_sum_ = from.in_sum;
    for (int side = 0; side < sides(); ++side) parts_[side] = from.parts[side];
    policy = from.policy.front();
  }

  // Take a node out of its block, and pick it: `score`, `scores`, `put` and `put_back` are of the node picked last.
  void take_out(int side, std::int32_t node) {
    const std::int32_t block = parts_[side].label[node];
    keep(side, block);
    leave(side, node, block);
    pick(side, node);
    add<-1>(block);
    if (parts_[side].count[block] == 0.0) clear(side, block);
    retake_changed(block);
  }

  // Pick a node that is outside, which sees those only that are inside.
  void pick(int side, std::int32_t node) {
    side_ = side;
    node_ = node;
    const double out = graph_.out_exposure[node], in = graph_.in_exposure[node];
    if (shared_) {
      const Partition& part = parts_[0];
      gather(part, graph_.out, graph_.hidden_out, out, graph_.in_exposure, in_sum_, out_weight_, out_exposure_, out_blocks_);
      if (graph_.directed)
        gather(part, graph_.in, graph_.hidden_in, in, graph_.out_exposure, out_sum_, in_weight_, in_exposure_, in_blocks_);
      own_weight_ = graph_.loop[node];
      own_exposure_ = graph_.self_pairs ? out * in : 0.0;
    } else if (side == 0) {
      gather(parts_[1], graph_.out, graph_.hidden_out, out, graph_.in_exposure, in_sum_, out_weight_, out_exposure_, out_blocks_);
      gather_own(parts_[1], out * in, out_weight_, out_exposure_, out_blocks_);
    } else {
      gather(parts_[0], graph_.in, graph_.hidden_in, in, graph_.out_exposure, out_sum_, in_weight_, in_exposure_, in_blocks_);
      gather_own(parts_[0], out * in, in_weight_, in_exposure_, in_blocks_);
    }
  }

  // Change of the objective where the picked node joins a block.
  double score(std::int32_t block) const {
    double change = policy.joining(side_, node_, block, parts_[side_]);
    if (has_row(side_)) change += row_change(block);
    if (moves_columns()) change += column_change(block);
    return shared_ ? change + corner_change(block) : change;
  }

  // The same for every label of the side.
  void scores(double* change) const {
    const std::int32_t size = parts_[side_].size;
    for (std::int32_t k = 0; k < size; ++k) {
      change[k] = policy.joining(side_, node_, k, parts_[side_]);
      if (has_row(side_)) change[k] += row_change(k);
      if (shared_) change[k] += corner_change(k);
    }
    if (moves_columns()) over(in_blocks_, rows(), [&](std::int32_t l) { column_changes(l, change); });
  }

  void put(std::int32_t block) {
    enter(side_, node_, block);
    add<1>(block);
    retake_changed(block);
  }

  // Undo `take_out`, if nothing has moved since: all digits are as before.
  void put_back(std::int32_t block) {
    enter(side_, node_, block);
    exchange<false>(side_, block);
  }

  void move(int side, std::int32_t node, std::int32_t block) {
    take_out(side, node);
    put(block);
  }

  // Change of the objective where all of a block join another.
  double merge_change(int side, std::int32_t from, std::int32_t to) const {
    double change = policy.merging(side, from, to, parts_[side]);
    if (!shared_) {
      const std::int32_t others = parts_[1 - side].size;
      for (std::int32_t l = 0; l < others; ++l)
        change += side == 0 ? united({cell(from, l), cell(to, l)}) : united({cell(l, from), cell(l, to)});
      return change;
    }
    for (std::int32_t l = 0; l < rows(); ++l) {
      if (l == from || l == to) continue;
      change += united({cell(from, l), cell(to, l)});
      if (graph_.directed) change += united({cell(l, from), cell(l, to)});
    }
    if (graph_.directed) return change + united<true>({cell(from, from), cell(from, to), cell(to, from), cell(to, to)});
    return change + united<true>({cell(from, from), cell(from, to), cell(to, to)});
  }

  // Let all of a block join another, which may be empty: then it is a renaming.
  void merge(int side, std::int32_t from, std::int32_t to) {
    Partition& part = parts_[side];
    for (auto* matrix : {&weights_, &exposures_}) {
      std::vector<double>& x = *matrix;
      if (shared_ && !graph_.directed) {
        const double corner = x[cell(from, from)] + x[cell(from, to)] + x[cell(to, to)];
        for (std::int32_t l = 0; l < rows(); ++l) x[cell(l, to)] = x[cell(to, l)] += x[cell(from, l)];
        x[cell(to, to)] = corner;
      } else {
        if (shared_ || side == 0)
          for (std::int32_t l = 0; l < columns(); ++l) x[cell(to, l)] += x[cell(from, l)];
        if (shared_ || side == 1)
          for (std::int32_t l = 0; l < rows(); ++l)
            if (!shared_ || l != from) x[cell(l, to)] += x[cell(l, from)];
      }
    }
    for (std::int32_t& label : part.label)
      if (label == from) label = to;
    part.occupied -= part.count[from] > 0 && part.count[to] > 0;
    part.count[to] += part.count[from];
    for (auto* sums : {&out_sum_, &in_sum_})
      if (shared_ || sums == (side == 0 ? &out_sum_ : &in_sum_)) (*sums)[to] += (*sums)[from];
    part.count[from] = 0.0;
    clear(side, from);
    policy.merged(side, from, to);
    retake(side, from);
    retake(side, to);
  }

 private:
  const Graph& graph_;
  bool shared_;
  std::int32_t stride_;
  Partition parts_[2];
  std::vector<double> weights_, exposures_, terms_;  // rows x columns; undirected symmetric
  std::vector<double> out_sum_, in_sum_;             // exposures by block, of sources and of targets
  // Of the picked node: weights and exposures with the blocks it points to, and with those that point to it.
  int side_ = 0;
  std::int32_t node_ = 0;
  std::vector<double> out_weight_, out_exposure_, in_weight_, in_exposure_;
  std::vector<std::int32_t> out_blocks_, in_blocks_;  // those with weights; only where exposures are not used
  double own_weight_ = 0.0, own_exposure_ = 0.0;
  std::vector<double> kept_;
  mutable std::vector<double> gains_;

  std::int32_t rows() const { return parts_[0].size; }
  std::int32_t columns() const { return parts_[shared_ ? 0 : 1].size; }
  std::size_t cell(std::int32_t k, std::int32_t l) const {
    return static_cast<std::size_t>(k) * static_cast<std::size_t>(stride_) + static_cast<std::size_t>(l);
  }
  double exposed(std::int32_t k, std::int32_t l) const { return Policy::uses_exposures ? exposures_[cell(k, l)] : 0.0; }
  bool has_row(int side) const { return shared_ || side == 0; }
  bool has_column(int side) const { return shared_ || side == 1; }
  // Whether columns change otherwise than as rows do, which stand for them in undirected graphs.
  bool moves_columns() const { return shared_ ? graph_.directed : side_ == 1; }

  void enter(int side, std::int32_t node, std::int32_t block) {
    Partition& part = parts_[side];
    part.label[node] = block;
    part.occupied += part.count[block] == 0.0;
    part.count[block] += 1.0;
    if (has_row(side)) out_sum_[block] += graph_.out_exposure[node];
    if (has_column(side)) in_sum_[block] += graph_.in_exposure[node];
    policy.joined(side, node, block);
  }

  void leave(int side, std::int32_t node, std::int32_t block) {
    Partition& part = parts_[side];
    part.label[node] = part.outside;
    part.count[block] -= 1.0;
    part.occupied -= part.count[block] == 0.0;
    if (has_row(side)) out_sum_[block] -= graph_.out_exposure[node];
    if (has_column(side)) in_sum_[block] -= graph_.in_exposure[node];
    policy.left(side, node, block);
  }

  void count_weights() {
    const Partition& sources = parts_[0];
    const Partition& targets = parts_[shared_ ? 0 : 1];
    std::fill(weights_.begin(), weights_.end(), 0.0);
    for (std::int32_t i = 0; i < graph_.n; ++i) {
      const std::int32_t k = sources.label[i];
      if (k == sources.outside) continue;
      if (targets.label[i] != targets.outside) weights_[cell(k, targets.label[i])] += graph_.loop[i];
      for (std::int64_t at = graph_.out.start[i]; at < graph_.out.start[i + 1]; ++at) {
        const std::int32_t j = graph_.out.node[at], l = targets.label[j];
        // Undirected edges stand in both rows; those within a block count where they point upwards.
        if (l == targets.outside || (!graph_.directed && k == l && j < i)) continue;
        weights_[cell(k, l)] += graph_.out.value.empty() ? 1.0 : graph_.out.value[at];
      }
    }
  }

  void count_exposures() {
    const Partition& sources = parts_[0];
    const Partition& targets = parts_[shared_ ? 0 : 1];
    for (std::int32_t k = 0; k < rows(); ++k)
      for (std::int32_t l = 0; l < columns(); ++l)
        exposures_[cell(k, l)] = out_sum_[k] * in_sum_[l] / (graph_.directed || k != l ? 1.0 : 2.0);
    for (std::int32_t i = 0; i < graph_.n; ++i) {
      const std::int32_t k = sources.label[i];
      if (k == sources.outside) continue;
      const double out = graph_.out_exposure[i], own = out * graph_.in_exposure[i];
      if (targets.label[i] != targets.outside) {
        double& total = exposures_[cell(k, targets.label[i])];
        if (!graph_.directed) total += graph_.self_pairs ? own / 2.0 : -own / 2.0;
        if (graph_.directed && !graph_.self_pairs) total -= own;
      }
      for (std::int64_t at = graph_.hidden_out.start[i]; at < graph_.hidden_out.start[i + 1]; ++at) {
        const std::int32_t j = graph_.hidden_out.node[at], l = targets.label[j];
        if (l == targets.outside || (!graph_.directed && k == l && j < i)) continue;
        exposures_[cell(k, l)] -= out * graph_.in_exposure[j];
      }
    }
  }

  // Weights and exposures of a node with the nodes inside, by their blocks.
  void gather(const Partition& others, const Adjacency& edges, const Adjacency& hidden, double own,
              const std::vector<double>& theirs, const std::vector<double>& sums, std::vector<double>& weight,
              std::vector<double>& exposure, std::vector<std::int32_t>& touched) {
    const std::int32_t size = others.size;
    const std::int32_t* label = others.label.data();
    std::fill_n(weight.begin(), size, 0.0);
    const std::int64_t first = edges.start[node_], last = edges.start[node_ + 1];
    if (edges.value.empty()) {
      for (std::int64_t at = first; at < last; ++at) weight[label[edges.node[at]]] += 1.0;
    } else {
      for (std::int64_t at = first; at < last; ++at) weight[label[edges.node[at]]] += edges.value[at];
    }
    if constexpr (Policy::uses_exposures) {
      for (std::int32_t l = 0; l < size; ++l) exposure[l] = own * sums[l];
      for (std::int64_t at = hidden.start[node_]; at < hidden.start[node_ + 1]; ++at)
        exposure[label[hidden.node[at]]] -= own * theirs[hidden.node[at]];
    } else {
      touched.clear();
      for (std::int32_t l = 0; l < size; ++l)
        if (weight[l] != 0.0) touched.push_back(l);
    }
  }

  // The pair of a node as a source with itself as a target, of two partitions.
  void gather_own(const Partition& others, double own, std::vector<double>& weight, std::vector<double>& exposure,
                  std::vector<std::int32_t>& touched) {
    const std::int32_t block = others.label[node_];
    if (block == others.outside) return;
    if (!Policy::uses_exposures && weight[block] == 0.0 && graph_.loop[node_] != 0.0) touched.push_back(block);
    weight[block] += graph_.loop[node_];
    if (Policy::uses_exposures && !graph_.self_pairs) exposure[block] -= own;
  }

  // Call with every block that can matter: all, or those that the node has edges with.
  template <class Call>
  static void over(const std::vector<std::int32_t>& touched, std::int32_t size, Call call) {
    if constexpr (Policy::uses_exposures) {
      for (std::int32_t l = 0; l < size; ++l) call(l);
    } else {
      for (std::int32_t l : touched) call(l);
    }
  }

  double change_at(std::size_t at, double weight, double exposure) const {
    if constexpr (Policy::uses_exposures) return policy.pair(weights_[at] + weight, exposures_[at] + exposure) - terms_[at];
    return policy.pair(weights_[at] + weight, 0.0) - terms_[at];
  }

  // Of one row, its corner left out where one partition is shared; as of columns below.
  double row_change(std::int32_t k) const {
    double change = 0.0;
    if constexpr (Policy::uses_exposures) {
      const double* gain = gains_in_row(k, out_weight_.data(), out_exposure_.data(), 1);
      for (std::int32_t l = 0; l < columns(); ++l) change += gain[l];
    } else {
      for (std::int32_t l : out_blocks_)
        if (!shared_ || l != k) change += change_at(cell(k, l), out_weight_[l], 0.0);
    }
    return change;
  }

  double column_change(std::int32_t block) const {
    double change = 0.0;
    over(in_blocks_, rows(), [&](std::int32_t l) {
      if (!shared_ || l != block) change += change_at(cell(l, block), in_weight_[l], in_exposure_[l]);
    });
    return change;
  }

  // Of all columns, by what they have in one row.
  void column_changes(std::int32_t l, double* change) const {
    if constexpr (Policy::uses_exposures) {
      const double* gain = gains_in_row(l, &in_weight_[l], &in_exposure_[l], 0);
      for (std::int32_t k = 0; k < columns(); ++k) change[k] += gain[k];
    } else {
      for (std::int32_t k = 0; k < columns(); ++k)
        if (!shared_ || k != l) change[k] += change_at(cell(l, k), in_weight_[l], 0.0);
    }
  }

  // Changes of a row's terms by weights and exposures, which lie `step` apart, 0 where they are all the same.
  // Sums are left to the caller: their order is fixed, while terms can be taken in several lanes at once.
  const double* gains_in_row(std::int32_t k, const double* more_weight, const double* more_exposure,
                             std::int32_t step) const {
    const double *weight = &weights_[cell(k, 0)], *exposure = &exposures_[cell(k, 0)], *term = &terms_[cell(k, 0)];
    double* __restrict gain = gains_.data();
    const std::int32_t size = columns();
    const auto quick = policy.quick();
    std::int64_t beyond = 0;
    if (step) {
      for (std::int32_t l = 0; l < size; ++l)
        gain[l] = quick.computed(weight[l] + more_weight[l], exposure[l] + more_exposure[l]) - term[l];
      for (std::int32_t l = 0; l < size; ++l)
        gain[l] += quick.looked_up(weight[l] + more_weight[l], exposure[l] + more_exposure[l], beyond);
    } else {
      const double w = *more_weight, x = *more_exposure;
      for (std::int32_t l = 0; l < size; ++l) gain[l] = quick.computed(weight[l] + w, exposure[l] + x) - term[l];
      for (std::int32_t l = 0; l < size; ++l) gain[l] += quick.looked_up(weight[l] + w, exposure[l] + x, beyond);
    }
    if (beyond)
      for (std::int32_t l = 0; l < size; ++l)
        gain[l] = change_at(cell(k, l), more_weight[l * step], more_exposure[l * step]);
    if (shared_) gain[k] = 0.0;
    return gain;
  }

  double corner_weight(std::int32_t k) const {
    return out_weight_[k] + (graph_.directed ? in_weight_[k] : 0.0) + own_weight_;
  }
  double corner_exposure(std::int32_t k) const {
    return out_exposure_[k] + (graph_.directed ? in_exposure_[k] : 0.0) + own_exposure_;
  }
  double corner_change(std::int32_t k) const {
    const std::size_t at = cell(k, k);
    return own(weights_[at] + corner_weight(k), exposed(k, k) + corner_exposure(k)) - terms_[at];
  }

  // Add the picked node's weights and exposures to a block's totals, or take them away.
  template <int sign>
  void add(std::int32_t block) {
    if (has_row(side_)) {
      over(out_blocks_, columns(), [&](std::int32_t l) {
        if (!shared_ || l != block) add_at<sign>(cell(block, l), out_weight_[l], out_exposure_[l]);
      });
    }
    if (moves_columns()) {
      over(in_blocks_, rows(), [&](std::int32_t l) {
        if (!shared_ || l != block) add_at<sign>(cell(l, block), in_weight_[l], in_exposure_[l]);
      });
    }
    if (shared_) add_at<sign>(cell(block, block), corner_weight(block), corner_exposure(block));
  }

  template <int sign>
  void add_at(std::size_t at, double weight, double exposure) {
    weights_[at] += sign * weight;
    if constexpr (Policy::uses_exposures) exposures_[at] += sign * exposure;
  }

  // Take the terms anew that the picked node changes in a block; undirected, complete the symmetric matrices.
  void retake_changed(std::int32_t block) {
    if (has_row(side_)) {
      over(out_blocks_, columns(), [&](std::int32_t l) {
        retake_at(block, l);
        if (!graph_.directed) mirror(block, l);
      });
    }
    if (moves_columns())
      over(in_blocks_, rows(), [&](std::int32_t l) { retake_at(l, block); });
    if (shared_ && !Policy::uses_exposures) retake_at(block, block);
  }

  void retake_at(std::int32_t k, std::int32_t l) {
    const double weight = weights_[cell(k, l)], exposure = exposed(k, l);
    terms_[cell(k, l)] = k == l ? own(weight, exposure) : policy.pair(weight, exposure);
  }

  void mirror(std::int32_t block, std::int32_t l) {
    const std::size_t from = cell(block, l), to = cell(l, block);
    weights_[to] = weights_[from];
    exposures_[to] = exposures_[from];
    terms_[to] = terms_[from];
  }

  // Take all terms of a block anew.
  void retake(int side, std::int32_t block) {
    if (has_row(side))
      for (std::int32_t l = 0; l < columns(); ++l) retake_at(block, l);
    if (has_column(side))
      for (std::int32_t l = 0; l < rows(); ++l) retake_at(l, block);
  }

  // Nothing is left of a block without nodes, not even the last digits of sums.
  void clear(int side, std::int32_t block) {
    for (auto* matrix : {&weights_, &exposures_}) {
      if (has_row(side))
        for (std::int32_t l = 0; l < columns(); ++l) (*matrix)[cell(block, l)] = 0.0;
      if (has_column(side))
        for (std::int32_t l = 0; l < rows(); ++l) (*matrix)[cell(l, block)] = 0.0;
    }
    if (has_row(side)) out_sum_[block] = 0.0;
    if (has_column(side)) in_sum_[block] = 0.0;
  }

  void keep(int side, std::int32_t block) { exchange<true>(side, block); }

  // Keep a block's row, column and sums as they are, or put them back.
  template <bool out>
  void exchange(int side, std::int32_t block) {
    double* at = kept_.data();
    const auto pass = [&](double& here) {
      if constexpr (out) *at++ = here; else here = *at++;
    };
    for (auto* matrix : {&weights_, &exposures_, &terms_}) {
      if (has_row(side))
        for (std::int32_t l = 0; l < columns(); ++l) pass((*matrix)[cell(block, l)]);
      if (has_column(side))
        for (std::int32_t l = 0; l < rows(); ++l) pass((*matrix)[cell(l, block)]);
    }
    if (has_row(side)) pass(out_sum_[block]);
    if (has_column(side)) pass(in_sum_[block]);
  }

  double own(double weight, double exposure) const {
    if constexpr (weighs_own<Policy>::value) {
      if (shared_) return policy.own(weight, exposure);
    }
    return policy.pair(weight, exposure);
  }

  // Change of the terms where these cells become one.
  template <bool corner = false>
  double united(std::initializer_list<std::size_t> cells) const {
    double weight = 0.0, exposure = 0.0, before = 0.0;
    for (std::size_t at : cells) {
      weight += weights_[at];
      if constexpr (Policy::uses_exposures) exposure += exposures_[at];
      before += terms_[at];
    }
    return (corner ? own(weight, exposure) : policy.pair(weight, exposure)) - before;
  }
};

}  // namespace blocks
