#include <stan/services/sample/fixed_param.hpp>

#include "sampler.hpp"

namespace runner {

int run_fixed_param(Run& run, const SamplerSettings& settings, const Inits& inits) {
  std::vector<stan::callbacks::writer> init_writers(inits.contexts.size());
  return stan::services::sample::fixed_param(run.model, inits.contexts.size(), inits.contexts, run.seed, run.id,
                                             inits.radius, settings.num_samples, settings.thin, run.refresh(),
                                             run.interrupt, run.logger, init_writers, run.outputs.results,
                                             run.outputs.diagnostics);
}

}  // namespace runner
