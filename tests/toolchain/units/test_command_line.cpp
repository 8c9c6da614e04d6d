#include <functional>

#include "command_line.hpp"
#include "method.hpp"
#include "units.hpp"

namespace {

using runner::Argument;
using Action = runner::Request::Action;
using Tokens = std::vector<std::string>;

/** Small, but with a name (`size`) on three levels, and a choice within a choice. */
Argument tree() {
  using namespace runner;
  const Argument engine =
      choice("engine", "", "fast", {group("fast", "", {integer("size", "", 1, at_least(0))}), group("slow", "")});
  const Argument walk = group("walk", "", {integer("steps", "", 10, at_least(0)), engine,
                                           group("tune", "", {real("rate", "", 0.5, {}), integer("size", "", 2, {})})});
  const Argument jump = group("jump", "", {integer("height", "", 1, at_least(0))});
  return group("", "", {choice("method", "", "walk", {walk, jump}), integer("size", "", 3, {}),
                        group("output", "", {text("file", "", "o.csv"), flag("loud", "", false)})});
}

Argument parsed(const Tokens& tokens) {
  Argument root = tree();
  const auto request = runner::parse_command_line(tokens, root);
  CHECK(request.action == Action::run);
  return root;
}

long long number(const Argument& root, const std::string& path) { return runner::get<long long>(root, path); }

/** Calls `visit` with every leaf of the real command line, and with the tokens that lead there. */
void each_leaf(const Argument& at, const Tokens& way, const std::function<void(const Argument&, Tokens)>& visit) {
  for (const auto& child : at.children) {
    Tokens further = way;
    if (child.kind == Argument::Kind::leaf) {
      visit(child, way);
    } else if (child.kind == Argument::Kind::group) {
      further.push_back(child.name);
      each_leaf(child, further, visit);
    } else {
      for (const auto& alternative : child.children) {
        further = way;
        further.push_back(child.name + "=" + alternative.name);
        each_leaf(alternative, further, visit);
      }
    }
  }
}

}  // namespace

UNIT(a_token_belongs_to_the_innermost_that_knows_it) {
  const Argument root = parsed({"walk", "engine=fast", "size=7", "tune", "size=8", "rate=-1"});
  CHECK_EQUAL(number(root, "method.walk.engine.fast.size"), 7);
  CHECK_EQUAL(number(root, "method.walk.tune.size"), 8);
  CHECK_EQUAL(number(root, "size"), 3);
}

UNIT(groups_close_when_an_outer_token_comes) {
  const Argument root = parsed({"walk", "tune", "rate=2", "steps=5", "size=9"});
  CHECK_EQUAL(number(root, "method.walk.steps"), 5);
  CHECK_EQUAL(number(root, "method.walk.tune.size"), 2);
  CHECK_EQUAL(number(root, "size"), 9);
  CHECK_REFUSED(parsed({"output", "walk", "loud=1"}), "'loud=1' is misplaced: it belongs in 'output loud=<boolean>'");
  CHECK_REFUSED(parsed({"walk", "tune", "steps=5", "rate=2"}),
                "'rate=2' is misplaced: it belongs in 'method=walk tune rate=<double>'");
}

UNIT(a_method_is_a_word_or_a_value) {
  CHECK_EQUAL(runner::get<std::string>(parsed({"jump", "height=4"}), "method"), "jump");
  CHECK_EQUAL(number(parsed({"method=jump", "height=4"}), "method.jump.height"), 4);
  CHECK_EQUAL(number(parsed({"output", "loud=1", "method=jump", "height=4"}), "method.jump.height"), 4);
  CHECK_REFUSED(parsed({}), "a method must be given, as in 'walk' (methods: walk|jump");
  CHECK_REFUSED(parsed({"output", "loud=1"}), "a method must be given");
  CHECK_REFUSED(parsed({"method=swim"}), "expected one of walk|jump");
  CHECK_REFUSED(parsed({"walk", "jump"}), "'method' is given twice, as walk and as jump");
  CHECK_REFUSED(parsed({"jump", "steps=1"}), "'steps=1' is misplaced: it belongs in 'method=walk steps=<int>'");
}

UNIT(a_value_goes_to_the_last_character) {
  const Argument root = parsed({"walk", "output", "file=a=b c.csv"});
  CHECK_EQUAL(runner::get<std::string>(root, "output.file"), "a=b c.csv");
  CHECK_EQUAL(runner::get<std::string>(parsed({"walk", "output", "file="}), "output.file"), "");
}

UNIT(twice_is_an_error_unless_it_is_the_same) {
  CHECK_EQUAL(number(parsed({"walk", "steps=4", "steps=4"}), "method.walk.steps"), 4);
  CHECK_REFUSED(parsed({"walk", "steps=4", "steps=5"}), "'steps' is given twice, as 4 and as 5");
  CHECK_EQUAL(number(parsed({"walk", "tune", "size=4", "steps=1", "tune", "rate=1"}), "method.walk.tune.size"), 4);
}

UNIT(shapes_of_tokens_are_checked) {
  CHECK_REFUSED(parsed({"walk", "tune=1"}), "'tune=1' is not valid: tune is a group and takes no value");
  CHECK_REFUSED(parsed({"walk", "steps"}), "'steps' needs a value: steps=<int>");
  CHECK_REFUSED(parsed({"walk", "engine"}), "'engine' needs a value: engine=fast|slow");
  CHECK_REFUSED(parsed({"walk", ""}), "is not a known argument after 'walk'");
  CHECK_REFUSED(parsed({"walk", "=1"}), "is not a known argument");
  CHECK_REFUSED(parsed({"walk", "--steps=1"}), "the nearest is 'steps', as in 'method=walk steps=<int>'");
}

UNIT(help_is_about_where_it_stands) {
  Argument root = tree();
  auto request = runner::parse_command_line({"help"}, root);
  CHECK(request.action == Action::help && request.about == &root);
  request = runner::parse_command_line({"walk", "tune", "help-all", "nonsense"}, root);
  CHECK(request.action == Action::help_all);
  CHECK_EQUAL(request.about->name, "tune");
  request = runner::parse_command_line({"walk", "engine=slow", "help"}, root);
  CHECK_EQUAL(request.about->name, "slow");
}

UNIT(info_comes_first_or_not_at_all) {
  Argument root = tree();
  CHECK(runner::parse_command_line({"info", "nonsense"}, root).action == Action::info);
  CHECK_REFUSED(runner::parse_command_line({"walk", "info"}, root), "'info' is not a known argument");
}

UNIT(every_real_argument_can_be_given_on_its_own) {
  int leaves = 0;
  each_leaf(runner::command_line_arguments(), {}, [&leaves](const Argument& leaf, Tokens tokens) {
    const std::string value = leaf.name + "=" + runner::print(leaf.fallback);
    if (tokens.empty() || tokens.front().rfind("method=", 0) != 0) {
      tokens.insert(tokens.begin(), "sample");
    }
    tokens.push_back(value);
    Argument root = runner::command_line_arguments();
    runner::parse_command_line(tokens, root);
    tokens.back() = leaf.name + "=1";  // admitted by all but open ranges, files and flags alike
    tokens.push_back(value);
    const bool same = value == leaf.name + "=1" || (value == leaf.name + "=true");
    if (!same && leaf.range.holds(1)) {
      CHECK_REFUSED(runner::parse_command_line(tokens, root = runner::command_line_arguments()), "is given twice");
    }
    ++leaves;
  });
  CHECK(leaves > 25);
}

UNIT(every_real_argument_says_what_it_is) {
  const std::function<void(const Argument&)> check = [&check](const Argument& at) {
    for (const auto& child : at.children) {
      CHECK_EQUAL(child.name + (child.help.size() > 3 ? "" : " has no help"), child.name);
      CHECK_EQUAL(child.name + (child.help.back() == '.' ? " ends its help in a full stop" : ""), child.name);
      CHECK(child.kind != Argument::Kind::choice || child.child(std::get<std::string>(child.value)) != nullptr);
      check(child);
    }
  };
  check(runner::command_line_arguments());
}
