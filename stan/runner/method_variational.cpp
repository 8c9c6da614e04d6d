#include "method_variational.hpp"

#include <stan/services/experimental/advi/fullrank.hpp>
#include <stan/services/experimental/advi/meanfield.hpp>

#include "error.hpp"

namespace runner {

namespace advi = stan::services::experimental::advi;

Argument variational_arguments() {
  return group("variational", "Fits a Gaussian on the unconstrained scale (ADVI) and draws from it",
               {choice("algorithm", "Family of the approximation", "meanfield",
                       {group("meanfield", "Independent Gaussians"), group("fullrank", "One correlated Gaussian")}),
                integer("iter", "Most iterations", 10000, at_least(1)),
                integer("grad_samples", "Draws for an estimate of the gradient", 1, at_least(1)),
                integer("elbo_samples", "Draws for an estimate of the ELBO", 100, at_least(1)),
                real("eta", "Scale of the step sizes", 1, above(0)),
                group("adapt", "Adaptation of eta",
                      {flag("engaged", "Whether to adapt at all", true),
                       integer("iter", "Most iterations for each candidate", 50, at_least(1))}),
                real("tol_rel_obj", "Tolerance on relative changes of the ELBO", 0.01, above(0)),
                integer("eval_elbo", "Iterations between estimates of the ELBO", 100, at_least(1)),
                integer("output_samples", "Draws from the approximation", 1000, at_least(1))});
}

Plan plan_variational(const Argument& arguments) { return plan_chains(arguments, 1); }

int run_variational(Run& run) {
  const Argument& a = node(run.arguments, "method.variational");
  if (run.model.num_params_r() == 0) {
    throw UserError("the model has no parameters, so there is nothing to approximate");
  }
  const Inits inits = run.inits(1);
  run.open_csv_files(1);
  run.begin();
  stan::callbacks::writer init_writer;
  const auto fit = [&](auto family) {
    return family(run.model, *inits.contexts.front(), run.seed, run.id, inits.radius, get_int(a, "grad_samples"),
                  get_int(a, "elbo_samples"), get_int(a, "iter"), get<double>(a, "tol_rel_obj"),
                  get<double>(a, "eta"), get<bool>(a, "adapt.engaged"), get_int(a, "adapt.iter"),
                  get_int(a, "eval_elbo"), get_int(a, "output_samples"), run.interrupt, run.logger, init_writer,
                  run.outputs.results.front(), run.outputs.diagnostics.front());
  };
  if (get<std::string>(a, "algorithm") == "fullrank") {
    return fit([](auto&&... all) { return advi::fullrank(all...); });
  }
  return fit([](auto&&... all) { return advi::meanfield(all...); });
}

}  // namespace runner
