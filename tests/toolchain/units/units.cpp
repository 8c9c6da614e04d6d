#include "units.hpp"

#include <iostream>
#include <map>
#include <stdexcept>

namespace {

std::map<std::string, void (*)()>& units() {
  static std::map<std::string, void (*)()> all;
  return all;
}

}  // namespace

Registered::Registered(const char* name, void (*body)()) {
  if (!units().emplace(name, body).second) {
    throw std::logic_error(std::string("two units are called ") + name);
  }
}

void require(bool holds, const std::string& what, const std::string& details, const char* file, int line) {
  if (!holds) {
    throw std::logic_error(std::string(file) + ":" + std::to_string(line) + ": " + what + details);
  }
}

int main(int argc, char* argv[]) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " --list | <unit>\n";
    return 2;
  }
  if (std::string(argv[1]) == "--list") {
    for (const auto& [name, body] : units()) {
      std::cout << name << '\n';
    }
    return 0;
  }
  try {
    units().at(argv[1])();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
