#include "profile.hpp"

#include <stan/math/rev/core.hpp>
#include <stan/math/rev/core/profiling.hpp>

#include <sstream>

#include "files.hpp"

// Defined by the C++ code that stanc makes of a Stan program.
stan::math::profile_map& get_stan_profile_data();

namespace runner {

void save_profiles(const std::string& path, int precision) {
  const auto& profiles = get_stan_profile_data();
  if (path.empty() || profiles.empty()) {
    return;
  }
  std::ostringstream rows;
  if (precision >= 0) {
    rows.precision(precision);
  }
  rows << "name,thread_id,total_time,forward_time,reverse_time,chain_stack,no_chain_stack,autodiff_calls,"
          "no_autodiff_calls\n";
  for (const auto& [key, profile] : profiles) {
    const double forward = profile.get_fwd_time();
    const double reverse = profile.get_rev_time();
    rows << key.first << ',' << key.second << ',' << forward + reverse << ',' << forward << ',' << reverse << ','
         << profile.get_chain_stack_used() << ',' << profile.get_nochain_stack_used() << ','
         << profile.get_num_rev_passes() << ',' << profile.get_num_no_AD_fwd_passes() << '\n';
  }
  write_file(path, rows.str());
}

}  // namespace runner
