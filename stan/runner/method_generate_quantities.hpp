#ifndef RUNNER_METHOD_GENERATE_QUANTITIES_HPP
#define RUNNER_METHOD_GENERATE_QUANTITIES_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument generate_quantities_arguments();
Plan plan_generate_quantities(const Argument& arguments);
int run_generate_quantities(Run& run);

}  // namespace runner

#endif
