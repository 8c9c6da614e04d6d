#ifndef RUNNER_DRAWS_FILE_HPP
#define RUNNER_DRAWS_FILE_HPP

#include <fstream>
#include <string>
#include <vector>

namespace runner {

/**
 * The parameters in a Stan CSV file, one row at a time, however long the file is. What may precede them are the
 * algorithm's own columns, whose names end in `__`; what may follow is derived from them and is not read.
 */
class DrawsFile {
 public:
  /**
   * Reads the file once to check it. Throws UserError, naming the line, unless the header has `parameters` in this
   * order, each row has as many fields as the header, and each field of a parameter is a number.
   */
  DrawsFile(std::string path, std::string purpose, std::vector<std::string> parameters);

  /** Reads the next row's parameters; false at the end. */
  bool next(std::vector<double>& values);

  const std::string& path() const { return path_; }
  /** Whether a comment line before the first row is exactly this, but for a closing ` (Default)`. */
  bool has_comment(const std::string& text) const;

 private:
  void rewind();
  /** The next line that is neither a comment nor empty. */
  bool next_line(std::string& line);
  void read_header();
  void read_row(const std::string& line, std::vector<double>& values) const;
  [[noreturn]] void fail(const std::string& reason) const;
  [[noreturn]] void fail_here(const std::string& reason) const;

  std::string path_, purpose_;
  std::vector<std::string> parameters_;
  std::ifstream file_;
  std::vector<std::string> comments_;
  std::size_t columns_ = 0;
  std::size_t first_ = 0;  ///< the first parameter's column
  long long line_ = 0;
  long long rows_ = 0;
};

}  // namespace runner

#endif
