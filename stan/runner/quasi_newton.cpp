#include "quasi_newton.hpp"

namespace runner {

std::vector<Argument> bfgs_arguments() {
  return {real("init_alpha", "Step size of the first line search", 0.001, above(0)),
          real("tol_obj", "Tolerance on absolute changes of the objective", 1e-12, at_least(0)),
          real("tol_rel_obj", "Tolerance on relative changes of the objective, in units of machine precision", 1e4,
               at_least(0)),
          real("tol_grad", "Tolerance on the norm of the gradient", 1e-8, at_least(0)),
          real("tol_rel_grad", "Tolerance on the relative norm of the gradient, in units of machine precision", 1e7,
               at_least(0)),
          real("tol_param", "Tolerance on changes of the parameters", 1e-8, at_least(0))};
}

std::vector<Argument> lbfgs_arguments() {
  std::vector<Argument> arguments = bfgs_arguments();
  arguments.push_back(integer("history_size", "Updates kept for the approximate Hessian", 5, at_least(1)));
  return arguments;
}

QuasiNewton read_quasi_newton(const Argument& group) {
  return {get<double>(group, "init_alpha"),
          get<double>(group, "tol_obj"),
          get<double>(group, "tol_rel_obj"),
          get<double>(group, "tol_grad"),
          get<double>(group, "tol_rel_grad"),
          get<double>(group, "tol_param"),
          group.child("history_size") == nullptr ? 0 : get_int(group, "history_size")};
}

}  // namespace runner
