#ifndef RUNNER_ERROR_HPP
#define RUNNER_ERROR_HPP

#include <stdexcept>

namespace runner {

/** What a user can mend: bad arguments, bad files. Its message is one line. */
struct UserError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace runner

#endif
