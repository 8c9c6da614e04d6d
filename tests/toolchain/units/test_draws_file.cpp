#include "draws_file.hpp"

#include <cmath>
#include <fstream>

#include "units.hpp"

namespace {

using runner::DrawsFile;

DrawsFile opened(const std::string& text) {
  std::ofstream("draws.csv") << text;
  return DrawsFile("draws.csv", "mode", {"a", "b.1"});
}

std::string rows(const std::string& text) {
  DrawsFile file = opened(text);
  std::ostringstream out;
  for (std::vector<double> values; file.next(values);) {
    out << values[0] << ' ' << values[1] << ';';
  }
  return out.str();
}

}  // namespace

UNIT(draws_are_read_between_what_is_not_theirs) {
  CHECK_EQUAL(rows("# x = 1\nlp__,accept__,a,b.1,derived\n# note\n-1,0.5,1.5,2e3,7\n\n1,1,-3,4,nan\n# end\n"),
              "1.5 2000;-3 4;");
  CHECK_EQUAL(rows("a,b.1\r\n1,2\r\n"), "1 2;");
  CHECK_EQUAL(rows("lp__,a,b.1\n 1, 2, 3"), "2 3;");  // as of pathfinder, and without a last line's end
  CHECK_EQUAL(rows("a,b.1\n-inf,1e-320\n"), "-inf 9.99989e-321;");
}

UNIT(the_comments_before_the_draws_are_kept) {
  DrawsFile file = opened("# method = optimize\n#   jacobian = false (Default)\na,b.1\n# late = 1\n1,2\n3,4\n");
  CHECK(file.has_comment("method = optimize") && file.has_comment("jacobian = false"));
  for (std::vector<double> values; file.next(values);) {
    CHECK(!file.has_comment("method") && !file.has_comment("late = 1"));
  }
}

UNIT(draws_that_cannot_be_used_say_where) {
  CHECK_REFUSED(DrawsFile("none.csv", "mode", {"a"}), "cannot use the mode file 'none.csv': No such file");
  CHECK_REFUSED(DrawsFile("/dev/null", "mode", {"a"}), "expected a regular file");
  CHECK_REFUSED(opened(""), "there is no header in it");
  CHECK_REFUSED(opened("# only a comment\n"), "there is no header in it");
  CHECK_REFUSED(opened("a,b.1\n# none\n"), "there are no draws in it");
  CHECK_REFUSED(opened("lp__,b.1,a\n1,2,3\n"), "line 1: it is not of this model: expected a column 'a', found 'b.1'");
  CHECK_REFUSED(opened("#\nlp__,a\n1,2\n"), "line 2: it is not of this model: expected a column 'b.1', found nothing");
  CHECK_REFUSED(opened("a,b.1\n1,2\n1\n"), "line 3: expected 2 values, found 1");
  CHECK_REFUSED(opened("a,b.1\n1,2,3\n"), "line 2: expected 2 values, found 3");
  CHECK_REFUSED(opened("a,b.1,c\n1,2x,3\n"), "line 2: expected a number for 'b.1', found '2x'");
  CHECK_REFUSED(opened("a,b.1,c\n1,,3\n"), "line 2: expected a number for 'b.1', found ''");
}
