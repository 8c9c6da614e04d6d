#ifndef RUNNER_SAMPLER_HPP
#define RUNNER_SAMPLER_HPP

#include <string>
#include <vector>

#include "callbacks.hpp"
#include "inputs.hpp"
#include "method.hpp"

namespace runner {

/** The arguments of the method `sample`, under CmdStan's names. */
struct SamplerSettings {
  int num_chains, num_warmup, num_samples, thin;
  bool save_warmup;
  bool engaged;
  double gamma, delta, kappa, t0;
  unsigned int init_buffer, term_buffer, window;
  std::string engine;  ///< empty for fixed_param
  double int_time;
  int max_depth;
  std::string metric, metric_file;
  double stepsize, stepsize_jitter;
};

/** The adapted step sizes and metrics as JSON, one of each for every chain. */
struct MetricOutputs {
  std::vector<JsonDocument> documents;
  std::vector<JsonDocument::Writer> writers;  // into the documents, which therefore come first
};

// Each sampler has a source file of its own, since its templates take most of the time to compile. They write to
// the run's CSV files. `metrics`: initial inverse metrics, one a chain, or none for unit ones.
int run_nuts(Run& run, const SamplerSettings& settings, const Inits& inits, const std::vector<Context>& metrics,
             std::vector<JsonDocument::Writer>& adapted);
int run_static(Run& run, const SamplerSettings& settings, const Inits& inits, const std::vector<Context>& metrics);
int run_fixed_param(Run& run, const SamplerSettings& settings, const Inits& inits);

}  // namespace runner

#endif
