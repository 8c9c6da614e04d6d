#include "draws_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include "error.hpp"

namespace runner {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, ',');) {
    fields.push_back(field);
  }
  return fields;
}

std::size_t count_fields(const std::string& line) {
  return static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
}

bool is_algorithms_own(const std::string& name) {
  return name.size() > 2 && name.compare(name.size() - 2, 2, "__") == 0;
}

}  // namespace

DrawsFile::DrawsFile(std::string path, std::string purpose, std::vector<std::string> parameters)
    : path_(std::move(path)), purpose_(std::move(purpose)), parameters_(std::move(parameters)) {
  std::error_code unused;
  if (std::filesystem::exists(path_, unused) && !std::filesystem::is_regular_file(path_, unused)) {
    fail("expected a regular file");
  }
  rewind();
  std::vector<double> values;
  for (std::string line; next_line(line); ++rows_) {
    read_row(line, values);
  }
  if (rows_ == 0) {
    fail("there are no draws in it");
  }
  rewind();
}

bool DrawsFile::next(std::vector<double>& values) {
  std::string line;
  if (!next_line(line)) {
    return false;
  }
  read_row(line, values);
  return true;
}

bool DrawsFile::has_comment(const std::string& text) const {
  return std::any_of(comments_.begin(), comments_.end(),
                     [&text](const auto& line) { return line == text || line == text + " (Default)"; });
}

void DrawsFile::rewind() {
  file_ = std::ifstream(path_, std::ios::binary);
  if (!file_) {
    fail(std::strerror(errno));
  }
  line_ = 0;
  comments_.clear();
  read_header();
}

bool DrawsFile::next_line(std::string& line) {
  while (std::getline(file_, line)) {
    ++line_;
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (line.empty()) {
      continue;
    }
    if (line[0] != '#') {
      return true;
    }
    if (columns_ == 0) {
      comments_.push_back(line.substr(std::min(line.find_first_not_of("# "), line.size())));
    }
  }
  return false;
}

void DrawsFile::read_header() {
  columns_ = 0;
  std::string line;
  if (!next_line(line)) {
    fail("there is no header in it");
  }
  const auto names = split(line);
  columns_ = names.size();
  first_ = static_cast<std::size_t>(
      std::find_if_not(names.begin(), names.end(), is_algorithms_own) - names.begin());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string found = first_ + i < columns_ ? "'" + names[first_ + i] + "'" : "nothing";
    if (found != "'" + parameters_[i] + "'") {
      fail_here("it is not of this model: expected a column '" + parameters_[i] + "', found " + found);
    }
  }
}

void DrawsFile::read_row(const std::string& line, std::vector<double>& values) const {
  const std::size_t found = count_fields(line);
  if (found != columns_) {
    fail_here("expected " + std::to_string(columns_) + " values, found " + std::to_string(found));
  }
  values.resize(parameters_.size());
  if (values.empty()) {
    return;
  }
  const char* at = line.c_str();
  for (std::size_t i = 0; i < first_; ++i) {
    at = std::strchr(at, ',') + 1;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    char* end = nullptr;
    values[i] = std::strtod(at, &end);
    const char* const stop = at + std::strcspn(at, ",");
    if (end == at || end + std::strspn(end, " \t") != stop) {
      fail_here("expected a number for '" + parameters_[i] + "', found '" + std::string(at, stop) + "'");
    }
    at = stop + (*stop == ',' ? 1 : 0);
  }
}

void DrawsFile::fail(const std::string& reason) const {
  throw UserError("cannot use the " + purpose_ + " file '" + path_ + "': " + reason);
}

void DrawsFile::fail_here(const std::string& reason) const { fail("line " + std::to_string(line_) + ": " + reason); }

}  // namespace runner
