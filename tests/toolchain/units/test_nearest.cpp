#include "nearest.hpp"
#include "units.hpp"

namespace {

runner::Argument tree() {
  using namespace runner;
  const Argument sample =
      group("sample", "", {integer("num_samples", "", 1, {}), group("adapt", "", {real("delta", "", 0, {})})});
  return group("", "", {choice("method", "", "sample", {sample}), integer("id", "", 1, {}),
                        group("data", "", {text("file", "", "")}), group("output", "", {text("file", "", "")})});
}

std::string message(const std::string& token, const std::string& context = "") {
  return runner::unknown_argument(token, token.substr(0, token.find('=')), tree(), context);
}

}  // namespace

UNIT(a_slip_of_the_finger_finds_its_word) {
  const std::string usage = "; the nearest is 'num_samples', as in 'method=sample num_samples=<int>'";
  for (const char* slip : {"num_smples=1", "num_sampless=1", "nun_samples=1", "numsamples=1", "Num_samples=1"}) {
    CHECK_EQUAL(message(slip), "'" + std::string(slip) + "' is not a known argument" + usage);
  }
  CHECK_EQUAL(message("dleta=0.9", "sample"), "'dleta=0.9' is not a known argument after 'sample'; the nearest is "
                                              "'delta', as in 'method=sample adapt delta=<double>'");
}

UNIT(a_word_in_the_wrong_place_is_told_where_it_belongs) {
  CHECK_EQUAL(message("delta=0.9", "output"), "'delta=0.9' is misplaced: it belongs in 'method=sample adapt "
                                              "delta=<double>', before any argument of another group");
  CHECK_EQUAL(message("adapt", "output"),
              "'adapt' is misplaced: it belongs in 'method=sample adapt', before any argument of another group");
}

UNIT(of_two_alternatives_the_chosen_one_goes_first) {
  using namespace runner;
  const auto size = [] { return integer("size", "", 1, {}); };
  Argument root = group("", "", {choice("kind", "", "b", {group("a", "", {size()}), group("b", "", {size()})})});
  CHECK(unknown_argument("siz=1", "siz", root, "").find("'kind=b size=<int>'") != std::string::npos);
  assign(*root.child("kind"), "a");
  CHECK(unknown_argument("siz=1", "siz", root, "").find("'kind=a size=<int>'") != std::string::npos);
}

UNIT(of_two_equally_near_the_first_is_named) {
  CHECK(message("fle=x").find("as in 'data file=<string>'") != std::string::npos);
  CHECK(message("").find("the nearest is 'id'") != std::string::npos);
}
