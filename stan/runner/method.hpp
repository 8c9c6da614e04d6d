#ifndef RUNNER_METHOD_HPP
#define RUNNER_METHOD_HPP

#include <stan/model/model_base.hpp>

#include <string>
#include <vector>

#include "argument.hpp"
#include "callbacks.hpp"
#include "plan.hpp"

namespace runner {

/** What every method works with: the program with its data, the arguments, and the ways out. */
struct Run {
  const Argument& arguments;
  stan::model::model_base& model;
  ConsoleLogger& logger;
  unsigned int seed;
  unsigned int id;
  std::string started;

  int precision() const { return get_int(arguments, "output.sig_figs"); }
  int refresh() const { return get_int(arguments, "output.refresh"); }

  /** One CSV file a chain; writers without a file where `name` is empty. */
  std::vector<CsvWriter> open_csv(const std::string& name, int num_chains) const;
  /**
   * To be called when everything else has been read and opened, since only now existing files are replaced: saves
   * the configuration, and writes the header to each of these files.
   */
  void begin(const std::vector<std::vector<CsvWriter>*>& outputs) const;
};

/** A row of the table of methods: its arguments, its files, and what runs it. */
struct Method {
  /** The group of the method's arguments; its name is the method's. */
  Argument (*arguments)();
  /** The files that belong to this method alone. Throws UserError for arguments that contradict each other. */
  Plan (*plan)(const Argument& arguments);
  /** Returns one of Stan's error codes. */
  int (*run)(Run& run);
};

/** All methods, the default first. A new one is a source file and a row here. */
const std::vector<Method>& methods();

/** The whole command line: the methods' arguments and those that all methods share. */
Argument command_line_arguments();

}  // namespace runner

#endif
