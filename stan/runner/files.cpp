#include "files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "error.hpp"

namespace runner {
namespace {

[[noreturn]] void fail(const std::string& path, int error) {
  throw UserError("cannot write '" + path + "': " + std::strerror(error));
}

}  // namespace

std::timed_mutex& output_lock() {
  static std::timed_mutex lock;
  return lock;
}

RecordFile::RecordFile(std::string path)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) {
    fail(path_, errno);
  }
}

RecordFile::~RecordFile() { ::close(descriptor_); }

void RecordFile::append(const std::string& record) {
  const std::lock_guard<std::timed_mutex> guard(output_lock());
  for (std::size_t done = 0; done < record.size();) {
    const ssize_t written = ::write(descriptor_, record.data() + done, record.size() - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno != EINTR) {
      const int error = errno;
      // A pipe cannot be shortened, and has nobody who would take it for a whole file.
      if (::ftruncate(descriptor_, length_) == 0) {
        ::lseek(descriptor_, length_, SEEK_SET);
      }
      fail(path_, error);
    }
  }
  length_ += static_cast<off_t>(record.size());
}

void write_file(const std::string& path, const std::string& content) {
  const std::string aside = path + ".partial";
  try {
    RecordFile(aside).append(content);
  } catch (...) {
    std::remove(aside.c_str());
    throw;
  }
  if (std::rename(aside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::remove(aside.c_str());
    fail(path, error);
  }
}

std::vector<std::string> chain_files(const std::string& name, const std::string& tag, const std::string& suffix,
                                     int num_chains, int first_chain) {
  const std::filesystem::path path(name);
  std::error_code unused;
  if (num_chains == 1 && tag.empty() && std::filesystem::is_other(path, unused)) {
    return {name};  // a device such as /dev/null
  }
  const std::string extension = path.extension().string();
  const std::string base = name.substr(0, name.size() - extension.size()) + tag;
  const std::string ending = tag.empty() && !extension.empty() ? extension : suffix;
  if (num_chains == 1) {
    return {base + ending};
  }
  std::vector<std::string> names;
  for (int chain = 0; chain < num_chains; ++chain) {
    names.push_back(base + "_" + std::to_string(first_chain + chain) + ending);
  }
  return names;
}

}  // namespace runner
