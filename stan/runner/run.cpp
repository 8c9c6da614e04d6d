#include "configuration.hpp"
#include "method.hpp"

namespace runner {
namespace {

/** One CSV file a chain; writers without a file where `name` is empty. */
std::vector<CsvWriter> open_one_a_chain(const std::string& name, const Run& run, int num_chains) {
  if (name.empty()) {
    return std::vector<CsvWriter>(static_cast<std::size_t>(num_chains));
  }
  std::vector<CsvWriter> writers;
  for (const auto& path : chain_files(name, "", ".csv", num_chains, run.first_chain())) {
    writers.emplace_back(path, run.precision());
  }
  return writers;
}

}  // namespace

void Run::open_csv_files(int num_chains) {
  outputs.results = open_one_a_chain(get<std::string>(arguments, "output.file"), *this, num_chains);
  outputs.diagnostics = open_one_a_chain(get<std::string>(arguments, "output.diagnostic_file"), *this, num_chains);
}

void Run::begin() {
  if (get<bool>(arguments, "output.save_cmdstan_config")) {
    save_configuration(arguments, model, started);
  }
  const auto header = header_lines(arguments, model, started);
  for (auto& writer : outputs.results) {
    writer.comment(header);
  }
  outputs.combined.comment(header);
  const auto diagnostic_header = diagnostic_header_lines(arguments, model);
  for (auto& writer : outputs.diagnostics) {
    writer.comment(diagnostic_header);
  }
}

void Run::mark_failed(const std::string& reason) {
  for (auto& writer : outputs.results) {
    writer.mark_failed(reason);
  }
  outputs.combined.mark_failed(reason);
  for (auto& writer : outputs.diagnostics) {
    writer.mark_failed(reason);
  }
}

}  // namespace runner
