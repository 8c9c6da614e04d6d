#ifndef RUNNER_METHOD_LAPLACE_HPP
#define RUNNER_METHOD_LAPLACE_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument laplace_arguments();
Plan plan_laplace(const Argument& arguments);
int run_laplace(Run& run);

}  // namespace runner

#endif
