#include "plan.hpp"

#include <filesystem>
#include <fstream>

#include "units.hpp"

namespace {

using runner::Argument;
using runner::Plan;

/** What every method's command line has, as far as files go. */
Argument tree(const std::vector<std::pair<std::string, std::string>>& values = {}) {
  using namespace runner;
  Argument root = group("", "", {group("data", "", {text("file", "", "")}),
                                 group("output", "", {text("file", "", "o.csv"), text("diagnostic_file", "", ""),
                                                      text("profile_file", "", "profile.csv"),
                                                      flag("save_cmdstan_config", "", false)})});
  for (const auto& [name, value] : values) {
    assign(*root.child(name == "data" ? "data" : "output")->child(name == "data" ? "file" : name), value);
  }
  return root;
}

Plan writing(const std::vector<std::string>& paths, const std::string& purpose = "output") {
  Plan plan;
  plan.write_along(purpose, paths);
  return plan;
}

}  // namespace

UNIT(a_plan_forgets_inputs_that_are_not_there) {
  Plan plan;
  plan.read("init", {"", "a.json", ""});
  CHECK_EQUAL(plan.inputs.size(), 1U);
  plan.write_along("output", {"o.csv"});
  plan.write_at_the_end("metric", {"m.json"});
  CHECK(!plan.outputs[0].must_be_writable && plan.outputs[1].must_be_writable);
}

UNIT(files_apart_are_fine) {
  Plan plan = writing({"o_1.csv", "o_2.csv"});
  plan.read("init", {"a.json", "a.json"});
  plan.write_along("diagnostic", {"d_1.csv", "d_2.csv"});
  runner::check_files(tree({{"data", "a.json"}, {"save_cmdstan_config", "1"}}), plan);
  CHECK(std::filesystem::is_empty("."));
}

UNIT(an_output_that_is_an_input_is_refused) {
  std::ofstream("in.json") << "{}";
  CHECK_REFUSED(runner::check_files(tree({{"data", "in.json"}}), writing({"./in.json"})),
                "the output file './in.json' is the same file as the data file 'in.json': give them different names");
  Plan plan = writing({"o.csv"});
  plan.read("init", {"o_config.json"});
  runner::check_files(tree(), plan);
  CHECK_REFUSED(runner::check_files(tree({{"save_cmdstan_config", "1"}}), plan),
                "the configuration file 'o_config.json' is the same file as the init file");
}

UNIT(two_outputs_in_one_file_are_refused) {
  Plan plan = writing({"o.csv"});
  plan.write_along("diagnostic", {"o.csv"});
  CHECK_REFUSED(runner::check_files(tree(), plan), "the diagnostic file 'o.csv' is the same file as the output file");
  CHECK_REFUSED(runner::check_files(tree(), writing({"profile.csv"})), "the profile file 'profile.csv' is the same");
  runner::check_files(tree({{"profile_file", ""}}), writing({"profile.csv"}));
  CHECK_REFUSED(runner::check_files(tree(), writing({"pipe", "pipe"})),
                "the output file 'pipe' cannot take the output of several chains: name a regular file");
}

UNIT(devices_take_any_number_of_outputs) {
  Plan plan = writing({"/dev/null", "/dev/null"});
  plan.write_along("diagnostic", {"/dev/null"});
  runner::check_files(tree({{"profile_file", "/dev/null"}}), plan);
}

UNIT(what_is_written_at_the_end_is_tried_at_the_beginning) {
  Plan plan;
  plan.write_at_the_end("adapted metric", {"none/m.json"});
  CHECK_REFUSED(runner::check_files(tree(), plan), "cannot write 'none/m.json': No such file");
  runner::check_files(tree(), writing({"none/o.csv"}));
  std::filesystem::create_directory("profile.csv");
  runner::check_files(tree(), {});
  std::filesystem::create_directory("p.csv");
  CHECK_REFUSED(runner::check_files(tree({{"profile_file", "p.csv"}}), {}), "cannot write 'p.csv': Is a directory");
}

UNIT(names_that_cannot_be_files_are_refused) {
  for (const char* bad : {"", ".", "..", "out/", "out/.", "out/.."}) {
    CHECK_REFUSED(runner::check_files(tree({{"file", bad}}), {}), "expected the name of a file");
    if (*bad != '\0') {
      CHECK_REFUSED(runner::check_files(tree({{"diagnostic_file", bad}}), {}), "'diagnostic_file=");
      CHECK_REFUSED(runner::check_files(tree({{"profile_file", bad}}), {}), "'profile_file=");
    }
  }
}
