#include "files.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "units.hpp"

namespace {

namespace fs = std::filesystem;
using runner::RecordFile;

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? text.str() : "nothing at " + path;
}

void put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string names(const std::string& name, const std::string& tag, int num_chains, int first = 1) {
  std::string all;
  for (const auto& path : runner::chain_files(name, tag, tag.empty() ? ".csv" : ".json", num_chains, first)) {
    all += (all.empty() ? "" : " ") + path;
  }
  return all;
}

/** While it lives no file grows beyond `bytes`, and trying is an error rather than a signal. */
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit small = before_;
    small.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

std::size_t files_here() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("."), fs::directory_iterator()));
}

}  // namespace

UNIT(one_chain_keeps_the_name_and_several_are_numbered) {
  CHECK_EQUAL(names("out.csv", "", 1), "out.csv");
  CHECK_EQUAL(names("out.csv", "", 2), "out_1.csv out_2.csv");
  CHECK_EQUAL(names("out.csv", "", 2, 9), "out_9.csv out_10.csv");
  CHECK_EQUAL(names("a.b/out.draws.txt", "", 2), "a.b/out.draws_1.txt a.b/out.draws_2.txt");
  CHECK_EQUAL(names("a.b/out", "", 1), "a.b/out.csv");
  CHECK_EQUAL(names("a.b/out", "", 2), "a.b/out_1.csv a.b/out_2.csv");
  CHECK_EQUAL(names(".hidden", "", 1), ".hidden.csv");
}

UNIT(a_tag_goes_before_the_number) {
  CHECK_EQUAL(names("out.csv", "_metric", 1), "out_metric.json");
  CHECK_EQUAL(names("out.csv", "_metric", 2, 3), "out_metric_3.json out_metric_4.json");
  CHECK_EQUAL(names("/dev/null", "_config", 1), "/dev/null_config.json");
  CHECK_EQUAL(runner::chain_files("out.txt", "_path", ".csv", 1, 1).front(), "out_path.txt");
  CHECK_EQUAL(runner::chain_files("out", "_path", ".csv", 1, 1).front(), "out_path.csv");
  CHECK_EQUAL(runner::chain_files("out.txt", "", ".json", 1, 1).front(), "out.json");
}

UNIT(devices_keep_their_name_for_every_chain) {
  CHECK_EQUAL(names("/dev/null", "", 2), "/dev/null /dev/null");
  CHECK_EQUAL(names("/dev/stdout", "", 1), "/dev/stdout");
  CHECK_EQUAL(names("/dev/fd/3", "", 2), "/dev/fd/3 /dev/fd/3");
  CHECK_EQUAL(::mkfifo("pipe", 0600), 0);
  CHECK_EQUAL(names("pipe", "", 1), "pipe");
}

UNIT(a_file_that_nothing_is_appended_to_stays_as_it_was) {
  put("old.csv", "old");
  { const RecordFile untouched("old.csv"), made("new.csv"); }
  CHECK_EQUAL(content("old.csv"), "old");
  CHECK(!fs::exists("new.csv"));
}

UNIT(the_first_record_replaces_what_was_there) {
  put("old.csv", "something longer than the records");
  {
    RecordFile file("old.csv");
    file.append("a,b\n");
    CHECK_EQUAL(content("old.csv"), "a,b\n");
    file.append("1,2\n");
  }
  CHECK_EQUAL(content("old.csv"), "a,b\n1,2\n");
}

UNIT(a_record_that_does_not_fit_is_taken_back_whole) {
  RecordFile file("rows.csv", "shown.csv");
  file.append("a,b\n");
  {
    const SmallDisk disk(10);
    CHECK_REFUSED(file.append("123456,123456\n"), "cannot write 'shown.csv': File too large");
    CHECK_EQUAL(content("rows.csv"), "a,b\n");
  }
  file.append("1,2\n");
  CHECK_EQUAL(content("rows.csv"), "a,b\n1,2\n");
}

UNIT(what_cannot_be_opened_says_why) {
  fs::create_directory("folder");
  CHECK_REFUSED(RecordFile("folder"), "cannot write 'folder': Is a directory");
  CHECK_REFUSED(RecordFile("none/x.csv"), "cannot write 'none/x.csv': No such file or directory");
  CHECK_REFUSED(RecordFile("/dev/fd/987"), "cannot write '/dev/fd/987': Bad file descriptor");
}

UNIT(a_whole_file_is_there_completely_or_not_at_all) {
  put("a.json", "old");
  const std::size_t before = files_here();
  {
    const SmallDisk disk(10);
    CHECK_REFUSED(runner::write_file("a.json", "more than ten bytes"), "cannot write 'a.json': File too large");
    CHECK_REFUSED(runner::write_file("b.json", "more than ten bytes"), "cannot write 'b.json'");
  }
  CHECK_EQUAL(content("a.json"), "old");
  CHECK_EQUAL(files_here(), before);
  runner::write_file("a.json", "new");
  CHECK_EQUAL(content("a.json"), "new");
  CHECK_EQUAL(files_here(), before);
}

UNIT(a_whole_file_goes_through_links) {
  put("target.json", "something old");
  fs::create_symlink("target.json", "link");
  fs::create_symlink("made.json", "dangling");
  runner::write_file("link", "new");
  runner::write_file("dangling", "new");
  CHECK(fs::is_symlink("link") && fs::is_symlink("dangling"));
  CHECK_EQUAL(content("target.json") + content("made.json"), "newnew");
}

UNIT(checking_a_name_changes_nothing) {
  put("a.json", "old");
  fs::create_directory("folder");
  fs::create_symlink("made.json", "dangling");
  const std::size_t before = files_here();
  for (const char* good : {"a.json", "b.json", "folder/b.json", "dangling", "/dev/null", "/dev/stdout"}) {
    runner::check_writable(good);
  }
  CHECK_REFUSED(runner::check_writable("folder"), "Is a directory");
  CHECK_REFUSED(runner::check_writable("none/b.json"), "No such file");
  CHECK_REFUSED(runner::check_writable("a.json/b.json"), "Not a directory");
  CHECK_REFUSED(runner::check_writable("/dev/fd/987"), "Bad file descriptor");
  CHECK_EQUAL(files_here(), before);
  CHECK_EQUAL(content("a.json"), "old");
}

UNIT(names_of_one_file_have_one_identity) {
  using runner::identity;
  put("a.json", "");
  fs::create_directory("folder");
  fs::create_hard_link("a.json", "hard");
  fs::create_symlink("a.json", "soft");
  fs::create_symlink("folder/../later.json", "early");
  for (const char* same : {"./a.json", "folder/../a.json", "hard", "soft"}) {
    CHECK_EQUAL(identity(same), identity("a.json"));
  }
  CHECK_EQUAL(identity((fs::current_path() / "a.json").string()), identity("a.json"));
  CHECK_EQUAL(identity("early"), identity("later.json"));
  CHECK(identity("b.json") != identity("a.json") && identity("b.json") != identity("c.json"));
  CHECK_EQUAL(identity("/dev/null"), "");
}
