#include "method_optimize.hpp"

#include <stan/services/optimize/bfgs.hpp>
#include <stan/services/optimize/lbfgs.hpp>
#include <stan/services/optimize/newton.hpp>

#include "error.hpp"
#include "quasi_newton.hpp"

namespace runner {
namespace {

namespace optimize = stan::services::optimize;
using Model = stan::model::model_base;

template <bool jacobian>
int run_with(Run& run, const Argument& arguments) {
  const Inits inits = run.inits(1);
  const stan::io::var_context& init = *inits.contexts.front();
  const int iter = get_int(arguments, "iter");
  const bool save_iterations = get<bool>(arguments, "save_iterations");
  const Argument& algorithm = node(arguments, "algorithm").chosen();
  if (algorithm.name == "newton" && run.model.num_params_r() == 0) {
    throw UserError("the model has no parameters, so Newton's method has nothing to solve");
  }
  run.open_csv_files(1);
  run.begin();
  stan::callbacks::writer init_writer;
  CsvWriter& output = run.outputs.results.front();
  if (algorithm.name == "newton") {
    return optimize::newton<Model, jacobian>(run.model, init, run.seed, run.id, inits.radius, iter, save_iterations,
                                             run.interrupt, run.logger, init_writer, output);
  }
  const QuasiNewton s = read_quasi_newton(algorithm);
  if (algorithm.name == "bfgs") {
    return optimize::bfgs<Model, jacobian>(run.model, init, run.seed, run.id, inits.radius, s.init_alpha, s.tol_obj,
                                           s.tol_rel_obj, s.tol_grad, s.tol_rel_grad, s.tol_param, iter,
                                           save_iterations, run.refresh(), run.interrupt, run.logger, init_writer,
                                           output);
  }
  return optimize::lbfgs<Model, jacobian>(run.model, init, run.seed, run.id, inits.radius, s.history_size,
                                          s.init_alpha, s.tol_obj, s.tol_rel_obj, s.tol_grad, s.tol_rel_grad,
                                          s.tol_param, iter, save_iterations, run.refresh(), run.interrupt,
                                          run.logger, init_writer, output);
}

}  // namespace

Argument optimize_arguments() {
  return group("optimize", "Finds a mode of the density: the posterior's, or without Jacobian the likelihood's",
               {choice("algorithm", "Optimization algorithm", "lbfgs",
                       {group("bfgs", "BFGS with line search", bfgs_arguments()),
                        group("lbfgs", "L-BFGS with line search", lbfgs_arguments()),
                        group("newton", "Newton's method")}),
                flag("jacobian", "Whether to adjust for the change of variables of constrained parameters", false),
                integer("iter", "Most iterations", 2000, at_least(1)),
                flag("save_iterations", "Whether to write all iterations rather than the last", false)});
}

Plan plan_optimize(const Argument& arguments) { return plan_chains(arguments, 1); }

int run_optimize(Run& run) {
  const Argument& arguments = node(run.arguments, "method.optimize");
  return get<bool>(arguments, "jacobian") ? run_with<true>(run, arguments) : run_with<false>(run, arguments);
}

}  // namespace runner
