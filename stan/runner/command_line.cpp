#include "command_line.hpp"

#include <map>
#include <utility>

#include "error.hpp"
#include "nearest.hpp"

namespace runner {
namespace {

class Parser {
 public:
  explicit Parser(Argument& root) : open_{&root} {}

  Request parse(const std::vector<std::string>& tokens) {
    for (const auto& token : tokens) {
      if (token == "help" || token == "help-all") {
        return {token == "help" ? Request::Action::help : Request::Action::help_all, open_.back()};
      }
      take(token);
    }
    if (given_.count(method()) == 0) {
      throw UserError("a method must be given, as in '" + method()->children.front().name +
                      "' (methods: " + placeholder(*method()) + "; see 'help')");
    }
    return {};
  }

 private:
  Argument* method() const { return open_.front()->child("method"); }

  void take(const std::string& token) {
    const std::size_t equals = token.find('=');
    const bool has_value = equals != std::string::npos;
    const std::string name = token.substr(0, equals);
    if (!has_value && method()->child(name) != nullptr) {
      open_.resize(1);
      give(*method(), name);
      return;
    }
    for (std::size_t level = open_.size(); level-- > 0;) {
      if (Argument* found = open_[level]->child(name)) {
        open_.resize(level + 1);
        accept(*found, token, has_value ? token.substr(equals + 1) : "", has_value);
        return;
      }
    }
    throw UserError(unknown_argument(token, name, *open_.front(), open_.back()->name));
  }

  void accept(Argument& found, const std::string& token, const std::string& value, bool has_value) {
    if (found.kind == Argument::Kind::group) {
      if (has_value) {
        throw UserError("'" + token + "' is not valid: " + found.name + " is a group and takes no value");
      }
      open_.push_back(&found);
    } else if (!has_value) {
      throw UserError("'" + found.name + "' needs a value: " + found.name + "=" + placeholder(found));
    } else {
      give(found, value);
    }
  }

  void give(Argument& argument, const std::string& value) {
    const auto [earlier, is_first] = given_.emplace(&argument, value);
    if (!is_first && earlier->second != value) {
      throw UserError("'" + argument.name + "' is given twice, as " + earlier->second + " and as " + value);
    }
    assign(argument, value);
    if (argument.kind == Argument::Kind::choice) {
      open_.push_back(argument.child(value));
    }
  }

  std::vector<Argument*> open_;
  std::map<const Argument*, std::string> given_;
};

}  // namespace

Request parse_command_line(const std::vector<std::string>& tokens, Argument& root) {
  if (!tokens.empty() && tokens[0] == "info") {
    return {Request::Action::info, nullptr};
  }
  return Parser(root).parse(tokens);
}

}  // namespace runner
