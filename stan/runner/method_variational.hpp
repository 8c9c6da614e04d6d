#ifndef RUNNER_METHOD_VARIATIONAL_HPP
#define RUNNER_METHOD_VARIATIONAL_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument variational_arguments();
Plan plan_variational(const Argument& arguments);
int run_variational(Run& run);

}  // namespace runner

#endif
