// Collapsed Gibbs samplers of block models, several chains at once, as C functions for ctypes.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "_bayes.hpp"
#include "_chain.hpp"
#include "_graph.hpp"
#include "_state.hpp"

namespace {

using namespace blocks;

struct Numbers {
  double objective, alpha, a, b, tried[3], taken[3];
};

struct Sampler {
  virtual ~Sampler() = default;
  virtual void add(std::uint64_t seed) = 0;
  virtual void assign(std::int32_t chain, const std::int32_t* first, const std::int32_t* second) = 0;
  virtual void set(std::int32_t chain, double alpha, double a, double b) = 0;
  virtual void anneal(std::int32_t chain, double share, std::int32_t n_sweeps, double power) = 0;
  virtual void sweep(std::int32_t chain, const Plan& plan) = 0;
  virtual void labels(std::int32_t chain, std::int32_t* first, std::int32_t* second) const = 0;
  virtual void totals(std::int32_t chain, double* weights, double* exposures) const = 0;
  virtual Numbers numbers(std::int32_t chain) = 0;
  virtual void scores(std::int32_t chain, std::int32_t side, std::int32_t node, double* change) = 0;
  virtual void move(std::int32_t chain, std::int32_t side, std::int32_t node, std::int32_t block) = 0;
  virtual double merge(std::int32_t chain, std::int32_t side, std::int32_t from, std::int32_t to) = 0;
};

template <class Policy>
class SamplerOf final : public Sampler {
 public:
  SamplerOf(const Graph& graph, bool shared, std::int32_t rows, std::int32_t columns, const Arguments& arguments,
            const Hyperprior* priors, std::size_t weights, std::size_t exposures)
      : graph_(graph), shared_(shared), rows_(rows), columns_(columns), priors_(priors, priors + 3),
        weights_(weights), exposures_(exposures), policy_(arguments, weights, exposures) {}

  void add(std::uint64_t seed) override {
    chains_.push_back(std::make_unique<Chain<Policy>>(graph_, shared_, rows_, columns_, policy_, priors_.data(),
                                                      weights_, exposures_, seed));
  }
  void assign(std::int32_t chain, const std::int32_t* first, const std::int32_t* second) override {
    chains_[chain]->state.assign(first, second);
  }
  void set(std::int32_t chain, double alpha, double a, double b) override { chains_[chain]->set({alpha, a, b}); }
  void anneal(std::int32_t chain, double share, std::int32_t n_sweeps, double power) override {
    chains_[chain]->anneal(share, n_sweeps, power);
  }
  void sweep(std::int32_t chain, const Plan& plan) override { chains_[chain]->sweep(plan); }
  void labels(std::int32_t chain, std::int32_t* first, std::int32_t* second) const override {
    const auto& state = chains_[chain]->state;
    std::int32_t* into[2] = {first, second};
    for (int side = 0; side < state.sides(); ++side) {
      const auto& label = state.partition(side).label;
      std::copy(label.begin(), label.end(), into[side]);
    }
  }
  void totals(std::int32_t chain, double* weights, double* exposures) const override {
    const auto& state = chains_[chain]->state;
    for (std::int32_t k = 0; k < rows_; ++k) {
      for (std::int32_t l = 0; l < columns_; ++l) {
        *weights++ = state.weight(k, l);
        *exposures++ = state.exposure(k, l);
      }
    }
  }
  Numbers numbers(std::int32_t chain) override {
    auto& c = *chains_[chain];
    const Arguments& now = c.state.policy.arguments;
    Numbers found{c.state.objective(), now.alpha, now.a, now.b, {}, {}};
    std::copy_n(c.tried, 3, found.tried);
    std::copy_n(c.taken, 3, found.taken);
    std::fill_n(c.tried, 3, 0.0);
    std::fill_n(c.taken, 3, 0.0);
    return found;
  }
  void scores(std::int32_t chain, std::int32_t side, std::int32_t node, double* change) override {
    auto& state = chains_[chain]->state;
    const std::int32_t block = state.label(side, node);
    state.take_out(side, node);
    state.scores(change);
    state.put_back(block);
  }
  void move(std::int32_t chain, std::int32_t side, std::int32_t node, std::int32_t block) override {
    chains_[chain]->state.move(side, node, block);
  }
  double merge(std::int32_t chain, std::int32_t side, std::int32_t from, std::int32_t to) override {
    auto& state = chains_[chain]->state;
    const double change = state.merge_change(side, from, to);
    state.merge(side, from, to);
    return change;
  }

 private:
  const Graph& graph_;
  bool shared_;
  std::int32_t rows_, columns_;
  std::vector<Hyperprior> priors_;
  std::size_t weights_, exposures_;
  Policy policy_;
  std::vector<std::unique_ptr<Chain<Policy>>> chains_;
};

Sampler& of(void* sampler) { return *static_cast<Sampler*>(sampler); }

// Call for every chain, each by one thread.
template <class Call>
void each(std::int32_t n_chains, std::int32_t n_threads, Call call) {
  std::atomic<std::int32_t> next{0};
  const auto work = [&] {
    for (std::int32_t chain = next++; chain < n_chains; chain = next++) call(chain);
  };
  std::vector<std::thread> threads;
  for (std::int32_t t = 1; t < std::min(n_threads, n_chains); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

extern "C" {

void* graph_new(std::int32_t n, const std::int64_t* start, const std::int32_t* node, const double* value,
                const std::int64_t* hidden_start, const std::int32_t* hidden_node, const double* out_exposure,
                const double* in_exposure, std::int32_t directed, std::int32_t self_pairs) {
  return new Graph(n, start, node, value, hidden_start, hidden_node, out_exposure, in_exposure, directed != 0,
                   self_pairs != 0);
}
void graph_free(void* graph) { delete static_cast<Graph*>(graph); }

// With (alpha, a, b); of each the family of its prior and this family's arguments; and sizes of tables.
void* sampler_new(const void* graph, std::int32_t poisson, std::int32_t shared, std::int32_t rows, std::int32_t columns,
                  const double* arguments, const std::int32_t* families, const double* of_families,
                  std::int64_t weights, std::int64_t exposures) {
  const Graph& g = *static_cast<const Graph*>(graph);
  const Arguments given{arguments[0], arguments[1], arguments[2]};
  Hyperprior priors[3];
  for (int which = 0; which < 3; ++which)
    priors[which] = {families[which], of_families[2 * which], of_families[2 * which + 1]};
  const auto w = static_cast<std::size_t>(weights), x = static_cast<std::size_t>(exposures);
  if (poisson)
    return static_cast<Sampler*>(new SamplerOf<PoissonPolicy>(g, shared != 0, rows, columns, given, priors, w, x));
  return static_cast<Sampler*>(new SamplerOf<BernoulliPolicy>(g, shared != 0, rows, columns, given, priors, w, x));
}
void sampler_free(void* sampler) { delete &of(sampler); }

void sampler_add(void* sampler, std::uint64_t seed) { of(sampler).add(seed); }
void sampler_assign(void* sampler, std::int32_t chain, const std::int32_t* first, const std::int32_t* second) {
  of(sampler).assign(chain, first, second);
}
void sampler_set(void* sampler, std::int32_t chain, double alpha, double a, double b) {
  of(sampler).set(chain, alpha, a, b);
}
// Lead chains from where they are to their starts, each with a share of its nodes scattered, a number of sweeps, and the
// power that these begin with.
void sampler_anneal(void* sampler, std::int32_t n_chains, std::int32_t n_threads, const double* share,
                    const std::int32_t* n_sweeps, const double* power) {
  each(n_chains, n_threads, [&](std::int32_t chain) {
    of(sampler).anneal(chain, share[chain], n_sweeps[chain], power[chain]);
  });
}
void sampler_sweep(void* sampler, std::int32_t n_chains, std::int32_t n_threads, const std::int32_t* plan) {
  const Plan planned{plan[0], plan[1], plan[2], plan[3], plan[4], plan[5], plan[6]};
  each(n_chains, n_threads, [&](std::int32_t chain) { of(sampler).sweep(chain, planned); });
}
void sampler_labels(void* sampler, std::int32_t chain, std::int32_t* first, std::int32_t* second) {
  of(sampler).labels(chain, first, second);
}
void sampler_totals(void* sampler, std::int32_t chain, double* weights, double* exposures) {
  of(sampler).totals(chain, weights, exposures);
}
// The objective, the arguments, and moves by kind, tried and taken since the last call: 10 numbers.
void sampler_numbers(void* sampler, std::int32_t chain, double* into) {
  *reinterpret_cast<Numbers*>(into) = of(sampler).numbers(chain);
}
void sampler_scores(void* sampler, std::int32_t chain, std::int32_t side, std::int32_t node, double* change) {
  of(sampler).scores(chain, side, node, change);
}
void sampler_move(void* sampler, std::int32_t chain, std::int32_t side, std::int32_t node, std::int32_t block) {
  of(sampler).move(chain, side, node, block);
}
double sampler_merge(void* sampler, std::int32_t chain, std::int32_t side, std::int32_t from, std::int32_t to) {
  return of(sampler).merge(chain, side, from, to);
}

}  // extern "C"
