#ifndef RUNNER_QUASI_NEWTON_HPP
#define RUNNER_QUASI_NEWTON_HPP

#include <vector>

#include "argument.hpp"

namespace runner {

/** What BFGS, L-BFGS and Pathfinder, which follows an L-BFGS trajectory, share. */
struct QuasiNewton {
  double init_alpha, tol_obj, tol_rel_obj, tol_grad, tol_rel_grad, tol_param;
  int history_size;  ///< of L-BFGS alone; 0 for BFGS
};

std::vector<Argument> bfgs_arguments();
std::vector<Argument> lbfgs_arguments();

/** Reads either kind from the group that has them. */
QuasiNewton read_quasi_newton(const Argument& group);

}  // namespace runner

#endif
