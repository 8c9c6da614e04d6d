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
struct Call {
  Run& run;
  const SamplerSettings& settings;
  const Inits& inits;
  const std::vector<Context>& metrics;
  SamplerOutputs& outputs;
  stan::callbacks::interrupt interrupt{};
  std::vector<stan::callbacks::writer> init_writers{inits.contexts.size()};
};

/** The initial inverse metrics of all chains: as given, or of the unit kind that `make_unit` makes. */
template <typename MakeUnit>
std::vector<Context> inverse_metrics(const Call& call, MakeUnit make_unit) {
  if (!call.metrics.empty()) {
    return call.metrics;
  }
  using Unit = decltype(make_unit(call.run.model.num_params_r()));
  const Context unit = std::make_shared<Unit>(make_unit(call.run.model.num_params_r()));
  return std::vector<Context>(call.inits.contexts.size(), unit);
}

int run_unit(Call& call) {
  const auto& s = call.settings;
  Run& run = call.run;
  const auto& starts = call.inits.contexts;
  if (!s.engaged) {
    return services::sample::hmc_nuts_unit_e(
        run.model, starts.size(), starts, run.seed, run.id, call.inits.radius, s.num_warmup, s.num_samples, s.thin,
        s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.max_depth, call.interrupt, run.logger,
        call.init_writers, call.outputs.draws, call.outputs.diagnostics);
  }
  return services::sample::hmc_nuts_unit_e_adapt(
      run.model, starts.size(), starts, run.seed, run.id, call.inits.radius, s.num_warmup, s.num_samples, s.thin,
      s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.max_depth, s.delta, s.gamma, s.kappa, s.t0,
      call.interrupt, run.logger, call.init_writers, call.outputs.draws, call.outputs.diagnostics,
      call.outputs.metrics);
}

// Diagonal and dense metrics differ in the name of the function alone, and functions with overloads cannot be
// passed by name; hence two lambdas each.
template <typename MakeUnit, typename Fixed, typename Adaptive>
int run_with_metric(Call& call, MakeUnit make_unit, Fixed fixed, Adaptive adaptive) {
  const auto& s = call.settings;
  Run& run = call.run;
  const auto metrics = inverse_metrics(call, make_unit);
  if (!s.engaged) {
    return fixed(run.model, metrics.size(), call.inits.contexts, metrics, run.seed, run.id, call.inits.radius,
                 s.num_warmup, s.num_samples, s.thin, s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter,
                 s.max_depth, call.interrupt, run.logger, call.init_writers, call.outputs.draws,
                 call.outputs.diagnostics);
  }
  return adaptive(run.model, metrics.size(), call.inits.contexts, metrics, run.seed, run.id, call.inits.radius,
                  s.num_warmup, s.num_samples, s.thin, s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter,
                  s.max_depth, s.delta, s.gamma, s.kappa, s.t0, s.init_buffer, s.term_buffer, s.window,
                  call.interrupt, run.logger, call.init_writers, call.outputs.draws, call.outputs.diagnostics,
                  call.outputs.metrics);
}

int run_diag(Call& call) {
  return run_with_metric(
      call, services::util::create_unit_e_diag_inv_metric,
      [](auto&&... all) { return services::sample::hmc_nuts_diag_e(all...); },
      [](auto&&... all) { return services::sample::hmc_nuts_diag_e_adapt(all...); });
}

int run_dense(Call& call) {
  return run_with_metric(
      call, services::util::create_unit_e_dense_inv_metric,
      [](auto&&... all) { return services::sample::hmc_nuts_dense_e(all...); },
      [](auto&&... all) { return services::sample::hmc_nuts_dense_e_adapt(all...); });
}

}  // namespace

int run_nuts(Run& run, const SamplerSettings& settings, const Inits& inits, const std::vector<Context>& metrics,
             SamplerOutputs& outputs) {
  Call call{run, settings, inits, metrics, outputs};
  if (settings.metric == "unit_e") {
    return run_unit(call);
  }
  return settings.metric == "diag_e" ? run_diag(call) : run_dense(call);
}

}  // namespace runner
