#ifndef RUNNER_METHOD_HPP
#define RUNNER_METHOD_HPP

#include <stan/model/model_base.hpp>

#include <string>
#include <vector>

#include "argument.hpp"
#include "callbacks.hpp"

namespace runner {

/** What every method works with: the program with its data, the arguments, and the ways out. */
struct Run {
  const Argument& arguments;
  stan::model::model_base& model;
  ConsoleLogger& logger;
  unsigned int seed;
  unsigned int id;
  /** The comment lines that open each output file. */
  std::vector<std::string> header;

  int precision() const { return get_int(arguments, "output.sig_figs"); }
  int refresh() const { return get_int(arguments, "output.refresh"); }

  /** One CSV file a chain, each with the header; writers without a file where `name` is empty. */
  std::vector<CsvWriter> open_csv(const std::string& name, int num_chains) const;
};

/** A row of the table of methods: its arguments and what runs it. */
struct Method {
  /** The group of the method's arguments; its name is the method's. */
  Argument (*arguments)();
  /** Returns one of Stan's error codes. */
  int (*run)(Run& run);
};

/** All methods, the default first. A new one is a source file and a row here. */
const std::vector<Method>& methods();

/** The whole command line: the methods' arguments and those that all methods share. */
Argument command_line_arguments();

}  // namespace runner

#endif
