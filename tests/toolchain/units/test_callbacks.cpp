#include "callbacks.hpp"

#include <stan/callbacks/unique_stream_writer.hpp>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <random>
#include <thread>

#include "units.hpp"

namespace {

using runner::ConsoleLogger;
using runner::CsvWriter;

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/** What the body prints to standard output and to standard error. */
template <typename Body>
std::pair<std::string, std::string> printed(const Body& body) {
  std::ostringstream out, err;
  auto* const old_out = std::cout.rdbuf(out.rdbuf());
  auto* const old_err = std::cerr.rdbuf(err.rdbuf());
  body();
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  return {out.str(), err.str()};
}

/** Doubles of every size, and those that are hard to print. */
std::vector<double> awkward_numbers() {
  std::vector<double> all{0.0, -0.0, 1, -1, 0.1, 1e15, 123456, 1234567, 0.0001, 0.00001, 1e100, 5e-324, 2.5, 0.5};
  using limits = std::numeric_limits<double>;
  for (const double number : {limits::max(), limits::min(), limits::infinity(), limits::quiet_NaN()}) {
    all.push_back(number);
    all.push_back(-number);
  }
  std::mt19937_64 random(20261120);
  while (all.size() < 500) {
    const std::uint64_t bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    all.push_back(number);
    all.push_back(static_cast<double>(random()) / 1e16);
  }
  return all;
}

template <typename Writer>
void write_everything(Writer& writer) {
  writer(std::vector<std::string>{"lp__", "a.1", "b"});
  writer("Adaptation terminated");
  writer(awkward_numbers());
  writer(std::vector<double>{});
  writer();
  writer(std::vector<double>{1.5});
  writer(std::vector<std::string>{});
  const auto numbers = awkward_numbers();
  Eigen::MatrixXd columns = Eigen::Map<const Eigen::MatrixXd>(numbers.data(), 4, 125);
  writer(columns);
  writer("between");
  columns.resize(1, 1);
  columns << 0.1;
  writer(columns);
}

}  // namespace

UNIT(a_csv_file_equals_that_of_stans_own_writer) {
  for (int precision = 0; precision <= 18; ++precision) {
    {
      CsvWriter ours("ours.csv", precision);
      write_everything(ours);
      auto stream = std::make_unique<std::ofstream>("stan.csv");
      stream->precision(precision);
      stan::callbacks::unique_stream_writer<std::ofstream> stans(std::move(stream), "# ");
      write_everything(stans);
    }
    CHECK_EQUAL(content("ours.csv"), content("stan.csv"));
  }
}

UNIT(a_negative_precision_is_a_streams_own) {
  for (const int precision : {-1, 6, 7}) {
    CsvWriter writer(std::to_string(precision) + ".csv", precision);
    writer(awkward_numbers());
  }
  CHECK_EQUAL(content("-1.csv"), content("6.csv"));
  CHECK(content("-1.csv") != content("7.csv"));
}

UNIT(a_writer_counts_its_rows) {
  CsvWriter writer("o.csv", 6);
  CHECK(!writer.has_names());
  writer(std::vector<double>{1});
  writer(std::vector<double>{});
  writer("a comment");
  writer(std::vector<double>{2});
  CHECK_EQUAL(writer.rows(), 2);
  Eigen::MatrixXd columns = Eigen::MatrixXd::Zero(2, 3);
  writer(columns);
  CHECK_EQUAL(writer.rows(), 5);
  writer(std::vector<std::string>{"a"});
  CHECK(writer.has_names());
}

UNIT(a_writer_without_a_file_swallows_everything) {
  CsvWriter writer;
  write_everything(writer);
  writer.comment({"a", "b"});
  CHECK_EQUAL(writer.rows(), 0);
  CHECK(!writer.has_names());
  CHECK(std::filesystem::is_empty("."));
}

UNIT(comments_of_several_lines_are_one_record) {
  CsvWriter writer("o.csv", 6);
  writer.comment({"a = 1", "", "  b"});
  CHECK_EQUAL(content("o.csv"), "# a = 1\n# \n#   b\n");
}

UNIT(what_failed_says_so_at_the_end) {
  CsvWriter writer("o.csv", 6);
  writer.mark_failed("too early");  // nobody takes a file without names for draws
  writer(std::vector<std::string>{"a"});
  writer.mark_failed("no luck\n at all");
  CHECK_EQUAL(content("o.csv"), "a\n# Failed: no luck at all\n");
}

UNIT(a_writer_moves_with_its_file) {
  std::vector<CsvWriter> writers;
  for (const char* name : {"a.csv", "b.csv", "c.csv"}) {
    writers.emplace_back(name, 6);
    writers.front()(std::vector<double>{1});
  }
  CHECK_EQUAL(content("a.csv"), "1\n1\n1\n");
}

UNIT(remarks_are_printed_and_errors_kept) {
  ConsoleLogger logger;
  const auto [out, err] = printed([&logger] {
    logger.info("Iteration: 1");
    logger.warn(std::stringstream("careful"));
    logger.error("Rejecting initial value:");
    logger.fatal("  no  luck\nat all");
  });
  CHECK_EQUAL(out, "Iteration: 1\ncareful\n");
  CHECK_EQUAL(err, "");
  CHECK_EQUAL(logger.pending_errors(), "Rejecting initial value: no luck at all");
}

UNIT(an_empty_error_ends_a_paragraph) {
  ConsoleLogger logger;
  const auto [out, err] = printed([&logger] {
    logger.error("Informational Message:");
    logger.error("but if it occurs sporadically, fine");
    logger.error("");
    logger.error("the reason");
  });
  CHECK_EQUAL(out, "");
  CHECK_EQUAL(err, "Informational Message:\nbut if it occurs sporadically, fine\n\n");
  CHECK_EQUAL(logger.pending_errors(), "the reason");
}

UNIT(chains_that_fail_for_one_reason_say_it_once) {
  ConsoleLogger logger;
  for (const char* own : {"chain one", "chain two"}) {
    std::thread([&logger, own] {
      logger.error("the reason");
      logger.error(own);
    }).join();
  }
  const std::string all = logger.pending_errors();
  CHECK_EQUAL(all.find("the reason"), all.rfind("the reason"));
  CHECK(all.find("chain one") != std::string::npos && all.find("chain two") != std::string::npos);
}

UNIT(chains_do_not_mix_their_paragraphs) {
  ConsoleLogger logger;
  const auto [out, err] = printed([&logger] {
    logger.error("of the first");
    std::thread([&logger] {
      logger.error("of the second");
      logger.error("");
    }).join();
  });
  CHECK_EQUAL(err, "of the second\n\n");
  CHECK_EQUAL(logger.pending_errors(), "of the first");
}

UNIT(threads_do_not_mix_their_lines) {
  ConsoleLogger logger;
  constexpr int repeats = 3000;
  std::atomic<bool> begun{false};
  const auto [out, err] = printed([&logger, &begun] {
    std::vector<std::thread> threads;
    for (const char letter : {'a', 'b', 'c', 'd'}) {
      threads.emplace_back([&logger, &begun, letter] {
        while (!begun) {
        }
        for (int i = 0; i < repeats; ++i) {
          logger.info(std::string(20, letter));
          logger.error(std::string(20, letter));
          logger.error("");
        }
      });
    }
    begun = true;
    for (auto& thread : threads) {
      thread.join();
    }
  });
  for (const auto& [text, expected] : {std::pair(out, 4 * repeats), std::pair(err, 8 * repeats)}) {
    std::istringstream lines(text);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      CHECK(line == std::string(line.size(), line.empty() ? ' ' : line[0]));
      CHECK(line.empty() || line.size() == 20);
    }
    CHECK_EQUAL(count, expected);
  }
}

UNIT(a_document_may_move_while_a_writer_fills_it) {
  std::vector<runner::JsonDocument> documents;
  std::vector<runner::JsonDocument::Writer> writers;
  for (int i = 0; i < 3; ++i) {
    documents.emplace_back(3);
    writers.push_back(documents.back().writer());
  }
  for (auto& writer : writers) {
    writer.begin_record();
    writer.write("stepsize", 0.123456);
    writer.end_record();
  }
  for (const auto& document : documents) {
    CHECK(document.text().find("\"stepsize\" : 0.123\n") != std::string::npos);
  }
}

UNIT(a_message_becomes_one_line) {
  CHECK_EQUAL(runner::single_line("  a\n\tb \r\n\n c  "), "a b c");
  CHECK_EQUAL(runner::single_line(""), "");
}
