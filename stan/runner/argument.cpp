#include "argument.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "error.hpp"

namespace runner {
namespace {

// CmdStan keeps its integers in an int; the seed alone is wider and brings its own upper bound.
constexpr double largest_int = std::numeric_limits<int>::max();

std::string number_text(double number) {
  std::ostringstream out;
  out.precision(17);
  out << number;
  return out.str();
}

bool read_integer(const std::string& written, long long& number) {
  if (written.empty() || std::isspace(static_cast<unsigned char>(written[0]))) {
    return false;
  }
  char* end = nullptr;
  errno = 0;
  number = std::strtoll(written.c_str(), &end, 10);
  return *end == '\0' && errno == 0;
}

bool read_real(const std::string& written, double& number) {
  if (written.empty() || std::isspace(static_cast<unsigned char>(written[0]))) {
    return false;
  }
  char* end = nullptr;
  number = std::strtod(written.c_str(), &end);
  return *end == '\0' && std::isfinite(number);
}

bool read_flag(const std::string& written, bool& value) {
  value = written == "1" || written == "true";
  return value || written == "0" || written == "false";
}

bool read_leaf(const Argument& argument, const std::string& written, Value& value) {
  if (std::holds_alternative<bool>(argument.fallback)) {
    return read_flag(written, value.emplace<bool>());
  }
  if (std::holds_alternative<long long>(argument.fallback)) {
    auto& number = value.emplace<long long>();
    return read_integer(written, number) && argument.range.holds(static_cast<double>(number));
  }
  if (std::holds_alternative<double>(argument.fallback)) {
    auto& number = value.emplace<double>();
    return read_real(written, number) && argument.range.holds(number);
  }
  value = written;
  return true;
}

std::string expected(const Argument& argument) {
  if (argument.kind == Argument::Kind::choice) {
    return "one of " + placeholder(argument);
  }
  if (std::holds_alternative<bool>(argument.fallback)) {
    return "0, 1, false or true";
  }
  const std::string range = argument.range.describe(argument.name);
  const std::string type = std::holds_alternative<long long>(argument.fallback) ? "an integer" : "a number";
  return range.empty() ? type : type + ", " + range;
}

Argument leaf(std::string name, std::string help, Value fallback, Range range = {}) {
  Argument made{Argument::Kind::leaf, std::move(name), std::move(help), fallback, fallback, range, {}};
  return made;
}

}  // namespace

bool Range::holds(double number) const {
  return open ? low < number && number < high : low <= number && number <= high;
}

std::string Range::describe(const std::string& name) const {
  const std::string relation = open ? " < " : " <= ";
  std::string words;
  if (std::isfinite(low)) {
    words += number_text(low) + relation;
  }
  const bool has_top = std::isfinite(high) && high != largest_int;
  if (!words.empty() || has_top) {
    words += name;
  }
  return has_top ? words + relation + number_text(high) : words;
}

Range at_least(double low) { return {low, std::numeric_limits<double>::infinity(), false}; }
Range above(double low) { return {low, std::numeric_limits<double>::infinity(), true}; }
Range between(double low, double high) { return {low, high, false}; }
Range strictly_between(double low, double high) { return {low, high, true}; }

const Argument* Argument::child(std::string_view wanted) const {
  for (const auto& candidate : children) {
    if (candidate.name == wanted) {
      return &candidate;
    }
  }
  return nullptr;
}

Argument* Argument::child(std::string_view wanted) {
  return const_cast<Argument*>(static_cast<const Argument&>(*this).child(wanted));
}

const Argument& Argument::chosen() const { return *child(std::get<std::string>(value)); }

Argument group(std::string name, std::string help, std::vector<Argument> children) {
  return {Argument::Kind::group, std::move(name), std::move(help), {}, {}, {}, std::move(children)};
}

Argument word(std::string name, std::string help) {
  return {Argument::Kind::word, std::move(name), std::move(help), {}, {}, {}, {}};
}

Argument choice(std::string name, std::string help, std::string fallback, std::vector<Argument> alternatives) {
  return {Argument::Kind::choice, std::move(name), std::move(help), fallback, fallback, {}, std::move(alternatives)};
}

Argument integer(std::string name, std::string help, long long fallback, Range range) {
  range.high = std::isfinite(range.high) ? range.high : largest_int;
  return leaf(std::move(name), std::move(help), fallback, range);
}

Argument real(std::string name, std::string help, double fallback, Range range) {
  return leaf(std::move(name), std::move(help), fallback, range);
}

Argument flag(std::string name, std::string help, bool fallback) {
  return leaf(std::move(name), std::move(help), fallback);
}

Argument text(std::string name, std::string help, std::string fallback) {
  return leaf(std::move(name), std::move(help), std::move(fallback));
}

void assign(Argument& argument, const std::string& written) {
  const bool is_choice = argument.kind == Argument::Kind::choice;
  Value value;
  const bool valid = is_choice ? argument.child(written) != nullptr : read_leaf(argument, written, value);
  if (!valid) {
    throw UserError("'" + argument.name + "=" + written + "' is not valid: expected " + expected(argument));
  }
  argument.value = is_choice ? Value(written) : value;
}

std::string print(const Value& value) {
  std::ostringstream out;
  out << std::boolalpha;
  std::visit([&out](const auto& held) { out << held; }, value);
  return out.str();
}

std::string placeholder(const Argument& argument) {
  if (argument.kind == Argument::Kind::choice) {
    std::string names;
    for (const auto& alternative : argument.children) {
      names += (names.empty() ? "" : "|") + alternative.name;
    }
    return names;
  }
  static const char* const types[] = {"<boolean>", "<int>", "<double>", "<string>"};
  return types[argument.fallback.index()];
}

const Argument& node(const Argument& root, std::string_view path) {
  const Argument* at = &root;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t dot = std::min(path.find('.', start), path.size());
    at = at->child(path.substr(start, dot - start));
    if (at == nullptr) {
      throw std::logic_error("no argument at '" + std::string(path) + "'");
    }
    start = dot + 1;
  }
  return *at;
}

}  // namespace runner
