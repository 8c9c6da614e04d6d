#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "error.hpp"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr int most_links = 40;  // as many as Linux follows

[[noreturn]] void fail(const std::string& path, int error) {
  throw UserError("cannot write '" + path + "': " + std::strerror(error));
}

/** The descriptor that a path such as /dev/stdout or /dev/fd/3 stands for, or -1. */
int named_descriptor(const std::string& path) {
  if (path == "/dev/stdout") {
    return STDOUT_FILENO;
  }
  if (path == "/dev/stderr") {
    return STDERR_FILENO;
  }
  for (const std::string folder : {"/dev/fd/", "/proc/self/fd/"}) {
    const std::string rest = path.substr(0, folder.size()) == folder ? path.substr(folder.size()) : "";
    if (!rest.empty() && rest.size() < 10 && rest.find_first_not_of("0123456789") == std::string::npos) {
      return std::atoi(rest.c_str());
    }
  }
  return -1;
}

int open_to_write(const std::string& path, bool& is_new) {
  const int named = named_descriptor(path);
  if (named >= 0) {
    // Opening it once more would start at the beginning of a file that standard output is redirected to.
    return ::fcntl(named, F_DUPFD_CLOEXEC, 0);
  }
  const int old = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (old >= 0 || errno != ENOENT) {
    return old;
  }
  const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  is_new = made >= 0;
  // A link whose target is missing counts as existing.
  return is_new || errno != EEXIST ? made : ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
}

/** Whether the descriptor is a regular file that nobody but us writes to. */
bool is_ours_alone(const std::string& path, int descriptor) {
  struct stat status {};
  return named_descriptor(path) < 0 && ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

bool can_be_replaced(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

std::string aside_name(const std::string& path) { return path + '.' + std::to_string(::getpid()) + ".partial"; }

/** Where a link leads to, even where nothing is there yet. */
fs::path follow_links(fs::path path) {
  std::error_code error;
  for (int link = 0; link < most_links && fs::is_symlink(path, error); ++link) {
    path = path.parent_path() / fs::read_symlink(path, error);
  }
  return path;
}

}  // namespace

std::timed_mutex& output_lock() {
  static std::timed_mutex lock;
  return lock;
}

void occupy_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) {
      (void)::open("/dev/null", O_RDONLY);  // takes the lowest number that is free, which is this one
    }
  }
}

RecordFile::RecordFile(std::string path, std::string shown)
    : path_(std::move(path)), shown_(std::move(shown)), descriptor_(open_to_write(path_, is_new_)) {
  if (descriptor_ < 0) {
    fail(shown_, errno);
  }
  can_be_shortened_ = is_ours_alone(path_, descriptor_);
}

RecordFile::~RecordFile() {
  ::close(descriptor_);
  if (is_new_ && !has_begun_) {
    std::remove(path_.c_str());
  }
}

void RecordFile::take_back() const {
  // A pipe cannot be shortened, and has nobody who would take it for a whole file.
  if (can_be_shortened_ && ::ftruncate(descriptor_, length_) == 0) {
    ::lseek(descriptor_, length_, SEEK_SET);
  }
}

void RecordFile::append(const void* bytes, std::size_t size) {
  const std::lock_guard<std::timed_mutex> guard(output_lock());
  if (!has_begun_) {
    take_back();
    has_begun_ = true;
  }
  for (std::size_t done = 0; done < size;) {
    const ssize_t written = ::write(descriptor_, static_cast<const char*>(bytes) + done, size - done);
    if (written >= 0) {
      done += static_cast<std::size_t>(written);
    } else if (errno != EINTR) {
      const int error = errno;
      take_back();
      fail(shown_, error);
    }
  }
  length_ += static_cast<off_t>(size);
}

void write_file(const std::string& path, const std::string& content) {
  if (!can_be_replaced(path)) {
    RecordFile(path).append(content);
    return;
  }
  const std::string aside = aside_name(path);
  try {
    RecordFile(aside, path).append(content);
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

void check_writable(const std::string& path) {
  const int named = named_descriptor(path);
  if (named >= 0) {
    if (::fcntl(named, F_GETFD) < 0) {
      fail(path, errno);
    }
    return;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode) || ::access(path.c_str(), W_OK) != 0) {
      fail(path, S_ISDIR(status.st_mode) ? EISDIR : errno);
    }
    if (!can_be_replaced(path)) {
      return;
    }
  } else if (errno != ENOENT) {
    fail(path, errno);
  }
  RecordFile(aside_name(follow_links(path).string()), path);
}

std::string identity(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    std::error_code error;
    const fs::path absolute = fs::absolute(follow_links(path), error);
    return fs::weakly_canonical(absolute, error).string();
  }
  const bool is_shareable = S_ISCHR(status.st_mode) || S_ISSOCK(status.st_mode);
  return is_shareable ? "" : std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
}

std::vector<std::string> chain_files(const std::string& name, const std::string& tag, const std::string& suffix,
                                     int num_chains, int first_chain) {
  const fs::path path(name);
  std::error_code unused;
  if (tag.empty() && (named_descriptor(name) >= 0 || fs::is_other(path, unused))) {
    return std::vector<std::string>(static_cast<std::size_t>(num_chains), name);
  }
  const std::string extension = path.extension().string();
  const std::string base = name.substr(0, name.size() - extension.size()) + tag;
  const std::string ending = suffix == ".csv" && !extension.empty() ? extension : suffix;
  if (num_chains == 1) {
    return {base + ending};
  }
  if (first_chain > std::numeric_limits<int>::max() - (num_chains - 1)) {
    throw UserError("id=" + std::to_string(first_chain) + " leaves no numbers for " + std::to_string(num_chains) +
                    " chains: the last one's would exceed " + std::to_string(std::numeric_limits<int>::max()));
  }
  std::vector<std::string> names;
  for (int chain = 0; chain < num_chains; ++chain) {
    names.push_back(base + "_" + std::to_string(first_chain + chain) + ending);
  }
  return names;
}

}  // namespace runner
