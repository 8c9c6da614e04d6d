// Chains of collapsed Gibbs samplers of block models, as C functions for ctypes.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "_bayes.hpp"
#include "_graph.hpp"
#include "_state.hpp"

namespace {

using namespace blocks;

constexpr std::size_t kTable = 1u << 20;

struct Chain {
  virtual ~Chain() = default;
  virtual void assign(const std::int32_t* first, const std::int32_t* second) = 0;
  virtual void labels(std::int32_t* first, std::int32_t* second) const = 0;
  virtual void totals(double* weights, double* exposures) const = 0;
  virtual double objective() const = 0;
  virtual void scores(int side, std::int32_t node, double* change) = 0;
  virtual void move(int side, std::int32_t node, std::int32_t block) = 0;
  virtual double merge(int side, std::int32_t from, std::int32_t to) = 0;
};

template <class Policy>
class ChainOf final : public Chain {
 public:
  ChainOf(const Graph& graph, bool shared, std::int32_t rows, std::int32_t columns, Arguments given)
      : state_(graph, shared, rows, columns, Policy(given, kTable, kTable)) {}

  void assign(const std::int32_t* first, const std::int32_t* second) override { state_.assign(first, second); }
  void labels(std::int32_t* first, std::int32_t* second) const override {
    std::int32_t* into[2] = {first, second};
    for (int side = 0; side < state_.sides(); ++side) {
      const auto& label = state_.partition(side).label;
      std::copy(label.begin(), label.end(), into[side]);
    }
  }
  void totals(double* weights, double* exposures) const override {
    const std::int32_t columns = state_.partition(state_.sides() - 1).size;
    for (std::int32_t k = 0; k < state_.partition(0).size; ++k) {
      for (std::int32_t l = 0; l < columns; ++l) {
        *weights++ = state_.weight(k, l);
        *exposures++ = state_.exposure(k, l);
      }
    }
  }
  double objective() const override { return state_.objective(); }
  void scores(int side, std::int32_t node, double* change) override {
    const std::int32_t block = state_.label(side, node);
    state_.take_out(side, node);
    state_.scores(change);
    state_.put_back(block);
  }
  void move(int side, std::int32_t node, std::int32_t block) override { state_.move(side, node, block); }
  double merge(int side, std::int32_t from, std::int32_t to) override {
    const double change = state_.merge_change(side, from, to);
    state_.merge(side, from, to);
    return change;
  }

 private:
  BlockState<Policy> state_;
};

Chain* chain_of(void* chain) { return static_cast<Chain*>(chain); }

}  // namespace

extern "C" {

void* graph_new(std::int32_t n, const std::int64_t* start, const std::int32_t* node, const double* value,
                const std::int64_t* hidden_start, const std::int32_t* hidden_node, const double* out_exposure,
                const double* in_exposure, std::int32_t directed, std::int32_t self_pairs) {
  return new Graph(n, start, node, value, hidden_start, hidden_node, out_exposure, in_exposure, directed != 0,
                   self_pairs != 0);
}

void graph_free(void* graph) { delete static_cast<Graph*>(graph); }

void* chain_new(const void* graph, std::int32_t poisson, std::int32_t shared, std::int32_t rows, std::int32_t columns,
                double alpha, double a, double b) {
  const Graph& g = *static_cast<const Graph*>(graph);
  const Arguments given{alpha, a, b};
  if (poisson) return static_cast<Chain*>(new ChainOf<PoissonPolicy>(g, shared != 0, rows, columns, given));
  return static_cast<Chain*>(new ChainOf<BernoulliPolicy>(g, shared != 0, rows, columns, given));
}

void chain_free(void* chain) { delete chain_of(chain); }
void chain_assign(void* chain, const std::int32_t* first, const std::int32_t* second) {
  chain_of(chain)->assign(first, second);
}
void chain_labels(void* chain, std::int32_t* first, std::int32_t* second) { chain_of(chain)->labels(first, second); }
void chain_totals(void* chain, double* weights, double* exposures) { chain_of(chain)->totals(weights, exposures); }
double chain_objective(void* chain) { return chain_of(chain)->objective(); }
void chain_scores(void* chain, std::int32_t side, std::int32_t node, double* change) {
  chain_of(chain)->scores(side, node, change);
}
void chain_move(void* chain, std::int32_t side, std::int32_t node, std::int32_t block) {
  chain_of(chain)->move(side, node, block);
}
double chain_merge(void* chain, std::int32_t side, std::int32_t from, std::int32_t to) {
  return chain_of(chain)->merge(side, from, to);
}

}  // extern "C"
