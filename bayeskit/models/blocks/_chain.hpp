// One chain of a collapsed Gibbs sampler: McDaid, Murphy, Friel and Hurley (2013), doi:10.1016/j.csda.2012.10.021; with
// two partitions Wyse and Friel (2012), doi:10.1007/s11222-010-9233-4.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "_bayes.hpp"
#include "_moves.hpp"
#include "_random.hpp"
#include "_state.hpp"

namespace blocks {

// A prior on a positive number, by its place in `Family`; 0 where the number is fixed.
struct Hyperprior {
  enum Family : std::int32_t { fixed, gamma, lognormal, exponential, inv_gamma };
  std::int32_t family = fixed;
  double first = 1.0, second = 1.0;

  // Of the number's logarithm, up to a constant.
  double log_density(double log_x) const {
    switch (family) {
      case gamma: return first * log_x - second * std::exp(log_x);
      case lognormal: return -0.5 * std::pow((log_x - first) / second, 2);
      case exponential: return log_x - first * std::exp(log_x);
      case inv_gamma: return -first * log_x - second * std::exp(-log_x);
      default: return 0.0;
    }
  }
};

// What a sweep does: visits to every node; moves of each side and of both, of kinds by these weights, as many scans as
// `scans` on average to prepare each; and draws of the arguments.
struct Plan {
  std::int32_t visits, moves, reallocations, splits, exchanges, scans, arguments;
};

template <class Policy>
class Chain {
 public:
  Chain(const Graph& graph, bool shared, std::int32_t rows, std::int32_t columns, const Policy& policy,
        const Hyperprior* priors, std::size_t weights, std::size_t exposures, std::uint64_t seed)
      : state(graph, shared, rows, columns, policy),
        random_(seed),
        priors_(priors),
        weights_(weights),
        exposures_(exposures) {
    change_.resize(static_cast<std::size_t>(std::max(rows, columns)));
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  BlockState<Policy> state;
  double tried[3] = {}, taken[3] = {};  // moves by kind

  // Put a share of the nodes into any blocks, then sweep from the posterior to a power that grows to 1 from the given one.
  void anneal(double share, std::int32_t n_sweeps, double power) {
    for (int side = 0; side < state.sides(); ++side)
      for (std::int32_t i = 0; i < state.graph().n; ++i)
        if (random_.uniform() < share) state.move(side, i, random_.below(state.partition(side).size));
    for (std::int32_t t = 0; t < n_sweeps; ++t) visit(std::pow(power, 1.0 - (t + 1.0) / n_sweeps));
  }

  void set(const Arguments& now) {
    if (now.a != state.policy.arguments.a || now.b != state.policy.arguments.b) {
      state.policy = Policy(now, weights_, exposures_);
      state.retake();
    }
    state.policy.arguments = now;
  }

  void sweep(const Plan& plan) {
    for (int t = 0; t < plan.visits; ++t) visit(1.0);
    Moves<Policy> moves(state, random_);
    for (int first = 0; first < state.sides(); ++first)
      for (int last = first; last < state.sides(); ++last)
        for (int t = 0; t < plan.moves; ++t) make(moves, first, last, plan);
    if constexpr (Policy::fractional) state.recount_exposures();
    for (int t = 0; t < plan.arguments; ++t) draw_arguments();
  }

 private:
  Random random_;
  const Hyperprior* priors_;  // of alpha, a and b
  std::size_t weights_, exposures_;
  std::vector<double> change_;

  // Draw every node's block given all others, in the order of the nodes.
  void visit(double power) {
    for (int side = 0; side < state.sides(); ++side) {
      for (std::int32_t i = 0; i < state.graph().n; ++i) {
        const std::int32_t old = state.label(side, i);
        state.take_out(side, i);
        const std::int32_t block = draw(side, power);
        if (block == old) state.put_back(block); else state.put(block);
      }
    }
  }

  // Of one side or of both. What kind of move, and how many scans, does not depend on the state: easy parts need few
  // scans, hard ones many.
  void make(Moves<Policy>& moves, int first, int last, const Plan& plan) {
    const std::int32_t kind = random_.below(plan.reallocations + plan.splits + plan.exchanges);
    const std::int32_t scans = random_.below(2 * plan.scans + 1);
    if (kind < plan.reallocations) note(0, moves.reallocate(first, last, scans));
    else if (kind < plan.reallocations + plan.splits) note(1, moves.split_or_merge(first, last, scans));
    else note(2, moves.exchange(first, last, scans));
  }

  void note(int kind, bool taken_now) {
    tried[kind] += 1.0;
    taken[kind] += taken_now;
  }

  std::int32_t draw(int side, double power) {
    const std::int32_t size = state.partition(side).size;
    state.scores(change_.data());
    const double highest = *std::max_element(change_.begin(), change_.begin() + size);
    double total = 0.0;
    for (std::int32_t k = 0; k < size; ++k) total += change_[k] = std::exp(power * (change_[k] - highest));
    double left = random_.uniform() * total;
    std::int32_t block = 0;
    while (block < size - 1 && (left -= change_[block]) > 0.0) ++block;
    return block;
  }

  void draw_arguments() {
    Arguments now = state.policy.arguments;
    double* const argument[3] = {&now.alpha, &now.a, &now.b};
    for (int which = 0; which < 3; ++which) {
      if (priors_[which].family == Hyperprior::fixed) continue;
      const auto log_density = [&](double log_x) {
        *argument[which] = std::exp(log_x);
        return priors_[which].log_density(log_x) + (which == 0 ? of_shares(now) : of_rates(now));
      };
      *argument[which] = std::exp(slice(std::log(*argument[which]), log_density));
    }
    set(now);
  }

  double of_shares(const Arguments& arguments) const {
    double total = 0.0;
    for (int side = 0; side < state.sides(); ++side) total += shares_density(arguments.alpha, state.partition(side));
    return total;
  }

  double of_rates(const Arguments& arguments) const {
    const Policy policy(arguments, 1, 1);
    const std::int32_t columns = state.partition(state.sides() - 1).size;
    double total = 0.0;
    for (std::int32_t k = 0; k < state.partition(0).size; ++k)
      for (std::int32_t l = state.graph().directed ? 0 : k; l < columns; ++l)
        total += policy.pair(state.weight(k, l), state.exposure(k, l));
    return total;
  }

  // A slice sampler's step, stepping out and shrinking: Neal (2003), doi:10.1214/aos/1056562461. No limit on steps out,
  // but on the range: numbers must stay numbers.
  template <class Density>
  double slice(double x, Density log_density) {
    constexpr double width = 1.0, furthest = 300.0;
    const double level = log_density(x) + std::log(random_.uniform());
    double low = x - width * random_.uniform(), high = low + width;
    while (low > -furthest && log_density(low) > level) low -= width;
    while (high < furthest && log_density(high) > level) high += width;
    for (;;) {
      const double found = low + (high - low) * random_.uniform();
      if (std::fabs(found) < furthest && log_density(found) >= level) return found;
      (found < x ? low : high) = found;
      if (high - low < 1e-14 * (1.0 + std::fabs(x))) return x;
    }
  }
};

}  // namespace blocks
