#include "requests.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "units.hpp"

namespace {

/** A stream of requests from a file with these bytes. */
class Input {
 public:
  explicit Input(const std::string& bytes) {
    std::ofstream("requests", std::ios::binary) << bytes;
    descriptor_ = ::open("requests", O_RDONLY);
  }
  ~Input() { ::close(descriptor_); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  runner::RequestStream stream() const { return runner::RequestStream(descriptor_); }

 private:
  int descriptor_;
};

std::string bytes(const runner::RequestHeader& header) {
  return std::string(reinterpret_cast<const char*>(&header), sizeof header);
}

std::string written() {
  std::ifstream file("answers", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

runner::AnswerHeader header_of(const std::string& answer) {
  runner::AnswerHeader header{};
  std::memcpy(&header, answer.data(), sizeof header);
  return header;
}

}  // namespace

UNIT(requests_are_read_until_the_input_ends) {
  const Input input(bytes({2, 3, 4, 5}) + "abcdefgh" + bytes({6, 0, 0, 0}));
  const auto requests = input.stream();
  runner::RequestHeader header{};
  CHECK(requests.next(header));
  CHECK(header.kind == 2 && header.count == 3 && header.seed == 4 && header.first == 5);
  std::string rest(8, ' ');
  requests.read(rest.data(), rest.size());
  CHECK_EQUAL(rest, "abcdefgh");
  CHECK(requests.next(header) && header.kind == 6);
  CHECK(!requests.next(header));
}

UNIT(requests_that_break_off_say_so) {
  const Input half(bytes({2, 3, 4, 5}).substr(0, 20));
  runner::RequestHeader header{};
  CHECK_REFUSED(half.stream().next(header), "a request broke off: expected 32 more bytes, found 20");
  const Input without(bytes({2, 3, 4, 5}) + "abc");
  CHECK(without.stream().next(header));
  char rest[8];
  CHECK_REFUSED((without.stream().read(rest, sizeof rest), 0), "expected 8 more bytes, found 3");
  CHECK_REFUSED(runner::RequestStream(-1).next(header), "cannot read a request: Bad file descriptor");
}

UNIT(answers_are_numbers_or_a_text_behind_their_size) {
  runner::AnswerStream answers("answers");
  double* const numbers = answers.begin(2);
  numbers[0] = 1.5;
  numbers[1] = -2;
  answers.send(7);
  const std::string first = written();
  CHECK_EQUAL(first.size(), 40U);
  CHECK(header_of(first).status == 0 && header_of(first).rejected == 7 && header_of(first).size == 16);
  double found[2];
  std::memcpy(found, first.data() + 24, sizeof found);
  CHECK(found[0] == 1.5 && found[1] == -2);
  answers.send_text(1, "not so");
  const std::string second = written().substr(first.size());
  CHECK(header_of(second).status == 1 && header_of(second).rejected == 0 && header_of(second).size == 6);
  CHECK_EQUAL(second.substr(24), "not so");
  answers.begin(0);
  answers.send(0);
  CHECK_EQUAL(written().size(), first.size() + second.size() + 24);
}

UNIT(answers_that_cannot_be_written_are_refused) {
  CHECK_REFUSED(runner::AnswerStream("none/answers"), "cannot write 'none/answers': No such file");
}

UNIT(sizes_beyond_all_reason_are_refused) {
  CHECK_EQUAL(runner::bytes_of(3, 2), 48U);
  CHECK_EQUAL(runner::bytes_of(3, 0), 0U);
  CHECK_EQUAL(runner::bytes_of(0, 5), 0U);
  CHECK_EQUAL(runner::bytes_of(std::uint64_t{1} << 27, 1), std::size_t{1} << 30);
  CHECK_REFUSED(runner::bytes_of((std::uint64_t{1} << 27) + 1, 1), "exceeds 1073741824 bytes: ask in parts");
  CHECK_REFUSED(runner::bytes_of(~std::uint64_t{0}, 9), "ask in parts");
  CHECK_REFUSED(runner::bytes_of(~std::uint64_t{0}, 0), "ask in parts");
}
