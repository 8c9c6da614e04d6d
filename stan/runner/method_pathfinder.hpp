#ifndef RUNNER_METHOD_PATHFINDER_HPP
#define RUNNER_METHOD_PATHFINDER_HPP

#include "argument.hpp"
#include "method.hpp"

namespace runner {

Argument pathfinder_arguments();
Plan plan_pathfinder(const Argument& arguments);
int run_pathfinder(Run& run);

}  // namespace runner

#endif
