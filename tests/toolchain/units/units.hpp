#ifndef UNITS_HPP
#define UNITS_HPP

#include <sstream>
#include <string>
#include <vector>

#include "error.hpp"

/** `UNIT(name) { CHECK(...); }` makes a case, which `units name` runs. A UserError's message must be one line. */
#define UNIT(name) static void name(); static const Registered registered_##name(#name, name); static void name()
#define CHECK(condition) require(condition, #condition, "", __FILE__, __LINE__)
#define CHECK_EQUAL(ours, expected) check_equal(ours, expected, #ours, __FILE__, __LINE__)
#define CHECK_REFUSED(code, words) check_refused([&] { (void)(code); }, words, #code, __FILE__, __LINE__)

struct Registered {
  Registered(const char* name, void (*body)());
};

/** Throws if it does not hold. */
void require(bool holds, const std::string& what, const std::string& details, const char* file, int line);

template <typename Ours, typename Expected>
void check_equal(const Ours& ours, const Expected& expected, const char* what, const char* file, int line) {
  std::ostringstream details;
  details << ": got " << ours << ", not " << expected;
  require(ours == expected, what, details.str(), file, line);
}

template <typename Body>
void check_refused(const Body& body, const std::string& words, const char* what, const char* file, int line) {
  std::string message;
  try { body(); } catch (const runner::UserError& error) { message = error.what(); }
  const bool one_line = !message.empty() && message.find('\n') == std::string::npos;
  const std::string details = ": got '" + message + "', not '" + words + "'";
  require(one_line && message.find(words) != std::string::npos, what, details, file, line);
}

#endif
