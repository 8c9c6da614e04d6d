#include "r_dump.hpp"

#include <stan/io/dump.hpp>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "callbacks.hpp"
#include "error.hpp"

namespace runner {

Context read_dump(const std::string& text, const std::string& file) {
  std::istringstream stream(text);
  Context context;
  try {
    context = std::make_shared<stan::io::dump>(stream);
  } catch (const std::exception& error) {
    throw UserError("malformed R dump in " + file + ": " + single_line(error.what()));
  }
  // Stan's reader stops without a word at what it does not understand.
  stream.clear();
  const auto end = text.begin() + stream.tellg();
  if (std::any_of(end, text.end(), [](char c) { return std::isspace(static_cast<unsigned char>(c)) == 0; })) {
    throw UserError("malformed R dump in " + file + ", line " + std::to_string(std::count(text.begin(), end, '\n') + 1) +
                    ": expected name <- value");
  }
  return context;
}

}  // namespace runner
