#ifndef RUNNER_METHOD_LOG_PROB_HPP
#define RUNNER_METHOD_LOG_PROB_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument log_prob_arguments();
Plan plan_log_prob(const Argument& arguments);
int run_log_prob(Run& run);

}  // namespace runner

#endif
