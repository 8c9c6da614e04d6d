#ifndef RUNNER_COMMAND_LINE_HPP
#define RUNNER_COMMAND_LINE_HPP

#include <string>
#include <vector>

#include "argument.hpp"

namespace runner {

/** What the command line asks for besides the values that it wrote into the tree. */
struct Request {
  enum class Action { run, help, help_all, info };
  Action action = Action::run;
  const Argument* about = nullptr;  ///< where `help` was asked for
};

/**
 * Reads `tokens` (without the program's name) into `root`.
 *
 * A token belongs to the innermost group or chosen alternative, of those opened before it, that knows its
 * name; groups further in are closed by it. Throws UserError for anything else, naming the nearest argument.
 */
Request parse_command_line(const std::vector<std::string>& tokens, Argument& root);

}  // namespace runner

#endif
