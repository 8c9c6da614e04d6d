#ifndef RUNNER_PLAN_HPP
#define RUNNER_PLAN_HPP

#include <string>
#include <vector>

#include "argument.hpp"

namespace runner {

/** The files that a run will read and write, known from its arguments alone. */
struct Plan {
  struct File {
    std::string purpose;
    std::string path;
    /** Of an output that is written at the end, in one go: whether it is worth running at all without it. */
    bool must_be_writable = false;
  };
  std::vector<File> inputs;
  std::vector<File> outputs;

  void read(const std::string& purpose, const std::vector<std::string>& paths);
  void write_along(const std::string& purpose, const std::vector<std::string>& paths);
  void write_at_the_end(const std::string& purpose, const std::vector<std::string>& paths);
};

/** The name of the one CSV file for results. */
std::string output_file(const Argument& arguments);

/** The files that most methods have: initial values, and a CSV file for results and one for diagnostics a chain. */
Plan plan_chains(const Argument& arguments, int num_chains);

/**
 * Adds the files of every method to those of one, and throws UserError if a name cannot be a file's, if an output is
 * the same file as an input or as another output, or if one that is written at the end cannot be. To be called
 * before anything is opened.
 */
void check_files(const Argument& arguments, Plan plan);

}  // namespace runner

#endif
