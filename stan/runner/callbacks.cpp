#include "callbacks.hpp"

#include <cstdio>
#include <iostream>
#include <set>

#include "error.hpp"

namespace runner {
namespace {

constexpr int stream_precision = 6;
constexpr std::size_t longest_number = 64;

int digits(int precision) { return precision < 0 ? stream_precision : precision; }

// Prints what an ostream of that precision would, without the cost of one.
void append_number(std::string& row, double value, int precision) {
  char text[longest_number];
  row.append(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.*g", precision, value)));
}

}  // namespace

CsvWriter::CsvWriter(const std::string& path, int precision)
    : file_(std::make_unique<RecordFile>(path)), precision_(digits(precision)) {}

void CsvWriter::operator()(const std::vector<std::string>& names) {
  if (file_ == nullptr || names.empty()) {
    return;
  }
  row_.clear();
  for (const auto& name : names) {
    row_ += name;
    row_ += ',';
  }
  row_.back() = '\n';
  append_record();
  has_names_ = true;
}

void CsvWriter::operator()(const std::vector<double>& values) {
  if (file_ == nullptr || values.empty()) {
    return;
  }
  row_.clear();
  for (const double value : values) {
    append_number(row_, value, precision_);
    row_ += ',';
  }
  row_.back() = '\n';
  append_row();
}

void CsvWriter::operator()(const Eigen::Ref<Eigen::Matrix<double, -1, -1>>& columns) {
  if (file_ == nullptr || columns.rows() == 0) {
    return;
  }
  for (Eigen::Index column = 0; column < columns.cols(); ++column) {
    row_.clear();
    for (Eigen::Index i = 0; i < columns.rows(); ++i) {
      row_ += i == 0 ? "" : ", ";
      append_number(row_, columns(i, column), precision_);
    }
    row_ += '\n';
    append_row();
  }
}

void CsvWriter::append_row() {
  append_record();
  ++rows_;
}

void CsvWriter::append_record() {
  file_->append(row_);
  has_begun_ = true;
}

void CsvWriter::operator()() { comment({""}); }

void CsvWriter::operator()(const std::string& message) { comment({message}); }

void CsvWriter::comment(const std::vector<std::string>& lines) {
  if (file_ == nullptr) {
    return;
  }
  row_.clear();
  for (const auto& line : lines) {
    row_ += "# ";
    for (const char c : line) {
      row_ += c;
      row_ += c == '\n' ? "# " : "";
    }
    row_ += '\n';
  }
  append_record();
}

void CsvWriter::mark_failed(const std::string& reason) {
  if (!has_begun_) {
    return;
  }
  try {
    comment({"Failed: " + single_line(reason)});
  } catch (const UserError&) {  // a full disk, which then most likely is the reason
  }
}

void ConsoleLogger::print(const std::string& message) {
  const std::lock_guard<std::mutex> guard(lock_);
  std::cout << message + '\n' << std::flush;
}

void ConsoleLogger::keep(const std::string& message) {
  const std::lock_guard<std::mutex> guard(lock_);
  std::vector<std::string>& paragraph = pending_[std::this_thread::get_id()];
  paragraph.push_back(message);
  if (message.empty()) {
    std::string text;
    for (const auto& line : paragraph) {
      text += line + '\n';
    }
    std::cerr << text << std::flush;
    paragraph.clear();
  }
}

std::string ConsoleLogger::pending_errors() const {
  std::string all;
  std::set<std::string> seen;  // chains that fail for one reason say the same
  for (const auto& [thread, paragraph] : pending_) {
    for (const auto& message : paragraph) {
      all += seen.insert(message).second ? message + ' ' : "";
    }
  }
  return single_line(all);
}

JsonDocument::JsonDocument(int precision) : text_(std::make_unique<std::ostringstream>()) {
  text_->precision(digits(precision));
}

std::string single_line(const std::string& message) {
  std::istringstream words(message);
  std::string line;
  for (std::string word; words >> word;) {
    line += (line.empty() ? "" : " ") + word;
  }
  return line;
}

}  // namespace runner
