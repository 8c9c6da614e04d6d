#include "configuration.hpp"
#include "method.hpp"

namespace runner {

std::vector<CsvWriter> Run::open_csv(const std::string& name, int num_chains) const {
  if (name.empty()) {
    return std::vector<CsvWriter>(static_cast<std::size_t>(num_chains));
  }
  std::vector<CsvWriter> writers;
  for (const auto& path : chain_files(name, "", ".csv", num_chains, static_cast<int>(id))) {
    writers.emplace_back(path, precision());
  }
  return writers;
}

void Run::begin(const std::vector<std::vector<CsvWriter>*>& outputs) const {
  if (get<bool>(arguments, "output.save_cmdstan_config")) {
    save_configuration(arguments, model, started);
  }
  const auto header = header_lines(arguments, model, started);
  for (auto* writers : outputs) {
    for (auto& writer : *writers) {
      writer.comment(header);
    }
  }
}

}  // namespace runner
