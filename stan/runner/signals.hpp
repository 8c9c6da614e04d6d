#ifndef RUNNER_SIGNALS_HPP
#define RUNNER_SIGNALS_HPP

namespace runner {

/**
 * Makes SIGHUP, SIGINT and SIGTERM end the process at once, but between two records of its output. To be called
 * before any other thread exists: all of them inherit the blocked signals.
 */
void end_between_records();

}  // namespace runner

#endif
