#include "method_diagnose.hpp"

#include <stan/services/diagnose/diagnose.hpp>

namespace runner {

Argument diagnose_arguments() {
  return group("diagnose", "Compares the model's gradient with finite differences",
               {choice("test", "What to test", "gradient",
                       {group("gradient", "The gradient at the initial values",
                              {real("epsilon", "Step of the finite differences", 1e-6, above(0)),
                               real("error", "Largest difference that passes", 1e-6, above(0))})})});
}

Plan plan_diagnose(const Argument& arguments) { return plan_chains(arguments, 1); }

int run_diagnose(Run& run) {
  const Argument& gradient = node(run.arguments, "method.diagnose.test.gradient");
  const Inits inits = run.inits(1);
  run.open_csv_files(1);
  run.begin();
  stan::callbacks::writer init_writer;
  const int failed = stan::services::diagnose::diagnose(
      run.model, *inits.contexts.front(), run.seed, run.id, inits.radius, get<double>(gradient, "epsilon"),
      get<double>(gradient, "error"), run.interrupt, run.logger, init_writer, run.outputs.results.front());
  run.outputs.results.clear();  // whatever the verdict, the table is whole, and clients read its last lines
  if (failed > 0) {
    run.logger.error(std::to_string(failed) + " of " + std::to_string(run.model.num_params_r()) +
                     " partial derivatives differ from finite differences by more than error=" +
                     print(node(gradient, "error").value));
  }
  return failed;
}

}  // namespace runner
