#include <cmath>
#include <stdexcept>

#include "argument.hpp"
#include "units.hpp"

namespace {

using runner::Argument;
using runner::Range;

template <typename T>
T read(Argument argument, const std::string& written) {
  runner::assign(argument, written);
  return std::get<T>(argument.value);
}

Argument count() { return runner::integer("count", "A count", 3, runner::at_least(0)); }
Argument fraction() { return runner::real("fraction", "A fraction", 0.5, runner::strictly_between(0, 1)); }
Argument shape() {
  return runner::choice("shape", "A shape", "round",
                        {runner::group("round", "Round", {runner::real("radius", "Its size", 1, runner::above(0))}),
                         runner::word("square", "Square")});
}

}  // namespace

UNIT(ranges_hold_their_finite_bounds_unless_open) {
  CHECK(runner::at_least(0).holds(0));
  CHECK(!runner::at_least(0).holds(-1));
  CHECK(runner::at_least(0).holds(1e300));
  CHECK(!runner::above(0).holds(0));
  CHECK(runner::above(0).holds(1e300));
  CHECK(runner::between(0, 1).holds(0) && runner::between(0, 1).holds(1));
  CHECK(!runner::strictly_between(0, 1).holds(0) && !runner::strictly_between(0, 1).holds(1));
  CHECK(!runner::between(0, 1).holds(std::nan("")) && !runner::above(0).holds(std::nan("")));
  CHECK(Range().holds(-1e308));
}

UNIT(ranges_describe_what_a_person_would_write) {
  CHECK_EQUAL(runner::at_least(0).describe("n"), "0 <= n");
  CHECK_EQUAL(runner::above(0).describe("x"), "0 < x");
  CHECK_EQUAL(runner::strictly_between(0, 1).describe("p"), "0 < p < 1");
  CHECK_EQUAL(runner::between(-1, 4294967295.0).describe("seed"), "-1 <= seed <= 4294967295");
  CHECK_EQUAL(Range().describe("x"), "");
  CHECK_EQUAL(count().range.describe("count"), "0 <= count");  // who asks for one has no use for an int's bound
}

UNIT(integers_are_read_whole) {
  CHECK_EQUAL(read<long long>(count(), "12"), 12);
  CHECK_EQUAL(read<long long>(count(), "007"), 7);
  CHECK_EQUAL(read<long long>(count(), "2147483647"), 2147483647);
  for (const char* bad : {"", " 12", "12 ", "1e3", "1.0", "ten", "-1", "2147483648", "99999999999999999999", "0x1"}) {
    CHECK_REFUSED(read<long long>(count(), bad), "expected an integer, 0 <= count");
  }
}

UNIT(numbers_are_finite) {
  const Argument any = runner::real("x", "Any number", 0, {});
  CHECK_EQUAL(read<double>(any, "-1e-3"), -1e-3);
  CHECK_EQUAL(read<double>(any, "7"), 7.0);
  for (const char* bad : {"", " 1", "1 ", "1,5", "nan", "inf", "-infinity", "1e999", "one"}) {
    CHECK_REFUSED(read<double>(any, bad), "expected a number");
  }
  CHECK_REFUSED(read<double>(fraction(), "1"), "'fraction=1' is not valid: expected a number, 0 < fraction < 1");
}

UNIT(flags_have_four_spellings) {
  const Argument either = runner::flag("on", "Whether", false);
  CHECK(read<bool>(either, "1") && read<bool>(either, "true"));
  CHECK(!read<bool>(either, "0") && !read<bool>(either, "false"));
  for (const char* bad : {"", "yes", "TRUE", "2", "on"}) {
    CHECK_REFUSED(read<bool>(either, bad), "expected 0, 1, false or true");
  }
}

UNIT(texts_may_be_anything) {
  for (const char* any : {"", "a=b", "with space", "-1"}) {
    CHECK_EQUAL(read<std::string>(runner::text("file", "A file", "f"), any), any);
  }
}

UNIT(a_refused_value_leaves_the_old_one) {
  Argument argument = count();
  runner::assign(argument, "5");
  CHECK_REFUSED(runner::assign(argument, "-5"), "'count=-5' is not valid");
  CHECK_EQUAL(std::get<long long>(argument.value), 5);
  Argument either = shape();
  CHECK_REFUSED(runner::assign(either, "oval"), "expected one of round|square");
  CHECK_EQUAL(either.chosen().name, "round");
}

UNIT(a_value_equal_to_the_default_is_the_default) {
  Argument argument = count();
  CHECK(argument.is_default());
  runner::assign(argument, "4");
  CHECK(!argument.is_default());
  runner::assign(argument, "3");
  CHECK(argument.is_default());
}

UNIT(choices_lead_to_what_they_name) {
  Argument argument = shape();
  CHECK_EQUAL(argument.chosen().name, "round");
  runner::assign(argument, "square");
  CHECK_EQUAL(argument.chosen().name, "square");
  CHECK(argument.child("oval") == nullptr);
  CHECK_EQUAL(argument.child("round")->children.size(), 1U);
}

UNIT(values_print_as_cmdstan_prints_them) {
  CHECK_EQUAL(runner::print(0.05), "0.05");
  CHECK_EQUAL(runner::print(1e-9), "1e-09");
  CHECK_EQUAL(runner::print(1234567.0), "1.23457e+06");
  CHECK_EQUAL(runner::print(10.0), "10");
  CHECK_EQUAL(runner::print(-1LL), "-1");
  CHECK_EQUAL(runner::print(4294967295LL), "4294967295");
  CHECK_EQUAL(runner::print(true) + runner::print(false), "truefalse");
  CHECK_EQUAL(runner::print(std::string("a b")), "a b");
}

UNIT(placeholders_name_the_type) {
  CHECK_EQUAL(runner::placeholder(shape()), "round|square");
  CHECK_EQUAL(runner::placeholder(count()), "<int>");
  CHECK_EQUAL(runner::placeholder(fraction()), "<double>");
  CHECK_EQUAL(runner::placeholder(runner::flag("on", "", true)), "<boolean>");
  CHECK_EQUAL(runner::placeholder(runner::text("file", "", "")), "<string>");
}

UNIT(paths_lead_through_groups_and_alternatives) {
  const Argument root = runner::group("", "", {shape(), runner::group("deep", "", {count()})});
  CHECK_EQUAL(runner::get<double>(root, "shape.round.radius"), 1.0);
  CHECK_EQUAL(runner::get_int(root, "deep.count"), 3);
  CHECK_EQUAL(runner::get<std::string>(root, "shape"), "round");
  for (const char* missing : {"", "count", "deep.", "deep.count.", "shape.square.radius"}) {
    bool thrown = false;
    try {
      runner::node(root, missing);
    } catch (const std::logic_error&) {
      thrown = true;
    }
    CHECK_EQUAL(missing + std::string(thrown ? " thrown" : ""), missing + std::string(" thrown"));
  }
}
