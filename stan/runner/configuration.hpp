#ifndef RUNNER_CONFIGURATION_HPP
#define RUNNER_CONFIGURATION_HPP

#include <stan/model/model_base.hpp>

#include <string>
#include <vector>

#include "argument.hpp"

namespace runner {

/** The comment lines at the top of every CSV file with results, without the `# `. */
std::vector<std::string> header_lines(const Argument& arguments, const stan::model::model_base& model,
                                      const std::string& started);

/** Those at the top of a CSV file with diagnostics: CmdStan leaves out when it began and how it was compiled. */
std::vector<std::string> diagnostic_header_lines(const Argument& arguments, const stan::model::model_base& model);

/** The name of the JSON file beside the output file. */
std::string configuration_file(const Argument& arguments);

/** Writes the same as JSON to `configuration_file`. */
void save_configuration(const Argument& arguments, const stan::model::model_base& model,
                        const std::string& started);

}  // namespace runner

#endif
