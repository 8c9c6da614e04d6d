#include <stan/io/var_context.hpp>
#include <stan/math/prim/core/init_threadpool_tbb.hpp>
#include <stan/services/error_codes.hpp>
#include <stan/version.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <memory>
#include <random>

#include "argument.hpp"
#include "build_options.hpp"
#include "callbacks.hpp"
#include "command_line.hpp"
#include "error.hpp"
#include "files.hpp"
#include "inputs.hpp"
#include "method.hpp"
#include "plan.hpp"
#include "profile.hpp"
#include "render.hpp"
#include "signals.hpp"

// Defined by the C++ code that stanc makes of a Stan program.
stan::model::model_base& new_model(stan::io::var_context& data, unsigned int seed, std::ostream* messages);

namespace runner {
namespace {

constexpr int success = 0;
constexpr int failure = 1;  // CmdStan's only other exit status

void print_info() {
  std::cout << "stan_version_major = " << stan::MAJOR_VERSION << '\n'
            << "stan_version_minor = " << stan::MINOR_VERSION << '\n'
            << "stan_version_patch = " << stan::PATCH_VERSION << '\n';
  for (const auto& [name, on] : build_options()) {
    std::cout << name << '=' << (on ? "true" : "false") << '\n';
  }
}

std::string start_time() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", std::gmtime(&now));
  return text;
}

/** The seed as given, or one from the clock, which then stands in the output as if it had been given. */
unsigned int settle_seed(Argument& arguments) {
  Argument& seed = *arguments.child("random")->child("seed");
  if (std::get<long long>(seed.value) < 0) {
    const auto ticks = std::chrono::system_clock::now().time_since_epoch().count();
    std::seed_seq mixed{static_cast<unsigned int>(ticks), static_cast<unsigned int>(ticks >> 32),
                        std::random_device{}()};
    std::uint32_t drawn = 0;
    mixed.generate(&drawn, &drawn + 1);
    seed.value = static_cast<long long>(drawn);
    seed.fallback = seed.value;  // CmdStan marks it as the default
  }
  return static_cast<unsigned int>(std::get<long long>(seed.value));
}

void start_threads(const Argument& arguments) {
  const Argument& num_threads = node(arguments, "num_threads");
  const auto wanted = static_cast<int>(std::get<long long>(num_threads.value));
  if (wanted == 0) {
    throw UserError("'num_threads=0' is not valid: expected 1 or more, or -1 for all processors");
  }
  // The default is what the environment says; there, as for CmdStan, 1 is as good as nothing.
  if (!num_threads.is_default() && num_threads.fallback != Value(1LL)) {
    throw UserError("num_threads=" + std::to_string(wanted) + " contradicts STAN_NUM_THREADS=" +
                    print(num_threads.fallback) + " in the environment; give one of them");
  }
  stan::math::init_threadpool_tbb(wanted);
}

const Method& chosen_method(const Argument& arguments) {
  const std::string& name = get<std::string>(arguments, "method");
  const auto& all = methods();
  return *std::find_if(all.begin(), all.end(),
                       [&name](const Method& method) { return method.arguments().name == name; });
}

/** Runs the method; returns why it failed, or nothing. What was logged as an error often is the reason. */
std::string run_logged(const Method& method, Run& run) {
  std::string reason;
  try {
    if (method.run(run) == stan::services::error_codes::OK) {
      return "";
    }
  } catch (const std::exception& error) {
    reason = error.what();
  }
  const std::string errors = run.logger.pending_errors();
  const std::string words = errors + (errors.empty() || reason.empty() ? "" : " ") + reason;
  return words.empty() ? "the method failed" : words;
}

/** Nobody asked for the default file by name: that it cannot be written must not make good draws a failure. */
void write_profiles(const Argument& arguments) {
  const Argument& profile = node(arguments, "output.profile_file");
  try {
    save_profiles(std::get<std::string>(profile.value), get_int(arguments, "output.sig_figs"));
  } catch (const UserError& error) {
    if (!profile.is_default()) {
      throw;
    }
    std::cerr << "Warning: no profile is saved: " << error.what() << std::endl;
  }
}

int run_method(Argument& arguments) {
  const Method& method = chosen_method(arguments);
  check_files(arguments, method.plan(arguments));
  start_threads(arguments);
  const unsigned int seed = settle_seed(arguments);
  for (const auto& line : configuration_lines(arguments)) {
    std::cout << line << '\n';
  }
  std::cout << std::endl;
  const Context data = read_context(get<std::string>(arguments, "data.file"), "data");
  const std::unique_ptr<stan::model::model_base> model(&new_model(*data, seed, &std::cout));
  ConsoleLogger logger;
  Run run{arguments, *model, logger, seed, static_cast<unsigned int>(get_int(arguments, "id")), start_time(), {}, {}};
  const std::string reason = run_logged(method, run);
  if (!reason.empty()) {
    run.mark_failed(reason);
  }
  try {
    write_profiles(arguments);
  } catch (const UserError&) {
    if (reason.empty()) {  // else the run's own failure is what to tell
      throw;
    }
  }
  if (!reason.empty()) {
    throw UserError(reason);
  }
  const std::string errors = logger.pending_errors();
  if (!errors.empty()) {
    std::cerr << errors << std::endl;
  }
  return success;
}

void answer_help(const std::string& program, const Argument& arguments, const Request& request) {
  const bool all = request.action == Request::Action::help_all;
  if (request.about == &arguments) {
    print_usage(program, arguments, std::cout);
  }
  if (request.about != &arguments || all) {
    print_help(*request.about, all, std::cout);
  }
}

int run(const std::string& program, const std::vector<std::string>& tokens) {
  Argument arguments = command_line_arguments();
  const Request request = parse_command_line(tokens, arguments);
  switch (request.action) {
    case Request::Action::info:
      print_info();
      return std::cout.flush() ? success : failure;
    case Request::Action::help:
    case Request::Action::help_all:
      answer_help(program, arguments, request);
      return std::cout.flush() ? success : failure;
    case Request::Action::run:
      return run_method(arguments);
  }
  return failure;
}

int report(const std::string& message) {
  const bool announces_itself = message.rfind("Exception", 0) == 0 || message.rfind("Error", 0) == 0;
  std::cout << std::flush;
  std::cerr << (announces_itself ? "" : "Error: ") + single_line(message) << std::endl;
  return failure;
}

}  // namespace

}  // namespace runner

int main(int argc, char* argv[]) {
  try {
    runner::occupy_standard_descriptors();
    runner::end_between_records();
    return runner::run(argv[0], std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    return runner::report(error.what());
  }
}
