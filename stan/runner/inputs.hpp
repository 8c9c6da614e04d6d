#ifndef RUNNER_INPUTS_HPP
#define RUNNER_INPUTS_HPP

#include <stan/io/var_context.hpp>

#include <memory>
#include <string>
#include <vector>

namespace runner {

/** Named values from a file. Shared, since several chains may start from one file. */
using Context = std::shared_ptr<stan::io::var_context>;

/**
 * Reads a JSON file, or one in R's dump format; no name gives no values. Throws UserError, which says what the file
 * was for (`purpose`), and where in it the error is.
 */
Context read_context(const std::string& path, const std::string& purpose);

/**
 * The files of all chains: `a.json` stands for `a_1.json`, `a_2.json` ... where the first of these exists, and else
 * for itself, shared by all chains; `a.json,b.json` names one a chain, unless that is the name of a file.
 */
std::vector<std::string> input_files(const std::string& names, const std::string& purpose, int num_chains,
                                     int first_chain);

/** What is in these files, one a chain. */
std::vector<Context> read_contexts(const std::string& names, const std::string& purpose, int num_chains,
                                   int first_chain);

/** Where chains start: values from files, and what these leave open uniformly from (-radius, radius). */
struct Inits {
  double radius;
  std::vector<Context> contexts;
};

/** The files that the argument `init` names: none if it is a number. */
std::vector<std::string> init_files(const std::string& init, int num_chains, int first_chain);

/** Reads the argument `init`: a number is a radius, anything else names files. */
Inits read_inits(const std::string& init, int num_chains, int first_chain);

}  // namespace runner

#endif
