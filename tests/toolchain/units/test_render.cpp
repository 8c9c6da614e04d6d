#include "callbacks.hpp"
#include "render.hpp"
#include "units.hpp"

namespace {

using runner::Argument;

Argument tree() {
  using namespace runner;
  const Argument round = group("round", "A disc", {real("radius", "Its size", 0.25, above(0))});
  const Argument shape =
      choice("shape", "What to draw", "round", {round, word("square", "A box"), group("blank", "Nothing")});
  return group("", "", {choice("method", "What to do", "draw",
                               {group("draw", "Draws", {integer("copies", "How many", 1, at_least(0)), shape,
                                                        group("ink", "The ink", {flag("wet", "Whether wet", true)})})}),
                        group("output", "Files", {text("file", "Where to", "o.csv")})});
}

std::string lines(const Argument& root) {
  std::string all;
  for (const auto& line : runner::configuration_lines(root)) {
    all += line + '\n';
  }
  return all;
}

template <typename Print>
std::string printed(const Print& print) {
  std::ostringstream out;
  print(out);
  return out.str();
}

}  // namespace

UNIT(the_configuration_is_indented_and_marks_defaults) {
  Argument root = tree();
  CHECK_EQUAL(lines(root), "method = draw (Default)\n  draw\n    copies = 1 (Default)\n    shape = round (Default)\n"
                           "      round\n        radius = 0.25 (Default)\n    ink\n      wet = true (Default)\n"
                           "output\n  file = o.csv (Default)\n");
  Argument& draw = *root.child("method")->child("draw");
  runner::assign(*draw.child("shape"), "square");
  runner::assign(*draw.child("copies"), "2");
  runner::assign(*root.child("output")->child("file"), "");
  CHECK_EQUAL(lines(root), "method = draw (Default)\n  draw\n    copies = 2\n    shape = square\n"
                           "    ink\n      wet = true (Default)\noutput\n  file = \n");
  runner::assign(*draw.child("shape"), "blank");  // a group, unlike a word, is named even where it is empty
  CHECK(lines(root).find("    shape = blank\n      blank\n    ink\n") != std::string::npos);
}

UNIT(the_configuration_as_json_has_types_and_escapes) {
  Argument root = tree();
  runner::assign(*root.child("output")->child("file"), "a\"b\\c.csv");
  runner::JsonDocument document(6);
  auto writer = document.writer();
  writer.begin_record();
  runner::write_configuration(root, writer);
  writer.end_record();
  std::string text;
  for (const char c : document.text()) {
    text += c == '\n' || c == ' ' ? "" : std::string(1, c);
  }
  CHECK_EQUAL(text, "{\"method\":{\"value\":\"draw\",\"draw\":{\"copies\":1,\"shape\":{\"value\":\"round\",\"round\":"
                    "{\"radius\":0.25}},\"ink\":{\"wet\":true}}},\"output\":{\"file\":\"a\\\"b\\\\c.csv\"}}");
}

UNIT(help_lists_one_level_and_help_all_every_one) {
  const Argument root = tree();
  const Argument& draw = *root.child("method")->child("draw");
  const auto help = [&draw](bool all) {
    return printed([&](std::ostream& out) { runner::print_help(draw, all, out); });
  };
  CHECK_EQUAL(help(false), "draw: Draws\n\ncopies=<int>\n    How many; 0 <= copies; default: 1\n"
                           "shape=round|square|blank\n    What to draw; default: round\nink\n    The ink\n");
  CHECK(help(true).find("    radius=<double>\n        Its size; 0 < radius; default: 0.25\n") != std::string::npos);
  CHECK(help(true).find("  wet=<boolean>\n      Whether wet; default: true\n") != std::string::npos);
  CHECK(help(true).find("  square\n      A box\n") == std::string::npos);
  const Argument& square = *draw.child("shape")->child("square");
  CHECK_EQUAL(printed([&](std::ostream& out) { runner::print_help(square, false, out); }),
              "square: A box\n\nNo arguments follow it.\n");
}

UNIT(the_usage_names_methods_and_what_they_share) {
  const std::string usage = printed([](std::ostream& out) { runner::print_usage("./model", tree(), out); });
  CHECK_EQUAL(usage.substr(0, usage.find('\n')),
              "Usage: ./model <method> [<argument>=<value> | <group> <argument>=<value> ...] ...");
  CHECK(usage.find("Methods:\n  draw    Draws\n") != std::string::npos);
  CHECK(usage.find("Arguments of every method:\n  output    Files\n") != std::string::npos);
  CHECK(usage.find("What to do") == std::string::npos);
}
