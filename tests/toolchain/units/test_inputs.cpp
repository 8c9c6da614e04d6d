#include "inputs.hpp"

#include <fstream>

#include "units.hpp"

namespace {

void put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string files(const std::string& names, int num_chains, int first_chain = 1) {
  std::string all;
  for (const auto& path : runner::input_files(names, "init", num_chains, first_chain)) {
    all += (all.empty() ? "" : " ") + path;
  }
  return all;
}

double value(const runner::Context& context) { return context->vals_r("x").at(0); }

runner::Context read(const std::string& path, const std::string& text) {
  put(path, text);
  return runner::read_context(path, "data");
}

}  // namespace

UNIT(inputs_of_several_chains_are_found_by_number_or_by_comma) {
  for (const char* name : {"a_3.json", "a_4.json", "b,c.json", "d.json"}) {
    put(name, "{}");
  }
  CHECK_EQUAL(files("a.json", 1, 3), "a.json");
  CHECK_EQUAL(files("a.json", 2, 3), "a_3.json a_4.json");
  CHECK_EQUAL(files("a.json", 2, 4), "a_4.json a_5.json");
  CHECK_EQUAL(files("d.json", 2), "d.json");
  CHECK_EQUAL(files("a.json,d.json", 2), "a.json d.json");
  CHECK_EQUAL(files("b,c.json", 2), "b,c.json");
  CHECK_EQUAL(files("", 2), "");
  CHECK_REFUSED(files("a.json,d.json", 3), "the init argument names 2 files for 3 chains");
}

UNIT(chains_without_a_file_of_their_own_share_one) {
  put("a.json", "{\"x\": 1}");
  put("b.json", "{\"x\": 2}");
  const auto shared = runner::read_contexts("a.json", "init", 3, 1);
  CHECK(shared.size() == 3 && shared[0] == shared[2] && value(shared[2]) == 1);
  const auto own = runner::read_contexts("a.json,b.json", "init", 2, 1);
  CHECK(own.size() == 2 && value(own[0]) == 1 && value(own[1]) == 2);
}

UNIT(initial_values_are_a_radius_or_files) {
  put("a.json", "{\"x\": 1}");
  CHECK_EQUAL(runner::read_inits("0.5", 2, 1).radius, 0.5);
  CHECK_EQUAL(runner::read_inits("0.5", 2, 1).contexts.size(), 2U);
  CHECK_EQUAL(runner::read_inits("0", 1, 1).radius, 0.0);
  CHECK_EQUAL(runner::read_inits("a.json", 1, 1).radius, 2.0);  // for what the file leaves open
  CHECK(runner::init_files("1e-3", 1, 1).empty());
  CHECK_EQUAL(runner::init_files("a.json", 1, 1).size(), 1U);
  CHECK_REFUSED(runner::read_inits("-1", 1, 1), "'init=-1' is not valid: expected a radius of 0 or more, or a file");
  CHECK_REFUSED(runner::read_inits("inf", 1, 1), "cannot read the init file 'inf'");
}

UNIT(json_and_r_dump_are_read) {
  CHECK_EQUAL(value(read("d.json", "{\"x\": [1.5, 2]}")), 1.5);
  CHECK_EQUAL(value(read("d.R", "x <- c(2.5, 3)\ny <- 1\n")), 2.5);
  CHECK(!runner::read_context("", "data")->contains_r("x"));
}

UNIT(files_that_cannot_be_read_say_where) {
  CHECK_REFUSED(runner::read_context("none.json", "data"), "cannot read the data file 'none.json': No such file");
  CHECK_REFUSED(runner::read_context(".", "data"), "cannot read the data file '.': Is a directory");
  CHECK_REFUSED(read("d.json", "{\"x\": 1,\n \"y\": }"), "malformed JSON in the data file 'd.json', line 2, column 7:");
  CHECK_REFUSED(read("d.json", "{\"x\": [[1], [2, 3]]}"), "unusable values in the data file 'd.json': ");
  CHECK_REFUSED(read("d.json", ""), "malformed JSON in the data file 'd.json', line 1, column 1:");
  CHECK_REFUSED(read("d.R", "x <- 1\ny <-\n"), "malformed R dump in the data file 'd.R'");
}
