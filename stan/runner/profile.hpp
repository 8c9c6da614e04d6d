#ifndef RUNNER_PROFILE_HPP
#define RUNNER_PROFILE_HPP

#include <string>

namespace runner {

/** Writes what the program's `profile` blocks measured, if it has any, and unless `path` is empty; `precision` as for CSV. */
void save_profiles(const std::string& path, int precision);

}  // namespace runner

#endif
