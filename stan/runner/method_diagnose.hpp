#ifndef RUNNER_METHOD_DIAGNOSE_HPP
#define RUNNER_METHOD_DIAGNOSE_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument diagnose_arguments();
Plan plan_diagnose(const Argument& arguments);
int run_diagnose(Run& run);

}  // namespace runner

#endif
