#include "inputs.hpp"

#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "callbacks.hpp"
#include "error.hpp"
#include "files.hpp"
#include "r_dump.hpp"

namespace runner {
namespace {

constexpr double default_radius = 2;

std::string read_text(const std::string& path, const std::string& purpose) {
  std::error_code unused;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || std::filesystem::is_directory(path, unused) || !(text << file.rdbuf() || file.peek() == EOF)) {
    const int error = std::filesystem::is_directory(path, unused) ? EISDIR : errno;
    throw UserError("cannot read the " + purpose + " file '" + path + "': " + std::strerror(error));
  }
  return text.str();
}

// The parser reports a byte offset, in words; people look for a line and a column. An error without an offset
// is one of shape or type, in a variable that the message names.
std::string describe(const std::string& text, const std::string& message, const std::string& file) {
  const std::string mark = "at offset ";
  const std::size_t at = message.find(mark);
  if (at == std::string::npos) {
    return "unusable values in " + file + ": " + single_line(message);
  }
  char* rest = nullptr;
  const std::size_t reported = std::strtoull(message.c_str() + at + mark.size(), &rest, 10);
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(reported, text.size()));
  const auto line = std::count(text.begin(), end, '\n') + 1;
  const auto line_start = std::find(std::make_reverse_iterator(end), text.rend(), '\n').base();
  const std::string cause = single_line(rest[0] == ':' ? rest + 1 : rest);
  return "malformed JSON in " + file + ", line " + std::to_string(line) + ", column " +
         std::to_string(end - line_start + 1) + ": " + cause;
}

/** CmdStan goes by the name's ending alone; an object in braces cannot be anything else. */
bool is_json(const std::string& path, const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return std::filesystem::path(path).extension() == ".json" || (first != std::string::npos && text[first] == '{');
}

std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> parts;
  std::istringstream stream(names);
  for (std::string part; std::getline(stream, part, ',');) {
    parts.push_back(part);
  }
  return parts;
}

bool exists(const std::string& path) {
  std::error_code unused;
  return std::filesystem::exists(path, unused);
}

bool is_radius(const std::string& init, double& radius) {
  char* end = nullptr;
  radius = std::strtod(init.c_str(), &end);
  return end != init.c_str() && *end == '\0' && std::isfinite(radius);
}

}  // namespace

std::vector<std::string> input_files(const std::string& names, const std::string& purpose, int num_chains,
                                     int first_chain) {
  if (num_chains == 1 || names.empty()) {
    return {names};
  }
  const auto numbered = chain_files(names, "", std::filesystem::path(names).extension().string(), num_chains, first_chain);
  // A pipe keeps its name whatever the chain, and can be read once only.
  if (numbered.front() != names && exists(numbered.front())) {
    return numbered;
  }
  const auto parts = split(names);
  if (parts.size() <= 1 || exists(names)) {
    return {names};
  }
  if (parts.size() != numbered.size()) {
    throw UserError("the " + purpose + " argument names " + std::to_string(parts.size()) + " files for " +
                    std::to_string(num_chains) + " chains");
  }
  return parts;
}

Context read_context(const std::string& path, const std::string& purpose) {
  if (path.empty()) {
    return std::make_shared<stan::io::empty_var_context>();
  }
  const std::string text = read_text(path, purpose);
  const std::string file = "the " + purpose + " file '" + path + "'";
  if (!is_json(path, text)) {
    std::cerr << "Warning: " << file << " is read as R's dump format, which is deprecated; convert it to JSON\n";
    return read_dump(text, file);
  }
  std::istringstream stream(text);
  try {
    return std::make_shared<stan::json::json_data>(stream);
  } catch (const std::exception& error) {
    throw UserError(describe(text, error.what(), file));
  }
}

std::vector<Context> read_contexts(const std::string& names, const std::string& purpose, int num_chains,
                                   int first_chain) {
  std::vector<Context> contexts;
  for (const auto& path : input_files(names, purpose, num_chains, first_chain)) {
    contexts.push_back(read_context(path, purpose));
  }
  contexts.resize(static_cast<std::size_t>(num_chains), contexts.front());
  return contexts;
}

std::vector<std::string> init_files(const std::string& init, int num_chains, int first_chain) {
  double unused = 0;
  return is_radius(init, unused) ? std::vector<std::string>{} : input_files(init, "init", num_chains, first_chain);
}

Inits read_inits(const std::string& init, int num_chains, int first_chain) {
  double radius = 0;
  if (!is_radius(init, radius)) {
    return {default_radius, read_contexts(init, "init", num_chains, first_chain)};
  }
  if (radius < 0) {
    throw UserError("'init=" + init + "' is not valid: expected a radius of 0 or more, or a file");
  }
  return {radius, read_contexts("", "init", num_chains, first_chain)};
}

}  // namespace runner
