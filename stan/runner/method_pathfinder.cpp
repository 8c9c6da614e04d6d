#include "method_pathfinder.hpp"

#include <stan/services/error_codes.hpp>
#include <stan/services/pathfinder/multi.hpp>
#include <stan/services/pathfinder/single.hpp>

#include <utility>

#include "error.hpp"
#include "quasi_newton.hpp"

namespace runner {
namespace {

namespace pathfinder = stan::services::pathfinder;
using Model = stan::model::model_base;

struct Settings {
  QuasiNewton lbfgs;
  int num_psis_draws, num_paths, max_lbfgs_iters, num_draws, num_elbo_draws;
  bool save_single_paths, psis_resample, calculate_lp;
  std::string output_file, diagnostic_file;

  bool is_multiple() const { return num_paths > 1; }
  /** A name for diagnostics asks for the paths as much as the flag does. */
  bool saves_paths() const { return save_single_paths || !diagnostic_file.empty(); }
};

Settings read_settings(const Argument& arguments) {
  const Argument& method = node(arguments, "method.pathfinder");
  return {read_quasi_newton(method),
          get_int(method, "num_psis_draws"),
          get_int(method, "num_paths"),
          get_int(method, "max_lbfgs_iters"),
          get_int(method, "num_draws"),
          get_int(method, "num_elbo_draws"),
          get<bool>(method, "save_single_paths"),
          get<bool>(method, "psis_resample"),
          get<bool>(method, "calculate_lp"),
          output_file(arguments),
          get<std::string>(arguments, "output.diagnostic_file")};
}

/** Of several paths, the CSV file of each one. */
std::vector<std::string> path_files(const Settings& settings, int id) {
  if (!settings.is_multiple() || !settings.saves_paths()) {
    return {};
  }
  return chain_files(settings.output_file, "_path", ".csv", settings.num_paths, id);
}

/** The course of each path as JSON. */
std::vector<std::string> course_files(const Settings& settings, int id) {
  if (!settings.saves_paths()) {
    return {};
  }
  const std::string& name = settings.diagnostic_file.empty() ? settings.output_file : settings.diagnostic_file;
  return chain_files(name, settings.is_multiple() ? "_path" : "", ".json", settings.num_paths, id);
}

/** The course of each path in memory, or writers that swallow it. */
struct Courses {
  std::vector<JsonDocument> documents;
  std::vector<JsonDocument::Writer> writers;  // into the documents, which therefore come first

  Courses(std::size_t num_saved, int num_paths, int precision) {
    for (std::size_t path = 0; path < num_saved; ++path) {
      documents.emplace_back(precision);
      writers.push_back(documents.back().writer());
    }
    while (writers.size() < static_cast<std::size_t>(num_paths)) {
      writers.emplace_back();
    }
  }
};

int run_single(Run& run, const Settings& s, const Inits& inits, Courses& courses) {
  stan::callbacks::writer init_writer;
  return pathfinder::pathfinder_lbfgs_single<false, Model>(
      run.model, *inits.contexts.front(), run.seed, run.id, inits.radius, s.lbfgs.history_size, s.lbfgs.init_alpha,
      s.lbfgs.tol_obj, s.lbfgs.tol_rel_obj, s.lbfgs.tol_grad, s.lbfgs.tol_rel_grad, s.lbfgs.tol_param,
      s.max_lbfgs_iters, s.num_elbo_draws, s.num_draws, s.saves_paths(), run.refresh(), run.interrupt, run.logger,
      init_writer, run.outputs.results.front(), courses.writers.front(), s.calculate_lp);
}

int run_multiple(Run& run, const Settings& s, const Inits& inits, Courses& courses) {
  std::vector<stan::callbacks::writer> init_writers(inits.contexts.size());
  stan::callbacks::structured_writer unused;
  return pathfinder::pathfinder_lbfgs_multi<Model>(
      run.model, inits.contexts, run.seed, run.id, inits.radius, s.lbfgs.history_size, s.lbfgs.init_alpha,
      s.lbfgs.tol_obj, s.lbfgs.tol_rel_obj, s.lbfgs.tol_grad, s.lbfgs.tol_rel_grad, s.lbfgs.tol_param,
      s.max_lbfgs_iters, s.num_elbo_draws, s.num_draws, s.num_psis_draws, s.num_paths, s.saves_paths(),
      run.refresh(), run.interrupt, run.logger, init_writers, run.outputs.results, courses.writers,
      run.outputs.combined, unused, s.calculate_lp, s.psis_resample);
}

void open_csv_files(Run& run, const Settings& settings) {
  CsvWriter main(settings.output_file, run.precision());
  if (!settings.is_multiple()) {
    run.outputs.results.push_back(std::move(main));
    return;
  }
  run.outputs.combined = std::move(main);
  for (const auto& path : path_files(settings, run.first_chain())) {
    run.outputs.results.emplace_back(path, run.precision());
  }
  run.outputs.results.resize(static_cast<std::size_t>(settings.num_paths));
}

}  // namespace

Argument pathfinder_arguments() {
  std::vector<Argument> arguments = lbfgs_arguments();
  for (auto& argument :
       {integer("num_psis_draws", "Draws from all paths by Pareto smoothed importance resampling", 1000, at_least(1)),
        integer("num_paths", "Number of paths", 4, between(1, most_chains)),
        flag("save_single_paths", "Whether to save each path's draws as CSV and its course as JSON", false),
        flag("psis_resample", "Whether to resample at all, or to write the draws of all paths", true),
        flag("calculate_lp", "Whether to compute the model's log density at each draw; without, nothing is resampled",
             true),
        integer("max_lbfgs_iters", "Most iterations of L-BFGS", 1000, at_least(1)),
        integer("num_draws", "Draws from each path's approximation", 1000, at_least(1)),
        integer("num_elbo_draws", "Draws for an estimate of the ELBO", 25, at_least(1))}) {
    arguments.push_back(argument);
  }
  return group("pathfinder", "Draws from the best of the Gaussians along an optimization path", std::move(arguments));
}

Plan plan_pathfinder(const Argument& arguments) {
  const Settings settings = read_settings(arguments);
  const int id = get_int(arguments, "id");
  Plan plan;
  plan.read("init", init_files(get<std::string>(arguments, "init"), settings.num_paths, id));
  plan.write_along("output", {settings.output_file});
  plan.write_along("single path", path_files(settings, id));
  plan.write_at_the_end("diagnostic", course_files(settings, id));
  return plan;
}

int run_pathfinder(Run& run) {
  const Settings settings = read_settings(run.arguments);
  if (run.model.num_params_r() == 0) {
    throw UserError("the model has no parameters, so there is no path to follow");
  }
  if (settings.num_psis_draws > static_cast<long long>(settings.num_draws) * settings.num_paths) {
    run.logger.warn("Warning: Number of PSIS draws is larger than the total number of draws returned by the single "
                    "Pathfinders. This is likely unintentional and leads to re-sampling from the same draws.");
  }
  const Inits inits = run.inits(settings.num_paths);
  const auto saved = course_files(settings, run.first_chain());
  Courses courses(saved.size(), settings.num_paths, run.precision());
  open_csv_files(run, settings);
  run.begin();
  const int code = settings.is_multiple() ? run_multiple(run, settings, inits, courses)
                                          : run_single(run, settings, inits, courses);
  for (auto& path : run.outputs.results) {
    if (code == stan::services::error_codes::OK && path.rows() == 0) {
      path.mark_failed("this path has no draws; the run's messages say why");
    }
  }
  // Where a path led is most telling when it led nowhere.
  for (std::size_t path = 0; path < saved.size(); ++path) {
    const std::string course = courses.documents[path].text();
    write_file(saved[path], course.empty() ? "{}\n" : course);
  }
  return code;
}

}  // namespace runner
