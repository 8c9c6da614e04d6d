#ifndef RUNNER_METHOD_HPP
#define RUNNER_METHOD_HPP

#include <stan/callbacks/interrupt.hpp>
#include <stan/model/model_base.hpp>

#include <string>
#include <vector>

#include "argument.hpp"
#include "callbacks.hpp"
#include "inputs.hpp"
#include "plan.hpp"

namespace runner {

constexpr int most_chains = 1 << 16;

/** The CSV files of a run: one of each for every chain, and one of all chains together for who writes that. */
struct Outputs {
  std::vector<CsvWriter> results;
  std::vector<CsvWriter> diagnostics;
  CsvWriter combined;
};

/** What every method works with: the program with its data, the arguments, and the ways out. */
struct Run {
  const Argument& arguments;
  stan::model::model_base& model;
  ConsoleLogger& logger;
  unsigned int seed;
  unsigned int id;
  std::string started;
  Outputs outputs;
  stan::callbacks::interrupt interrupt;

  int precision() const { return get_int(arguments, "output.sig_figs"); }
  int refresh() const { return get_int(arguments, "output.refresh"); }
  int first_chain() const { return static_cast<int>(id); }
  Inits inits(int num_chains) const { return read_inits(get<std::string>(arguments, "init"), num_chains, first_chain()); }

  /** Opens results and diagnostics under the names that the arguments give. */
  void open_csv_files(int num_chains);
  /**
   * To be called when everything else has been read and opened, since only now existing files are replaced: saves
   * the configuration, and writes the header to each of the CSV files.
   */
  void begin();
  /** Says in each CSV file that has begun why the run failed, so that nobody takes it for a whole one. */
  void mark_failed(const std::string& reason);
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
