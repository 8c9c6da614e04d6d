#include "requests.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace runner {
namespace {

constexpr std::size_t header_size = sizeof(AnswerHeader) / sizeof(double);
constexpr std::size_t most_bytes = std::size_t{1} << 30;

void require_all(std::size_t got, std::size_t wanted) {
  if (got != wanted) {
    throw UserError("a request broke off: expected " + std::to_string(wanted) + " more bytes, found " +
                    std::to_string(got));
  }
}

}  // namespace

std::size_t RequestStream::read_some(void* bytes, std::size_t size) const {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(descriptor_, static_cast<char*>(bytes) + done, size - done);
    if (got == 0) {
      break;
    }
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      throw UserError(std::string("cannot read a request: ") + std::strerror(errno));
    }
  }
  return done;
}

bool RequestStream::next(RequestHeader& header) const {
  const std::size_t got = read_some(&header, sizeof header);
  if (got != 0) {
    require_all(got, sizeof header);
  }
  return got != 0;
}

void RequestStream::read(void* bytes, std::size_t size) const { require_all(read_some(bytes, size), size); }

double* AnswerStream::begin(std::size_t count) {
  buffer_.resize(header_size + count);
  return buffer_.data() + header_size;
}

void AnswerStream::send(std::uint64_t rejected) {
  send_bytes({0, rejected, (buffer_.size() - header_size) * sizeof(double)});
}

void AnswerStream::send_text(std::uint64_t status, const std::string& text) {
  double* const room = begin(text.size() / sizeof(double) + 1);
  std::memcpy(room, text.data(), text.size());
  send_bytes({status, 0, text.size()});
}

void AnswerStream::send_bytes(const AnswerHeader& header) {
  std::memcpy(buffer_.data(), &header, sizeof header);
  file_.append(buffer_.data(), sizeof header + header.size);
}

std::size_t bytes_of(std::uint64_t count, std::size_t each) {
  const std::size_t size_each = std::max<std::size_t>(each, 1) * sizeof(double);
  if (count > most_bytes / size_each) {
    throw UserError("a request of " + std::to_string(count) + " points with " + std::to_string(each) +
                    " numbers each exceeds " + std::to_string(most_bytes) + " bytes: ask in parts");
  }
  return static_cast<std::size_t>(count) * each * sizeof(double);
}

}  // namespace runner
