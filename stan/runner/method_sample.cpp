#include "method_sample.hpp"

#include <stan/math/prim/fun/constants.hpp>
#include <stan/services/error_codes.hpp>

#include <limits>
#include <utility>

#include "error.hpp"
#include "sampler.hpp"

namespace runner {
namespace {

Argument adapt_arguments() {
  return group("adapt", "Warmup adaptation",
               {flag("engaged", "Whether to adapt at all", true),
                real("gamma", "Regularization scale", 0.05, above(0)),
                real("delta", "Target acceptance statistic", 0.8, strictly_between(0, 1)),
                real("kappa", "Relaxation exponent", 0.75, above(0)),
                real("t0", "Iteration offset", 10, above(0)),
                integer("init_buffer", "Width of the first, fast interval", 75, at_least(0)),
                integer("term_buffer", "Width of the last, fast interval", 50, at_least(0)),
                integer("window", "First width of the slow intervals", 25, at_least(0)),
                flag("save_metric", "Whether to save step size and inverse metric as JSON", false)});
}

Argument hmc_arguments() {
  return group("hmc", "Hamiltonian Monte Carlo",
               {choice("engine", "Length of the trajectories", "nuts",
                       {group("static", "All of one length in time",
                              {real("int_time", "Total integration time", 2 * stan::math::pi(), above(0))}),
                        group("nuts", "The No-U-Turn Sampler",
                              {integer("max_depth", "Largest depth of a tree", 10, at_least(1))})}),
                choice("metric", "Geometry of the base manifold", "diag_e",
                       {word("unit_e", "Unit metric"), word("diag_e", "Diagonal metric"),
                        word("dense_e", "Dense metric")}),
                text("metric_file", "JSON file with an initial inverse metric (one per chain, as for init)", ""),
                real("stepsize", "Step size", 1, above(0)),
                real("stepsize_jitter", "Uniform jitter of the step size, as a fraction", 0, between(0, 1))});
}

SamplerSettings read_settings(const Argument& arguments) {
  const Argument& sample = node(arguments, "method.sample");
  SamplerSettings settings;
  settings.num_chains = get_int(sample, "num_chains");
  settings.num_warmup = get_int(sample, "num_warmup");
  settings.num_samples = get_int(sample, "num_samples");
  settings.thin = get_int(sample, "thin");
  settings.save_warmup = get<bool>(sample, "save_warmup");
  settings.engaged = get<bool>(sample, "adapt.engaged");
  settings.gamma = get<double>(sample, "adapt.gamma");
  settings.delta = get<double>(sample, "adapt.delta");
  settings.kappa = get<double>(sample, "adapt.kappa");
  settings.t0 = get<double>(sample, "adapt.t0");
  settings.init_buffer = static_cast<unsigned int>(get_int(sample, "adapt.init_buffer"));
  settings.term_buffer = static_cast<unsigned int>(get_int(sample, "adapt.term_buffer"));
  settings.window = static_cast<unsigned int>(get_int(sample, "adapt.window"));
  const Argument& hmc = node(sample, "algorithm.hmc");
  settings.engine = get<std::string>(sample, "algorithm") == "hmc" ? get<std::string>(hmc, "engine") : "";
  settings.int_time = get<double>(hmc, "engine.static.int_time");
  settings.max_depth = get_int(hmc, "engine.nuts.max_depth");
  settings.metric = get<std::string>(hmc, "metric");
  settings.metric_file = get<std::string>(hmc, "metric_file");
  settings.stepsize = get<double>(hmc, "stepsize");
  settings.stepsize_jitter = get<double>(hmc, "stepsize_jitter");
  return settings;
}

bool runs_fixed_param(Run& run) {
  if (get<std::string>(run.arguments, "method.sample.algorithm") == "fixed_param") {
    return true;
  }
  if (run.model.num_params_r() > 0) {
    return false;
  }
  // Clients look for these words to know that the draws come without a sampler's own columns.
  run.logger.info("Model contains no parameters, running fixed_param sampler, no updates to Markov chain");
  return true;
}

std::vector<Context> read_metrics(const SamplerSettings& settings, int first_chain) {
  return settings.metric_file.empty()
             ? std::vector<Context>{}
             : read_contexts(settings.metric_file, "metric", settings.num_chains, first_chain);
}

std::vector<std::string> metric_outputs(const Argument& arguments) {
  return chain_files(get<std::string>(arguments, "output.file"), "_metric", ".json",
                     get_int(arguments, "method.sample.num_chains"), get_int(arguments, "id"));
}

/** Only NUTS hands its metric over; static HMC's stands in the CSV file's comments alone. */
bool saves_metrics(const Argument& arguments, const SamplerSettings& settings) {
  return settings.engaged && settings.engine == "nuts" && get<bool>(arguments, "method.sample.adapt.save_metric");
}

void save_metrics(const Run& run, const std::vector<JsonDocument>& metrics) {
  const auto names = metric_outputs(run.arguments);
  for (std::size_t chain = 0; chain < names.size(); ++chain) {
    write_file(names[chain], metrics[chain].text());
  }
}

/** What no int counts, and what contradicts itself. */
void check_settings(const Argument& arguments, const SamplerSettings& settings) {
  constexpr long long largest = std::numeric_limits<int>::max();
  const bool is_hmc = !settings.engine.empty();
  if (is_hmc && static_cast<long long>(settings.num_warmup) + settings.num_samples > largest) {
    throw UserError("num_warmup=" + std::to_string(settings.num_warmup) + " and num_samples=" +
                    std::to_string(settings.num_samples) + " are too many: their sum must not exceed " +
                    std::to_string(largest));
  }
  if (!settings.engaged && get<bool>(arguments, "method.sample.adapt.save_metric")) {
    throw UserError("save_metric=1 contradicts engaged=0, which adapts no metric: give one of them");
  }
  if (settings.engine == "static" && settings.num_chains > 1) {
    throw UserError("num_chains=" + std::to_string(settings.num_chains) +
                    " contradicts engine=static, which runs one chain at a time: give num_chains=1, or engine=nuts");
  }
  if (is_hmc && settings.metric == "unit_e" && !settings.metric_file.empty()) {
    throw UserError("metric_file=" + settings.metric_file +
                    " contradicts metric=unit_e, which is fixed: give metric=diag_e or metric=dense_e, or no "
                    "metric_file");
  }
}

long long saved(int iterations, int thin) { return iterations == 0 ? 0 : (iterations - 1LL) / thin + 1; }

/**
 * Stan reports success also where a chain ended before its first draw, so what was written decides. Returns false,
 * and logs why, if a chain has not all its draws.
 */
bool is_complete(Run& run, const SamplerSettings& settings, bool fixed) {
  const int warmup = settings.save_warmup && !fixed ? settings.num_warmup : 0;
  const long long wanted = saved(warmup, settings.thin) + saved(settings.num_samples, settings.thin);
  bool complete = true;
  const std::vector<CsvWriter>& draws = run.outputs.results;
  for (std::size_t chain = 0; chain < draws.size(); ++chain) {
    const long long rows = draws[chain].rows();
    if (!draws[chain].has_names() || rows < wanted) {
      complete = false;
      run.logger.error("Chain " + std::to_string(run.id + chain) + " ended with " + std::to_string(rows) + " of " +
                       std::to_string(wanted) + " draws.");
    }
  }
  return complete;
}

}  // namespace

Argument sample_arguments() {
  return group("sample", "Draws from the posterior by Markov chain Monte Carlo",
               {integer("num_samples", "Iterations after warmup", 1000, at_least(0)),
                integer("num_warmup", "Warmup iterations", 1000, at_least(0)),
                flag("save_warmup", "Whether to save warmup draws", false),
                integer("thin", "Of how many iterations one is saved", 1, at_least(1)), adapt_arguments(),
                choice("algorithm", "Sampling algorithm", "hmc",
                       {hmc_arguments(), word("fixed_param", "Parameters stay at their initial values")}),
                integer("num_chains", "Number of chains", 1, between(1, most_chains))});
}

Plan plan_sample(const Argument& arguments) {
  const SamplerSettings settings = read_settings(arguments);
  check_settings(arguments, settings);
  Plan plan = plan_chains(arguments, settings.num_chains);
  plan.read("metric", input_files(settings.metric_file, "metric", settings.num_chains, get_int(arguments, "id")));
  if (saves_metrics(arguments, settings)) {
    plan.write_at_the_end("adapted metric", metric_outputs(arguments));
  }
  return plan;
}

int run_sample(Run& run) {
  const SamplerSettings settings = read_settings(run.arguments);
  const bool fixed = runs_fixed_param(run);
  const bool adapts = settings.engaged && !fixed;
  if (adapts && settings.num_warmup == 0) {
    throw UserError("num_warmup=0 contradicts adaptation: give num_warmup above 0, or 'adapt engaged=0'");
  }
  if (get<bool>(run.arguments, "method.sample.adapt.save_metric") && !saves_metrics(run.arguments, settings)) {
    run.logger.warn("Warning: save_metric=1 has no effect without engine=nuts");
  }
  const Inits inits = run.inits(settings.num_chains);
  const std::vector<Context> metrics = fixed ? std::vector<Context>{} : read_metrics(settings, run.first_chain());
  MetricOutputs adapted;
  run.open_csv_files(settings.num_chains);
  for (int chain = 0; chain < settings.num_chains; ++chain) {
    adapted.documents.emplace_back(run.precision());
    adapted.writers.push_back(adapted.documents.back().writer());
  }
  run.begin();
  const int code = fixed                         ? run_fixed_param(run, settings, inits)
                   : settings.engine == "static" ? run_static(run, settings, inits, metrics)
                                                 : run_nuts(run, settings, inits, metrics, adapted.writers);
  if (code != stan::services::error_codes::OK) {
    return code;
  }
  if (!is_complete(run, settings, fixed)) {
    return stan::services::error_codes::SOFTWARE;
  }
  if (adapts && saves_metrics(run.arguments, settings)) {
    save_metrics(run, adapted.documents);
  }
  return code;
}

}  // namespace runner
