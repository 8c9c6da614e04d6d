#include "render.hpp"

namespace runner {
namespace {

void add_lines(const Argument& parent, const std::string& indent, std::vector<std::string>& lines) {
  for (const auto& argument : parent.children) {
    if (argument.kind == Argument::Kind::group) {
      lines.push_back(indent + argument.name);
      add_lines(argument, indent + "  ", lines);
      continue;
    }
    lines.push_back(indent + argument.name + " = " + print(argument.value) +
                    (argument.is_default() ? " (Default)" : ""));
    if (argument.kind == Argument::Kind::choice) {
      const Argument& chosen = argument.chosen();
      if (chosen.kind == Argument::Kind::group) {
        lines.push_back(indent + "  " + chosen.name);
        add_lines(chosen, indent + "    ", lines);
      }
    }
  }
}

void write_value(const std::string& name, const Value& value, stan::callbacks::structured_writer& writer) {
  std::visit([&](const auto& held) { writer.write(name, held); }, value);
}

void help_for(const Argument& argument, const std::string& indent, bool all, std::ostream& out) {
  const bool is_group = argument.kind == Argument::Kind::group || argument.kind == Argument::Kind::word;
  out << indent << argument.name << (is_group ? "" : "=" + placeholder(argument)) << '\n';
  out << indent << "    " << argument.help;
  const std::string range = argument.range.describe(argument.name);
  out << (range.empty() ? "" : "; " + range);
  out << (is_group ? "" : "; default: " + print(argument.fallback)) << '\n';
  if (!all) {
    return;
  }
  for (const auto& child : argument.children) {
    if (argument.kind == Argument::Kind::choice && child.children.empty()) {
      continue;
    }
    help_for(child, indent + "  ", all, out);
  }
}

}  // namespace

std::vector<std::string> configuration_lines(const Argument& root) {
  std::vector<std::string> lines;
  add_lines(root, "", lines);
  return lines;
}

void write_configuration(const Argument& root, stan::callbacks::structured_writer& writer) {
  for (const auto& argument : root.children) {
    if (argument.kind == Argument::Kind::leaf) {
      write_value(argument.name, argument.value, writer);
      continue;
    }
    writer.begin_record(argument.name);
    if (argument.kind == Argument::Kind::group) {
      write_configuration(argument, writer);
    } else {
      write_value("value", argument.value, writer);
      const Argument& chosen = argument.chosen();
      if (chosen.kind == Argument::Kind::group) {
        writer.begin_record(chosen.name);
        write_configuration(chosen, writer);
        writer.end_record();
      }
    }
    writer.end_record();
  }
}

void print_help(const Argument& about, bool all, std::ostream& out) {
  if (!about.name.empty()) {
    out << about.name << ": " << about.help << "\n\n";
  }
  if (about.children.empty()) {
    out << "No arguments follow it.\n";
  }
  for (const auto& child : about.children) {
    help_for(child, "", all, out);
  }
}

void print_usage(const std::string& program, const Argument& root, std::ostream& out) {
  out << "Usage: " << program << " <method> [<argument>=<value> | <group> <argument>=<value> ...] ...\n"
      << "       " << program << " [... <group>] help | help-all\n"
      << "       " << program << " info\n\n"
      << "Methods:\n";
  for (const auto& method : root.child("method")->children) {
    out << "  " << method.name << "    " << method.help << '\n';
  }
  out << "\nArguments of every method:\n";
  for (const auto& argument : root.children) {
    if (argument.name != "method") {
      out << "  " << argument.name << "    " << argument.help << '\n';
    }
  }
  out << '\n';
}

}  // namespace runner
