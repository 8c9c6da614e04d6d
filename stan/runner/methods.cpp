// The tables: which methods there are, and which arguments all of them share.
#include <stan/math/prim/core/init_threadpool_tbb.hpp>

#include "method.hpp"
#include "method_diagnose.hpp"
#include "method_evaluate.hpp"
#include "method_generate_quantities.hpp"
#include "method_laplace.hpp"
#include "method_log_prob.hpp"
#include "method_optimize.hpp"
#include "method_pathfinder.hpp"
#include "method_sample.hpp"
#include "method_variational.hpp"

namespace runner {
namespace {

constexpr double largest_seed = 4294967295.0;

Argument output_arguments() {
  return group("output", "Output files and messages",
               {text("file", "CSV file for the result", "output.csv"),
                text("diagnostic_file", "CSV file for the algorithm's own state", ""),
                integer("refresh", "Iterations between progress messages, 0 for none", 100, at_least(0)),
                integer("sig_figs", "Significant digits in output files, -1 for the default of 6", -1,
                        between(-1, 18)),
                text("profile_file", "CSV file for the program's profiles, nothing for none", "profile.csv"),
                flag("save_cmdstan_config", "Whether to save these arguments as JSON too", false)});
}

Argument thread_argument() {
  return integer("num_threads", "Threads for chains and for parallel functions; -1 for all processors",
                 stan::math::internal::get_num_threads(), between(-1, 1 << 16));
}

}  // namespace

const std::vector<Method>& methods() {
  static const std::vector<Method> table{{sample_arguments, plan_sample, run_sample},
                                         {optimize_arguments, plan_optimize, run_optimize},
                                         {variational_arguments, plan_variational, run_variational},
                                         {pathfinder_arguments, plan_pathfinder, run_pathfinder},
                                         {laplace_arguments, plan_laplace, run_laplace},
                                         {diagnose_arguments, plan_diagnose, run_diagnose},
                                         {generate_quantities_arguments, plan_generate_quantities,
                                          run_generate_quantities},
                                         {log_prob_arguments, plan_log_prob, run_log_prob},
                                         {evaluate_arguments, plan_evaluate, run_evaluate}};
  return table;
}

Argument command_line_arguments() {
  std::vector<Argument> alternatives;
  for (const auto& method : methods()) {
    alternatives.push_back(method.arguments());
  }
  const std::string default_method = alternatives.front().name;
  return group("", "",
               {choice("method", "What to do with the model", default_method, std::move(alternatives)),
                integer("id", "Number of the first chain; each chain's random numbers depend on its own", 1,
                        at_least(0)),
                group("data", "Input data", {text("file", "JSON file with the program's data", "")}),
                text("init",
                     "Initial values: a number r for uniform ones between -r and r on the unconstrained scale, "
                     "0 for zeros, or a JSON file (for several chains a.json,b.json or a_1.json, a_2.json ...)",
                     "2"),
                group("random", "Random numbers",
                      {integer("seed", "Seed, -1 for one from the clock", -1, between(-1, largest_seed))}),
                output_arguments(), thread_argument()});
}

}  // namespace runner
