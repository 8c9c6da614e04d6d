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
  int max_depth;
  std::string metric, metric_file;
  double stepsize, stepsize_jitter;
};

/** One of each for every chain. */
struct SamplerOutputs {
  std::vector<CsvWriter> draws;
  std::vector<CsvWriter> diagnostics;
  std::vector<JsonDocument> metric_documents;
  std::vector<JsonDocument::Writer> metrics;  // into the documents, which therefore come first
};

// Each sampler has a source file of its own, since its templates take most of the time to compile.
/** `metrics`: initial inverse metrics, one a chain, or none for unit ones. */
int run_nuts(Run& run, const SamplerSettings& settings, const Inits& inits, const std::vector<Context>& metrics,
             SamplerOutputs& outputs);
int run_fixed_param(Run& run, const SamplerSettings& settings, const Inits& inits, SamplerOutputs& outputs);

}  // namespace runner

#endif
