#ifndef RUNNER_RENDER_HPP
#define RUNNER_RENDER_HPP

#include <stan/callbacks/structured_writer.hpp>

#include <ostream>
#include <string>
#include <vector>

#include "argument.hpp"

namespace runner {

/** The configuration as CmdStan puts it at the top of a CSV file, one line an element, without the `# `. */
std::vector<std::string> configuration_lines(const Argument& root);

/** The same configuration as the members of a JSON object. */
void write_configuration(const Argument& root, stan::callbacks::structured_writer& writer);

/** What may follow `about`; with `all`, the whole tree below it. */
void print_help(const Argument& about, bool all, std::ostream& out);

/** How to call the program at all. */
void print_usage(const std::string& program, const Argument& root, std::ostream& out);

}  // namespace runner

#endif
