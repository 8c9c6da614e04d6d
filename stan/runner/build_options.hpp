#ifndef RUNNER_BUILD_OPTIONS_HPP
#define RUNNER_BUILD_OPTIONS_HPP

#include <string>
#include <utility>
#include <vector>

namespace runner {

/** The make options that this Stan program was compiled with, in the order `info` prints them. */
std::vector<std::pair<std::string, bool>> build_options();

}  // namespace runner

#endif
