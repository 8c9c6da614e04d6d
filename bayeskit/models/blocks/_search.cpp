// Searches for the best partition and its number of blocks, as C functions for ctypes.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "_bayes.hpp"
#include "_exploring.hpp"
#include "_graph.hpp"
#include "_integrated.hpp"
#include "_length.hpp"
#include "_searching.hpp"
#include "_state.hpp"

namespace {

using namespace blocks;

struct Session {
  virtual ~Session() = default;
  virtual void descend(const std::int32_t* first, const std::int32_t* second, bool divided) = 0;
  virtual double value(const std::int32_t* first, const std::int32_t* second) = 0;
  virtual void polish() = 0;
  virtual void shake(std::int32_t rounds) = 0;
  virtual void widen(std::int32_t below, std::int32_t above) = 0;
  virtual double drift() const = 0;
  virtual std::int32_t n_found() const = 0;
  virtual void found(std::int32_t* sizes, double* values) const = 0;
  virtual void labels(std::int32_t rows, std::int32_t columns, std::int32_t* first, std::int32_t* second) const = 0;
};

template <class Policy>
class SessionOf final : public Session {
 public:
  SessionOf(const Graph& graph, bool shared, const std::int32_t* capacities, Policy policy, Limits limits, std::uint64_t seed)
      : search_(graph, shared, capacities, std::move(policy), limits, seed), explorer_(search_) {}

  void descend(const std::int32_t* first, const std::int32_t* second, bool divided) override {
    explorer_.descend(first, second, divided);
  }
  double value(const std::int32_t* first, const std::int32_t* second) override {
    search_.assign(first, second);
    return search_.value();
  }
  void polish() override { explorer_.polish(); }
  void shake(std::int32_t rounds) override { explorer_.shake(rounds); }
  void widen(std::int32_t below, std::int32_t above) override { explorer_.widen(below, above); }
  double drift() const override { return search_.drift(); }
  std::int32_t n_found() const override { return static_cast<std::int32_t>(explorer_.path().size()); }
  void found(std::int32_t* sizes, double* values) const override {
    for (const auto& [size, found] : explorer_.path()) {
      *sizes++ = size.first;
      *sizes++ = size.second;
      *values++ = found.value;
    }
  }
  void labels(std::int32_t rows, std::int32_t columns, std::int32_t* first, std::int32_t* second) const override {
    const Found& found = explorer_.path().at({rows, columns});
    std::int32_t* into[2] = {first, second};
    for (int side = 0; side < search_.sides(); ++side)
      std::copy(found.labels[side].begin(), found.labels[side].end(), into[side]);
  }

 private:
  Search<Policy> search_;
  Explorer<Policy> explorer_;
};

template <class Policy>
Session* session(const Graph& graph, bool shared, const std::int32_t* numbers, Policy policy, std::uint64_t seed) {
  const Limits limits{{numbers[2], numbers[3]}, {numbers[4], numbers[5]}};
  return new SessionOf<Policy>(graph, shared, numbers, std::move(policy), limits, seed);
}

Session& of(void* session) { return *static_cast<Session*>(session); }

}  // namespace

extern "C" {

void* graph_new(std::int32_t n, const std::int64_t* start, const std::int32_t* node, const double* value,
                const std::int64_t* hidden_start, const std::int32_t* hidden_node, const double* out_exposure,
                const double* in_exposure, std::int32_t directed, std::int32_t self_pairs) {
  return new Graph(n, start, node, value, hidden_start, hidden_node, out_exposure, in_exposure, directed != 0,
                   self_pairs != 0);
}
void graph_free(void* graph) { delete static_cast<Graph*>(graph); }

// `numbers` of blocks: labels, fewest and most, of sources and of targets each.
void* length_new(const void* graph, std::int32_t corrected, std::int32_t shared, const std::int32_t* numbers,
                 std::uint64_t seed) {
  const Graph& g = *static_cast<const Graph*>(graph);
  auto ends = std::make_shared<const Ends>(g, corrected != 0);
  return session(g, shared != 0, numbers, LengthPolicy(std::move(ends), corrected != 0, shared != 0, numbers), seed);
}
// With (alpha, a, b), and sizes of tables by weight and by exposure.
void* integrated_new(const void* graph, std::int32_t poisson, std::int32_t shared, const std::int32_t* numbers,
                     const double* arguments, std::int64_t weights, std::int64_t exposures, std::uint64_t seed) {
  const Graph& g = *static_cast<const Graph*>(graph);
  const Arguments given{arguments[0], arguments[1], arguments[2]};
  const auto w = static_cast<std::size_t>(weights), x = static_cast<std::size_t>(exposures);
  const double n = g.n;
  if (poisson) return session(g, shared != 0, numbers, IntegratedPolicy<PoissonPolicy>(n, given, w, x), seed);
  return session(g, shared != 0, numbers, IntegratedPolicy<BernoulliPolicy>(n, given, w, x), seed);
}
void session_free(void* session) { delete &of(session); }

void session_descend(void* session, const std::int32_t* first, const std::int32_t* second, std::int32_t divided) {
  of(session).descend(first, second, divided != 0);
}
double session_value(void* session, const std::int32_t* first, const std::int32_t* second) {
  return of(session).value(first, second);
}
void session_polish(void* session) { of(session).polish(); }
void session_shake(void* session, std::int32_t rounds) { of(session).shake(rounds); }
void session_widen(void* session, std::int32_t below, std::int32_t above) { of(session).widen(below, above); }
double session_drift(void* session) { return of(session).drift(); }
std::int32_t session_n_found(void* session) { return of(session).n_found(); }
// Sizes as pairs, and values.
void session_found(void* session, std::int32_t* sizes, double* values) { of(session).found(sizes, values); }
void session_labels(void* session, std::int32_t rows, std::int32_t columns, std::int32_t* first, std::int32_t* second) {
  of(session).labels(rows, columns, first, second);
}

}  // extern "C"
