#include "configuration.hpp"

#include <stan/version.hpp>

#include "callbacks.hpp"
#include "files.hpp"
#include "render.hpp"

namespace runner {
namespace {

std::vector<std::string> identification(const stan::model::model_base& model) {
  return {"stan_version_major = " + stan::MAJOR_VERSION, "stan_version_minor = " + stan::MINOR_VERSION,
          "stan_version_patch = " + stan::PATCH_VERSION, "model = " + model.model_name()};
}

void append(std::vector<std::string>& lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::string> header_lines(const Argument& arguments, const stan::model::model_base& model,
                                      const std::string& started) {
  std::vector<std::string> lines = identification(model);
  lines.push_back("start_datetime = " + started);
  append(lines, configuration_lines(arguments));
  append(lines, model.model_compile_info());
  return lines;
}

std::vector<std::string> diagnostic_header_lines(const Argument& arguments, const stan::model::model_base& model) {
  std::vector<std::string> lines = identification(model);
  append(lines, configuration_lines(arguments));
  return lines;
}

std::string configuration_file(const Argument& arguments) {
  return chain_files(get<std::string>(arguments, "output.file"), "_config", ".json", 1, 0).front();
}

void save_configuration(const Argument& arguments, const stan::model::model_base& model,
                        const std::string& started) {
  JsonDocument document(get_int(arguments, "output.sig_figs"));
  auto writer = document.writer();
  writer.begin_record();
  writer.write("stan_major_version", stan::MAJOR_VERSION);
  writer.write("stan_minor_version", stan::MINOR_VERSION);
  writer.write("stan_patch_version", stan::PATCH_VERSION);
  writer.write("model_name", model.model_name());
  writer.write("start_datetime", started);
  write_configuration(arguments, writer);
  writer.write("mpi_enabled", false);
  for (const auto& line : model.model_compile_info()) {
    const std::size_t equals = line.find(" = ");
    writer.write(line.substr(0, equals), line.substr(equals + 3));
  }
  writer.end_record();
  write_file(configuration_file(arguments), document.text());
}

}  // namespace runner
