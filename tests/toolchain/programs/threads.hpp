#include <chrono>
#include <mutex>
#include <ostream>
#include <set>
#include <thread>

inline std::mutex& threads_lock() {
  static std::mutex lock;
  return lock;
}

/** The threads that came by. */
inline std::set<std::thread::id>& threads() {
  static std::set<std::thread::id> all;
  return all;
}

/** Waits a moment, so that there is work left for another thread. */
inline double see_thread(double x, std::ostream*) {
  std::this_thread::sleep_for(std::chrono::microseconds(200));
  const std::lock_guard<std::mutex> guard(threads_lock());
  threads().insert(std::this_thread::get_id());
  return x;
}

inline double threads_seen(std::ostream*) { return static_cast<double>(threads().size()); }
