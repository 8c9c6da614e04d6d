// Compiled together with each Stan program, since these macros belong to the program's own flags.
#include "build_options.hpp"

namespace runner {
namespace {

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
  return {{"STAN_THREADS", true},
          {"STAN_MPI", false},
          {"STAN_OPENCL", false},
          {"STAN_NO_RANGE_CHECKS", no_range_checks},
          {"STAN_CPP_OPTIMS", cpp_optims}};
}

}  // namespace runner
