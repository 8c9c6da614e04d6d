#ifndef RUNNER_EVALUATOR_HPP
#define RUNNER_EVALUATOR_HPP

#include <stan/math/prim/fun/Eigen.hpp>
#include <stan/model/model_base.hpp>

#include <tbb/enumerable_thread_specific.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "requests.hpp"

namespace runner {

/** What a thread needs for a row; kept, so that no row allocates it. */
struct Scratch {
  Eigen::VectorXd point, found;
};

/** A density at a scratch's point: its logarithm alone, or with the gradient in `found`. */
struct Target {
  using Function = double (*)(const stan::model::model_base&, Scratch&);
  Function value;
  Function with_gradient;
};

/** The density up to a constant or not, of the unconstrained parameters or of those that the program declares. */
Target choose_target(bool propto, bool jacobian);

/** Answers requests, one after the other, the rows of each by as many threads as there are. */
class Evaluator {
 public:
  Evaluator(const stan::model::model_base& model, const Target& target, AnswerStream& answers);

  void answer(const RequestHeader& header, const RequestStream& requests);

 private:
  template <typename Row>
  void send_rows(const RequestHeader& header, const RequestStream& requests, std::size_t numbers_each, const Row& row);
  template <typename Row>
  void run_rows(std::size_t count, const Row& row);
  template <typename Row>
  void run_row(std::size_t row_number, Scratch& scratch, const Row& row);

  void send_description();
  void send_densities(const RequestHeader& header, const RequestStream& requests);
  void send_gradients(const RequestHeader& header, const RequestStream& requests);
  void send_quantities(const RequestHeader& header, const RequestStream& requests);
  void send_start(const RequestHeader& header, const RequestStream& requests);
  void write_quantities(Scratch& scratch, std::uint64_t seed, std::uint64_t row_number);
  bool take(double found, double& log_density);

  const stan::model::model_base& model_;
  Target target_;
  AnswerStream& answers_;
  std::size_t n_dims_, n_columns_;
  std::vector<double> points_;
  tbb::enumerable_thread_specific<Scratch> scratch_;
  std::atomic<bool> is_random_{false};  ///< whether the program has been seen to draw random numbers
  std::atomic<std::uint64_t> rejected_{0};
  std::mutex failure_lock_;
  std::size_t failed_row_ = 0;
  std::string failure_;
};

}  // namespace runner

#endif
