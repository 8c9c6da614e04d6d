#ifndef RUNNER_FILES_HPP
#define RUNNER_FILES_HPP

#include <sys/types.h>

#include <cstddef>
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
  /**
   * Opens the file; throws UserError where it cannot be written. What is in it stays until the first append, and a
   * file that is new goes again if there is none, so that a run that cannot begin leaves everything as it was.
   */
  explicit RecordFile(const std::string& path) : RecordFile(path, path) {}
  /** Messages speak of the file as `shown`. */
  RecordFile(std::string path, std::string shown);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  void append(const std::string& record) { append(record.data(), record.size()); }
  void append(const void* bytes, std::size_t size);

 private:
  void take_back() const;

  std::string path_;
  std::string shown_;
  bool is_new_ = false;
  int descriptor_;
  bool can_be_shortened_ = false;
  bool has_begun_ = false;
  off_t length_ = 0;
};

/**
 * To be called before any file is opened: a standard descriptor that the parent closed would else be given to the
 * first of them, which would then take our messages. Writing to it goes on failing.
 */
void occupy_standard_descriptors();

/** Writes a file that is there completely or not at all; into a pipe, a device or a link's target as it comes. */
void write_file(const std::string& path, const std::string& content);

/** Throws UserError, as `write_file` would, and changes nothing. */
void check_writable(const std::string& path);

/** Equal for two names of one file, there or not yet; empty for devices, which any number of outputs may share. */
std::string identity(const std::string& path);

/**
 * The names of one file per chain, after CmdStan's pattern: `out.csv` alone for a single chain, else
 * `out_3.csv`; a tag goes before the number, as in `out_metric_3.json`. The suffix `.csv` gives way to one that
 * the name has, any other replaces it. Without a tag, devices, pipes and the process's own descriptors are what is
 * named, for every chain. Throws UserError if the numbers would not fit an int.
 */
std::vector<std::string> chain_files(const std::string& name, const std::string& tag, const std::string& suffix,
                                     int num_chains, int first_chain);

}  // namespace runner

#endif
