#include "plan.hpp"

#include <filesystem>
#include <map>
#include <utility>

#include "configuration.hpp"
#include "error.hpp"
#include "files.hpp"
#include "inputs.hpp"

namespace runner {
namespace {

void require_file_name(const Argument& argument) {
  const std::string& name = std::get<std::string>(argument.value);
  const std::string last = std::filesystem::path(name).filename().string();
  if (last.empty() || last == "." || last == "..") {
    throw UserError("'" + argument.name + "=" + name + "' is not valid: expected the name of a file");
  }
}

void add_shared_files(const Argument& arguments, Plan& plan) {
  const Argument& output = *arguments.child("output");
  require_file_name(*output.child("file"));
  if (!get<std::string>(output, "diagnostic_file").empty()) {
    require_file_name(*output.child("diagnostic_file"));
  }
  plan.read("data", {get<std::string>(arguments, "data.file")});
  if (get<bool>(output, "save_cmdstan_config")) {
    plan.write_at_the_end("configuration", {configuration_file(arguments)});
  }
  const Argument& profile = *output.child("profile_file");
  const std::string& profile_file = std::get<std::string>(profile.value);
  if (profile_file.empty()) {
    return;
  }
  require_file_name(profile);
  // Few programs have profiles: only who names the file is sure to want it.
  plan.outputs.push_back({"profile", profile_file, !profile.is_default()});
}

void check_apart(const Plan& plan) {
  std::map<std::string, const Plan::File*> taken;
  for (const auto& input : plan.inputs) {
    taken.emplace(identity(input.path), &input);
  }
  for (const auto& output : plan.outputs) {
    const std::string key = identity(output.path);
    if (key.empty()) {
      continue;
    }
    const auto [other, is_free] = taken.emplace(key, &output);
    if (!is_free && other->second->purpose == output.purpose) {
      throw UserError("the " + output.purpose + " file '" + output.path +
                      "' cannot take the output of several chains: name a regular file");
    }
    if (!is_free) {
      throw UserError("the " + output.purpose + " file '" + output.path + "' is the same file as the " +
                      other->second->purpose + " file '" + other->second->path + "': give them different names");
    }
  }
}

}  // namespace

void Plan::read(const std::string& purpose, const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    if (!path.empty()) {
      inputs.push_back({purpose, path});
    }
  }
}

void Plan::write_along(const std::string& purpose, const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    outputs.push_back({purpose, path});
  }
}

void Plan::write_at_the_end(const std::string& purpose, const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    outputs.push_back({purpose, path, true});
  }
}

std::string output_file(const Argument& arguments) {
  return chain_files(get<std::string>(arguments, "output.file"), "", ".csv", 1, 0).front();
}

Plan plan_chains(const Argument& arguments, int num_chains) {
  const int id = get_int(arguments, "id");
  Plan plan;
  plan.read("init", init_files(get<std::string>(arguments, "init"), num_chains, id));
  for (const auto& [purpose, argument] : {std::pair("output", "output.file"),
                                          std::pair("diagnostic", "output.diagnostic_file")}) {
    const std::string& name = get<std::string>(arguments, argument);
    if (!name.empty()) {
      plan.write_along(purpose, chain_files(name, "", ".csv", num_chains, id));
    }
  }
  return plan;
}

void check_files(const Argument& arguments, Plan plan) {
  add_shared_files(arguments, plan);
  check_apart(plan);
  for (const auto& output : plan.outputs) {
    if (output.must_be_writable) {
      check_writable(output.path);
    }
  }
}

}  // namespace runner
