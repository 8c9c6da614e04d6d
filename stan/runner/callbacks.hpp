#ifndef RUNNER_CALLBACKS_HPP
#define RUNNER_CALLBACKS_HPP

#include <stan/callbacks/json_writer.hpp>
#include <stan/callbacks/logger.hpp>
#include <stan/callbacks/writer.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "files.hpp"

namespace runner {

/** Writes rows and `# ` comments to a CSV file, each whole; one without a file swallows them. */
class CsvWriter final : public stan::callbacks::writer {
 public:
  CsvWriter() = default;
  /** `precision` counts significant digits; a negative one means a stream's default. */
  CsvWriter(const std::string& path, int precision);

  using stan::callbacks::writer::operator();
  void operator()(const std::vector<std::string>& names) override;
  void operator()(const std::vector<double>& values) override;
  void operator()() override;
  void operator()(const std::string& message) override;
  /** A row for each column; CmdStan puts `, ` between the values here. */
  void operator()(const Eigen::Ref<Eigen::Matrix<double, -1, -1>>& columns) override;

  /** Several comment lines as one record. */
  void comment(const std::vector<std::string>& lines);
  /** A closing comment, if anything was written: what was is not all there should be. */
  void mark_failed(const std::string& reason);

  bool has_names() const { return has_names_; }
  /** How many rows of values there are. */
  long long rows() const { return rows_; }

 private:
  void append_row();
  void append_record();

  std::unique_ptr<RecordFile> file_;
  int precision_ = 6;
  bool has_begun_ = false;
  bool has_names_ = false;
  long long rows_ = 0;
  std::string row_;  // kept, so that a row costs no allocation
};

/**
 * Prints what a service reports, whole lines at a time. Stan ends its remarks on a rejected proposal with an
 * empty error message: those are printed at once. Error messages after which nothing comes are the reason why a
 * run failed; they are kept, so that it can end with one line.
 */
class ConsoleLogger final : public stan::callbacks::logger {
 public:
  void debug(const std::string& message) override { print(message); }
  void debug(const std::stringstream& message) override { print(message.str()); }
  void info(const std::string& message) override { print(message); }
  void info(const std::stringstream& message) override { print(message.str()); }
  void warn(const std::string& message) override { print(message); }
  void warn(const std::stringstream& message) override { print(message.str()); }
  void error(const std::string& message) override { keep(message); }
  void error(const std::stringstream& message) override { keep(message.str()); }
  void fatal(const std::string& message) override { keep(message); }
  void fatal(const std::stringstream& message) override { keep(message.str()); }

  /** The error messages of all chains that no empty one has ended, each once, as one line. */
  std::string pending_errors() const;

 private:
  void print(const std::string& message);
  void keep(const std::string& message);

  std::mutex lock_;
  std::map<std::thread::id, std::vector<std::string>> pending_;
};

/** A JSON document in memory, for `write_file`. It owns its text; a writer borrows it, and must not outlive it. */
class JsonDocument {
 public:
  explicit JsonDocument(int precision);

  struct Borrowed {
    void operator()(std::ostringstream*) const {}
  };
  using Writer = stan::callbacks::json_writer<std::ostringstream, Borrowed>;
  /** What fills the document; one, since it keeps count of commas and depth. */
  Writer writer() { return Writer(std::unique_ptr<std::ostringstream, Borrowed>(text_.get())); }
  std::string text() const { return text_->str(); }

 private:
  std::unique_ptr<std::ostringstream> text_;  // stays in its place when the document moves
};

/** `message` on one line, without the line breaks that Stan puts into some of its messages. */
std::string single_line(const std::string& message);

}  // namespace runner

#endif
