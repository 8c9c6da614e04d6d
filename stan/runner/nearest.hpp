#ifndef RUNNER_NEAREST_HPP
#define RUNNER_NEAREST_HPP

#include <string>

#include "argument.hpp"

namespace runner {

/** The message for a token that no open group knows: where it belongs, or which argument is nearest to it. */
std::string unknown_argument(const std::string& token, const std::string& name, const Argument& root,
                             const std::string& context);

}  // namespace runner

#endif
