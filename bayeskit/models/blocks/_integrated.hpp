// Policy of `BlockState` for integrated likelihoods where the number of blocks is free: labels without nodes are no
// blocks, as `criteria.integrated_likelihood` has it, but for what no partition changes.
#pragma once

#include <cstdint>
#include <utility>

#include "_bayes.hpp"
#include "_special.hpp"
#include "_state.hpp"

namespace blocks {

template <class Fixed>
class IntegratedPolicy : public Fixed {
 public:
  template <class... Given>
  explicit IntegratedPolicy(double n_nodes, Given&&... given) : Fixed(std::forward<Given>(given)...), n_nodes_(n_nodes) {}

  double joining(int side, std::int32_t node, std::int32_t block, const Partition& part) const {
    const double change = Fixed::joining(side, node, block, part);
    return part.count[block] > 0.0 ? change : change + number(part.occupied + 1) - number(part.occupied);
  }
  double merging(int side, std::int32_t from, std::int32_t to, const Partition& part) const {
    const double change = Fixed::merging(side, from, to, part);
    if (part.count[from] == 0.0 || part.count[to] == 0.0) return change;
    return change + number(part.occupied - 1) - number(part.occupied);
  }
  double whole(int, const Partition& part) const {
    const double alpha = this->arguments.alpha;
    double total = number(part.occupied);
    for (std::int32_t k = 0; k < part.size; ++k) total += log_gamma(alpha + part.count[k]) - log_gamma(alpha);
    return total;
  }

 private:
  double n_nodes_;

  double number(std::int32_t n_blocks) const {
    const double all = n_blocks * this->arguments.alpha;
    return n_blocks == 0 ? 0.0 : log_gamma(all) - log_gamma(n_nodes_ + all);
  }
};

}  // namespace blocks
