// Policies of `BlockState` for the Bayesian models: the log density of graph and partitions, with rates and shares
// integrated out, as `likelihood.log_marginal` has it, but for what no partition changes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "_special.hpp"
#include "_state.hpp"

namespace blocks {

// Arguments of the priors.
struct Arguments {
  double alpha = 1.0, a = 1.0, b = 1.0;
};

// Log density of a partition: Dirichlet-multinomial.
inline double shares_density(double alpha, const Partition& part) {
  const double all = part.size * alpha, none = log_gamma(alpha);
  double n = 0.0, total = log_gamma(all);
  for (std::int32_t k = 0; k < part.size; ++k) {
    n += part.count[k];
    total += log_gamma(alpha + part.count[k]) - none;
  }
  return total - log_gamma(n + all);
}

class SharesPolicy {
 public:
  static constexpr bool uses_exposures = true;
  Arguments arguments;

  double joining(int, std::int32_t, std::int32_t block, const Partition& part) const {
    return std::log(arguments.alpha + part.count[block]);
  }
  double merging(int, std::int32_t from, std::int32_t to, const Partition& part) const {
    const double alpha = arguments.alpha;
    return log_gamma(alpha + part.count[from] + part.count[to]) + log_gamma(alpha) -
           log_gamma(alpha + part.count[from]) - log_gamma(alpha + part.count[to]);
  }
  double whole(int, const Partition& part) const { return shares_density(arguments.alpha, part); }
  void reset() {}
  void joined(int, std::int32_t, std::int32_t) {}
  void left(int, std::int32_t, std::int32_t) {}
  void merged(int, std::int32_t, std::int32_t) {}

 protected:
  explicit SharesPolicy(Arguments given) : arguments(given) {}
};

// Beta-binomial totals, whole numbers.
class BernoulliPolicy : public SharesPolicy {
 public:
  static constexpr bool fractional = false;
  // With tables for weights and exposures below these numbers; states of equal arguments share them.
  BernoulliPolicy(Arguments given, std::size_t weights, std::size_t exposures) : SharesPolicy(given) {
    auto tables = std::make_shared<Tables>();
    tables->edges = LogGammaTable(given.a, weights);
    tables->gaps = LogGammaTable(given.b, exposures);
    tables->pairs = LogGammaTable(given.a + given.b, exposures);
    tables->none = log_gamma(given.a + given.b) - log_gamma(given.a) - log_gamma(given.b);
    tables_ = std::move(tables);
  }
  double pair(double weight, double exposure) const {
    const Tables& t = *tables_;
    return t.edges(weight) + t.gaps(exposure - weight) - t.pairs(exposure) + t.none;
  }
  struct Quick {
    LogGammaTable::Quick edges, gaps, pairs;
    double none;
    double computed(double, double) const { return none; }
    double looked_up(double weight, double exposure, std::int64_t& beyond) const {
      return edges(weight, beyond) + gaps(exposure - weight, beyond) - pairs(exposure, beyond);
    }
  };
  Quick quick() const { return {tables_->edges.quick(), tables_->gaps.quick(), tables_->pairs.quick(), tables_->none}; }

 private:
  struct Tables {
    LogGammaTable edges, gaps, pairs;
    double none;
  };
  std::shared_ptr<const Tables> tables_;
};

// Gamma-Poisson totals; weights whole numbers, exposures any.
class PoissonPolicy : public SharesPolicy {
 public:
  static constexpr bool fractional = true;
  PoissonPolicy(Arguments given, std::size_t weights, std::size_t) : SharesPolicy(given) {
    table_ = std::make_shared<LogGammaTable>(given.a, weights);
    none_ = given.a * std::log(given.b) - log_gamma(given.a);
  }
  double pair(double weight, double exposure) const {
    return none_ + (*table_)(weight) - (arguments.a + weight) * std::log(arguments.b + exposure);
  }
  struct Quick {
    LogGammaTable::Quick table;
    double none, a, b;
    double computed(double weight, double exposure) const { return none - (a + weight) * quick_log(b + exposure); }
    double looked_up(double weight, double, std::int64_t& beyond) const { return table(weight, beyond); }
  };
  Quick quick() const { return {table_->quick(), none_, arguments.a, arguments.b}; }

 private:
  std::shared_ptr<const LogGammaTable> table_;
  double none_;
};

}  // namespace blocks
