#ifndef RUNNER_REQUESTS_HPP
#define RUNNER_REQUESTS_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "files.hpp"

namespace runner {

/** How a client's request begins. Its numbers, like all others here, are in the machine's own byte order. */
struct RequestHeader {
  std::uint64_t kind;
  std::uint64_t count;  ///< of the points that follow, or of the bytes
  std::uint64_t seed;   ///< of what is drawn at random
  std::uint64_t first;  ///< number of the first point among all of the client's
};

/** How an answer begins. */
struct AnswerHeader {
  std::uint64_t status;    ///< 0; 1 if what follows is the reason why there is no answer
  std::uint64_t rejected;  ///< how many of the points the program rejects
  std::uint64_t size;      ///< number of bytes that follow
};

/** Reads requests from a descriptor, which stays open. */
class RequestStream {
 public:
  explicit RequestStream(int descriptor) : descriptor_(descriptor) {}

  /** Reads how the next request begins; false at the end. Throws UserError if the end is in the middle of it. */
  bool next(RequestHeader& header) const;
  /** Reads what belongs to a request. Throws UserError if there are fewer bytes. */
  void read(void* bytes, std::size_t size) const;

 private:
  std::size_t read_some(void* bytes, std::size_t size) const;

  int descriptor_;
};

/** Writes answers, each whole. */
class AnswerStream {
 public:
  explicit AnswerStream(const std::string& path) : file_(path) {}

  /** Begins an answer of `count` numbers, which are to be filled in before `send`. */
  double* begin(std::size_t count);
  void send(std::uint64_t rejected);
  void send_text(std::uint64_t status, const std::string& text);

 private:
  void send_bytes(const AnswerHeader& header);

  RecordFile file_;
  std::vector<double> buffer_;  // the header's room, then the numbers; kept, so that an answer costs no allocation
};

/**
 * The size in bytes of so many numbers, `each` of them for each of `count` points. Throws UserError if that is more
 * than a request or an answer may have, which a client that has lost count would ask for.
 */
std::size_t bytes_of(std::uint64_t count, std::size_t each);

}  // namespace runner

#endif
