#ifndef RUNNER_FILES_HPP
#define RUNNER_FILES_HPP

#include <sys/types.h>

#include <mutex>
#include <string>
#include <vector>

namespace runner {

/**
 * Held while bytes go to a file. Whoever ends the process on a signal takes it first, so that no file ends
 * inside a row.
 */
std::timed_mutex& output_lock();

/** A file that grows by whole records: an append that fails is taken back. */
class RecordFile {
 public:
  /** Creates or empties the file; throws UserError where it cannot be written. */
  explicit RecordFile(std::string path);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  void append(const std::string& record);

 private:
  std::string path_;
  int descriptor_;
  off_t length_ = 0;
};

/** Writes a file that is there completely or not at all. */
void write_file(const std::string& path, const std::string& content);

/**
 * The names of one file per chain, after CmdStan's pattern: `out.csv` alone for a single chain, else
 * `out_3.csv`; a tag goes before the number, as in `out_metric_3.json`. A name without a suffix gets one.
 */
std::vector<std::string> chain_files(const std::string& name, const std::string& tag, const std::string& suffix,
                                     int num_chains, int first_chain);

}  // namespace runner

#endif
