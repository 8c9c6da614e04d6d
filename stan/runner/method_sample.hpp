#ifndef RUNNER_METHOD_SAMPLE_HPP
#define RUNNER_METHOD_SAMPLE_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument sample_arguments();
Plan plan_sample(const Argument& arguments);
int run_sample(Run& run);

}  // namespace runner

#endif
