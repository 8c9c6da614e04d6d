#ifndef RUNNER_ARGUMENT_HPP
#define RUNNER_ARGUMENT_HPP

#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace runner {

using Value = std::variant<bool, long long, double, std::string>;

/** The numbers that an argument admits. */
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open = false;  ///< whether the finite bounds themselves are excluded

  bool holds(double number) const;
  std::string describe(const std::string& name) const;
};

Range at_least(double low);
Range above(double low);
Range between(double low, double high);
Range strictly_between(double low, double high);

/**
 * A node of the tree that declares the command line. From this one declaration come the parser, the
 * comments of the CSV files, the JSON configuration and the help text.
 */
struct Argument {
  enum class Kind {
    group,   ///< `adapt`: a name under which others follow
    choice,  ///< `algorithm=hmc`: the value names the child whose own children may follow
    word,    ///< `diag_e`: an alternative of a choice that is nothing but its name
    leaf     ///< `delta=0.8`
  };

  Kind kind;
  std::string name;
  std::string help;
  Value value;
  Value fallback;
  Range range;
  std::vector<Argument> children;

  bool is_default() const { return value == fallback; }
  const Argument* child(std::string_view wanted) const;
  Argument* child(std::string_view wanted);
  /** Of a choice: the alternative that its value names. */
  const Argument& chosen() const;
};

Argument group(std::string name, std::string help, std::vector<Argument> children = {});
Argument word(std::string name, std::string help);
Argument choice(std::string name, std::string help, std::string fallback, std::vector<Argument> alternatives);
Argument integer(std::string name, std::string help, long long fallback, Range range);
Argument real(std::string name, std::string help, double fallback, Range range);
Argument flag(std::string name, std::string help, bool fallback);
Argument text(std::string name, std::string help, std::string fallback);

/** Reads `written` into a leaf or a choice; throws UserError with what was expected. */
void assign(Argument& argument, const std::string& written);

/** As CmdStan prints it: six significant digits, `true` and `false`. */
std::string print(const Value& value);

/** What may be written after the equals sign, for help and messages: `<int>`, `diag_e|dense_e`. */
std::string placeholder(const Argument& argument);

/** The node at a path such as "method.sample.adapt"; a path that does not exist is a mistake in the code. */
const Argument& node(const Argument& root, std::string_view path);

template <typename T>
const T& get(const Argument& root, std::string_view path) {
  return std::get<T>(node(root, path).value);
}

inline int get_int(const Argument& root, std::string_view path) {
  return static_cast<int>(get<long long>(root, path));
}

}  // namespace runner

#endif
