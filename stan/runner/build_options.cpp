// Compiled together with each Stan program, since these macros belong to the program's own flags.
#include "build_options.hpp"

namespace runner {
namespace {

// STAN_THREADS itself is always defined: the program must agree with the precompiled runner. Clients decide by what
// `info` says whether to run all chains in one process, hence only for those who asked make for it.
#ifdef ASKED_FOR_STAN_THREADS
constexpr bool threads = true;
#else
constexpr bool threads = false;
#endif

#ifdef STAN_NO_RANGE_CHECKS
constexpr bool no_range_checks = true;
#else
constexpr bool no_range_checks = false;
#endif

#ifdef STAN_CPP_OPTIMS
constexpr bool cpp_optims = true;
#else
constexpr bool cpp_optims = false;
#endif

}  // namespace

std::vector<std::pair<std::string, bool>> build_options() {
  return {{"STAN_THREADS", threads},
          {"STAN_MPI", false},
          {"STAN_OPENCL", false},
          {"STAN_NO_RANGE_CHECKS", no_range_checks},
          {"STAN_CPP_OPTIMS", cpp_optims}};
}

}  // namespace runner
