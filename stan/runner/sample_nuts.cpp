#include <stan/services/sample/hmc_nuts_dense_e.hpp>
#include <stan/services/sample/hmc_nuts_dense_e_adapt.hpp>
#include <stan/services/sample/hmc_nuts_diag_e.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>
#include <stan/services/sample/hmc_nuts_unit_e.hpp>
#include <stan/services/sample/hmc_nuts_unit_e_adapt.hpp>

#include "sampler.hpp"

namespace runner {
namespace {

namespace services = stan::services;

/** What all six of Stan's functions are called with. */
struct NutsCall {
  Run& run;
  const SamplerSettings& settings;
  const Inits& inits;
  const std::vector<Context>& metrics;
  std::vector<JsonDocument::Writer>& adapted;
  std::vector<stan::callbacks::writer> init_writers{inits.contexts.size()};
};

/** The initial inverse metrics of all chains: as given, or of the unit kind that `make_unit` makes. */
template <typename MakeUnit>
std::vector<Context> inverse_metrics(const NutsCall& call, MakeUnit make_unit) {
  if (!call.metrics.empty()) {
    return call.metrics;
  }
  using Unit = decltype(make_unit(call.run.model.num_params_r()));
  const Context unit = std::make_shared<Unit>(make_unit(call.run.model.num_params_r()));
  return std::vector<Context>(call.inits.contexts.size(), unit);
}

int run_unit(NutsCall& call) {
  const auto& s = call.settings;
  Run& run = call.run;
  const auto& starts = call.inits.contexts;
  if (!s.engaged) {
    return services::sample::hmc_nuts_unit_e(
        run.model, starts.size(), starts, run.seed, run.id, call.inits.radius, s.num_warmup, s.num_samples, s.thin,
        s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.max_depth, run.interrupt, run.logger,
        call.init_writers, run.outputs.results, run.outputs.diagnostics);
  }
  return services::sample::hmc_nuts_unit_e_adapt(
      run.model, starts.size(), starts, run.seed, run.id, call.inits.radius, s.num_warmup, s.num_samples, s.thin,
      s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.max_depth, s.delta, s.gamma, s.kappa, s.t0,
      run.interrupt, run.logger, call.init_writers, run.outputs.results, run.outputs.diagnostics,
      call.adapted);
}

// Diagonal and dense metrics differ in the name of the function alone, and functions with overloads cannot be
// passed by name; hence two lambdas each.
template <typename MakeUnit, typename Fixed, typename Adaptive>
int run_with_metric(NutsCall& call, MakeUnit make_unit, Fixed fixed, Adaptive adaptive) {
  const auto& s = call.settings;
  Run& run = call.run;
  const auto metrics = inverse_metrics(call, make_unit);
  if (!s.engaged) {
    return fixed(run.model, metrics.size(), call.inits.contexts, metrics, run.seed, run.id, call.inits.radius,
                 s.num_warmup, s.num_samples, s.thin, s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter,
                 s.max_depth, run.interrupt, run.logger, call.init_writers, run.outputs.results,
                 run.outputs.diagnostics);
  }
  return adaptive(run.model, metrics.size(), call.inits.contexts, metrics, run.seed, run.id, call.inits.radius,
                  s.num_warmup, s.num_samples, s.thin, s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter,
                  s.max_depth, s.delta, s.gamma, s.kappa, s.t0, s.init_buffer, s.term_buffer, s.window,
                  run.interrupt, run.logger, call.init_writers, run.outputs.results, run.outputs.diagnostics,
                  call.adapted);
}

int run_diag(NutsCall& call) {
  return run_with_metric(
      call, services::util::create_unit_e_diag_inv_metric,
      [](auto&&... all) { return services::sample::hmc_nuts_diag_e(all...); },
      [](auto&&... all) { return services::sample::hmc_nuts_diag_e_adapt(all...); });
}

int run_dense(NutsCall& call) {
  return run_with_metric(
      call, services::util::create_unit_e_dense_inv_metric,
      [](auto&&... all) { return services::sample::hmc_nuts_dense_e(all...); },
      [](auto&&... all) { return services::sample::hmc_nuts_dense_e_adapt(all...); });
}

}  // namespace

int run_nuts(Run& run, const SamplerSettings& settings, const Inits& inits, const std::vector<Context>& metrics,
             std::vector<JsonDocument::Writer>& adapted) {
  NutsCall call{run, settings, inits, metrics, adapted};
  if (settings.metric == "unit_e") {
    return run_unit(call);
  }
  return settings.metric == "diag_e" ? run_diag(call) : run_dense(call);
}

}  // namespace runner
