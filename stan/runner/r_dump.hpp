#ifndef RUNNER_R_DUMP_HPP
#define RUNNER_R_DUMP_HPP

#include <string>

#include "inputs.hpp"

namespace runner {

/** Reads R's dump format, once Stan's only one. Throws UserError, which speaks of the file as `file`. */
Context read_dump(const std::string& text, const std::string& file);

}  // namespace runner

#endif
