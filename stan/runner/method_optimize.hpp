#ifndef RUNNER_METHOD_OPTIMIZE_HPP
#define RUNNER_METHOD_OPTIMIZE_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument optimize_arguments();
Plan plan_optimize(const Argument& arguments);
int run_optimize(Run& run);

}  // namespace runner

#endif
