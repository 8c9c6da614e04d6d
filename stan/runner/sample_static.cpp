#include <stan/services/sample/hmc_static_dense_e.hpp>
#include <stan/services/sample/hmc_static_dense_e_adapt.hpp>
#include <stan/services/sample/hmc_static_diag_e.hpp>
#include <stan/services/sample/hmc_static_diag_e_adapt.hpp>
#include <stan/services/sample/hmc_static_unit_e.hpp>
#include <stan/services/sample/hmc_static_unit_e_adapt.hpp>

#include "sampler.hpp"

namespace runner {
namespace {

namespace services = stan::services;

/** What all six of Stan's functions are called with; they run one chain. */
struct StaticCall {
  Run& run;
  const SamplerSettings& settings;
  const Inits& inits;
  Context metric;  ///< null for a unit one
  stan::callbacks::writer init_writer{};

  const stan::io::var_context& init() const { return *inits.contexts.front(); }
  CsvWriter& draws() const { return run.outputs.results.front(); }
  CsvWriter& diagnostics() const { return run.outputs.diagnostics.front(); }
};

int run_unit(StaticCall& call) {
  const auto& s = call.settings;
  Run& run = call.run;
  if (!s.engaged) {
    return services::sample::hmc_static_unit_e(
        run.model, call.init(), run.seed, run.id, call.inits.radius, s.num_warmup, s.num_samples, s.thin,
        s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.int_time, run.interrupt, run.logger,
        call.init_writer, call.draws(), call.diagnostics());
  }
  return services::sample::hmc_static_unit_e_adapt(
      run.model, call.init(), run.seed, run.id, call.inits.radius, s.num_warmup, s.num_samples, s.thin,
      s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.int_time, s.delta, s.gamma, s.kappa, s.t0,
      run.interrupt, run.logger, call.init_writer, call.draws(), call.diagnostics());
}

// As for NUTS: functions with overloads cannot be passed by name, hence lambdas.
template <typename MakeUnit, typename Fixed, typename Adaptive>
int run_with_metric(StaticCall& call, MakeUnit make_unit, Fixed fixed, Adaptive adaptive) {
  const auto& s = call.settings;
  Run& run = call.run;
  if (call.metric == nullptr) {
    using Unit = decltype(make_unit(run.model.num_params_r()));
    call.metric = std::make_shared<Unit>(make_unit(run.model.num_params_r()));
  }
  if (!s.engaged) {
    return fixed(run.model, call.init(), *call.metric, run.seed, run.id, call.inits.radius, s.num_warmup,
                 s.num_samples, s.thin, s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.int_time,
                 run.interrupt, run.logger, call.init_writer, call.draws(), call.diagnostics());
  }
  return adaptive(run.model, call.init(), *call.metric, run.seed, run.id, call.inits.radius, s.num_warmup,
                  s.num_samples, s.thin, s.save_warmup, run.refresh(), s.stepsize, s.stepsize_jitter, s.int_time,
                  s.delta, s.gamma, s.kappa, s.t0, s.init_buffer, s.term_buffer, s.window, run.interrupt,
                  run.logger, call.init_writer, call.draws(), call.diagnostics());
}

int run_diag(StaticCall& call) {
  return run_with_metric(
      call, services::util::create_unit_e_diag_inv_metric,
      [](auto&&... all) { return services::sample::hmc_static_diag_e(all...); },
      [](auto&&... all) { return services::sample::hmc_static_diag_e_adapt(all...); });
}

int run_dense(StaticCall& call) {
  return run_with_metric(
      call, services::util::create_unit_e_dense_inv_metric,
      [](auto&&... all) { return services::sample::hmc_static_dense_e(all...); },
      [](auto&&... all) { return services::sample::hmc_static_dense_e_adapt(all...); });
}

}  // namespace

int run_static(Run& run, const SamplerSettings& settings, const Inits& inits, const std::vector<Context>& metrics) {
  StaticCall call{run, settings, inits, metrics.empty() ? nullptr : metrics.front()};
  if (settings.metric == "unit_e") {
    return run_unit(call);
  }
  return settings.metric == "diag_e" ? run_diag(call) : run_dense(call);
}

}  // namespace runner
