#include "signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "files.hpp"

namespace runner {
namespace {

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void wait_and_end(sigset_t awaited) {
  int signal = 0;
  if (sigwait(&awaited, &signal) != 0) {
    return;
  }
  // A write that hangs, on a pipe say, must not keep the process alive.
  (void)output_lock().try_lock_for(std::chrono::seconds(1));
  // The signal itself ends the process, so that the parent sees what happened.
  ::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  ::kill(::getpid(), signal);
}

}  // namespace

void end_between_records() {
  ::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit then fails, and the record is taken back
  sigset_t awaited;
  sigemptyset(&awaited);
  bool any = false;
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    if (!is_ignored(signal)) {
      sigaddset(&awaited, signal);
      any = true;
    }
  }
  if (any) {
    pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
    std::thread(wait_and_end, awaited).detach();
  }
}

}  // namespace runner
