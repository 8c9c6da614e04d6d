#include "method_generate_quantities.hpp"

#include <stan/services/error_codes.hpp>
#include <stan/services/util/create_rng.hpp>
#include <stan/services/util/gq_writer.hpp>

#include <tbb/parallel_for.h>

#include <deque>

#include "draws_file.hpp"
#include "error.hpp"
#include "parameter_values.hpp"

namespace runner {
namespace {

std::vector<std::string> fitted_files(const Argument& arguments) {
  const Argument& method = node(arguments, "method.generate_quantities");
  const std::string& name = get<std::string>(method, "fitted_params");
  if (name.empty()) {
    throw UserError("fitted_params is not given: expected a CSV file with draws of the parameters");
  }
  return chain_files(name, "", ".csv", get_int(method, "num_chains"), get_int(arguments, "id"));
}

void require_quantities(const stan::model::model_base& model, std::size_t num_parameters) {
  std::vector<std::string> names;
  model.constrained_param_names(names, false, true);
  if (names.size() == num_parameters) {
    throw UserError("the model generates no quantities: its generated quantities block is missing or empty");
  }
}

/**
 * What Stan's standalone_generate does, row by row, so that memory does not grow with the number of draws. (For
 * several chains Stan 2.35 writes the parameters, too, below a header that does not have them; this does not.)
 */
void generate(Run& run, std::size_t chain, DrawsFile& draws, std::size_t num_parameters) {
  stan::services::util::gq_writer writer(run.outputs.results[chain], run.logger, static_cast<int>(num_parameters));
  writer.write_gq_names(run.model);
  stan::rng_t rng = stan::services::util::create_rng(run.seed, static_cast<unsigned int>(chain) + 1);
  for (std::vector<double> row; draws.next(row);) {
    std::vector<double> unconstrained = unconstrain(run.model, row, draws.path());
    run.interrupt();
    writer.write_gq_values(run.model, rng, unconstrained);
  }
}

}  // namespace

Argument generate_quantities_arguments() {
  return group("generate_quantities", "Runs the generated quantities block on draws that there are already",
               {text("fitted_params", "CSV file with draws (for several chains a_1.csv, a_2.csv ... as a.csv)", ""),
                integer("num_chains", "Number of chains", 1, between(1, most_chains))});
}

Plan plan_generate_quantities(const Argument& arguments) {
  Plan plan = plan_chains(arguments, get_int(arguments, "method.generate_quantities.num_chains"));
  plan.read("fitted_params", fitted_files(arguments));
  return plan;
}

int run_generate_quantities(Run& run) {
  std::vector<std::string> parameters;
  run.model.constrained_param_names(parameters, false, false);
  require_quantities(run.model, parameters.size());
  std::deque<DrawsFile> chains;
  for (const auto& path : fitted_files(run.arguments)) {
    chains.emplace_back(path, "fitted_params", parameters);
  }
  run.open_csv_files(static_cast<int>(chains.size()));
  run.begin();
  tbb::parallel_for(std::size_t{0}, chains.size(),
                    [&](std::size_t chain) { generate(run, chain, chains[chain], parameters.size()); });
  return stan::services::error_codes::OK;
}

}  // namespace runner
