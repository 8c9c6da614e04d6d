#include "evaluator.hpp"

#include <stan/io/chained_var_context.hpp>
#include <stan/io/random_var_context.hpp>
#include <stan/model/log_prob_grad.hpp>
#include <stan/model/log_prob_propto.hpp>
#include <stan/services/util/create_rng.hpp>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <sstream>

#include "callbacks.hpp"
#include "error.hpp"
#include "inputs.hpp"

namespace runner {
namespace {

using Model = stan::model::model_base;

enum Kind : std::uint64_t { describe = 1, log_density = 2, gradient = 3, transform = 4, start = 5 };

constexpr auto alone_for = std::chrono::microseconds(200);  // waking other threads costs about a tenth of that

// Nobody would read what a program prints at each of a million points, hence no stream for it. A density alone is
// computed with numbers, in which nothing is left out: to leave out constants takes the variables of a gradient.
template <bool propto, bool jacobian>
double value_at(const Model& model, Scratch& scratch) {
  if constexpr (propto) {
    return stan::model::log_prob_propto<jacobian>(model, scratch.point, nullptr);
  } else {
    return model.template log_prob<false, jacobian>(scratch.point, nullptr);
  }
}

template <bool propto, bool jacobian>
double gradient_at(const Model& model, Scratch& scratch) {
  return stan::model::log_prob_grad<propto, jacobian>(model, scratch.point, scratch.found, nullptr);
}

std::vector<std::string> column_names(const Model& model, bool all) {
  std::vector<std::string> names;
  model.constrained_param_names(names, all, all);
  return names;
}

/** Stan's streams for chains have another second number, so that no row shares one. */
stan::rng_t row_rng(std::uint64_t seed, std::uint64_t row_number) {
  constexpr std::uint32_t rows = 0x80000000U;
  return stan::rng_t(static_cast<std::uint32_t>(seed >> 32), rows | static_cast<std::uint32_t>(row_number >> 32),
                     static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(row_number));
}

}  // namespace

Target choose_target(bool propto, bool jacobian) {
  if (propto) {
    return jacobian ? Target{value_at<true, true>, gradient_at<true, true>}
                    : Target{value_at<true, false>, gradient_at<true, false>};
  }
  return jacobian ? Target{value_at<false, true>, gradient_at<false, true>}
                  : Target{value_at<false, false>, gradient_at<false, false>};
}

Evaluator::Evaluator(const Model& model, const Target& target, AnswerStream& answers)
    : model_(model),
      target_(target),
      answers_(answers),
      n_dims_(model.num_params_r()),
      n_columns_(column_names(model, true).size()),
      scratch_([this] {
        const auto size = static_cast<Eigen::Index>(n_dims_);
        return Scratch{Eigen::VectorXd(size), Eigen::VectorXd(size)};
      }) {}

void Evaluator::answer(const RequestHeader& header, const RequestStream& requests) {
  switch (header.kind) {
    case describe:
      return send_description();
    case log_density:
      return send_densities(header, requests);
    case gradient:
      return send_gradients(header, requests);
    case transform:
      return send_quantities(header, requests);
    case start:
      return send_start(header, requests);
    default:
      throw UserError("a request of kind " + std::to_string(header.kind) + " is not known: expected 1 to 5");
  }
}

/** Runs `row` on all points, and sends what it has put into `numbers_each` numbers a point. */
template <typename Row>
void Evaluator::send_rows(const RequestHeader& header, const RequestStream& requests, std::size_t numbers_each,
                          const Row& row) {
  const std::size_t size = bytes_of(header.count, n_dims_);
  (void)bytes_of(header.count, numbers_each);
  const auto count = static_cast<std::size_t>(header.count);
  points_.resize(count * n_dims_);
  requests.read(points_.data(), size);
  double* const out = answers_.begin(count * numbers_each);
  rejected_ = 0;
  failure_.clear();
  run_rows(count, [&](std::size_t i, Scratch& scratch) { row(i, scratch, out); });
  if (failure_.empty()) {
    answers_.send(rejected_);
  } else {
    answers_.send_text(1, failure_);
  }
}

/** Few points, or quick ones, are done before another thread would be awake. */
template <typename Row>
void Evaluator::run_rows(std::size_t count, const Row& row) {
  Scratch& own = scratch_.local();
  const auto until = std::chrono::steady_clock::now() + alone_for;
  std::size_t done = 0;
  while (done < count && std::chrono::steady_clock::now() < until) {
    run_row(done++, own, row);
  }
  if (done == count) {
    return;
  }
  tbb::parallel_for(tbb::blocked_range<std::size_t>(done, count), [&](const auto& range) {
    Scratch& scratch = scratch_.local();
    for (std::size_t i = range.begin(); i < range.end(); ++i) {
      run_row(i, scratch, row);
    }
  });
}

template <typename Row>
void Evaluator::run_row(std::size_t row_number, Scratch& scratch, const Row& row) {
  scratch.point = Eigen::Map<const Eigen::VectorXd>(points_.data() + row_number * n_dims_,
                                                    static_cast<Eigen::Index>(n_dims_));
  try {
    row(row_number, scratch);
  } catch (const std::exception& error) {
    const std::lock_guard<std::mutex> guard(failure_lock_);
    if (failure_.empty() || row_number < failed_row_) {  // the first, whichever thread comes first
      failed_row_ = row_number;
      failure_ = "Exception: " + single_line(error.what());
    }
  }
}

void Evaluator::send_description() {
  std::vector<std::string> coordinates;
  model_.unconstrained_param_names(coordinates, false, false);
  std::string text;
  for (const auto& names : {coordinates, column_names(model_, false), column_names(model_, true)}) {
    for (const auto& name : names) {
      text += name + '\n';
    }
    text += '\n';
  }
  answers_.send_text(0, text);
}

/** As Stan's samplers do, takes what is no number for a density of zero; returns whether it was one. */
bool Evaluator::take(double found, double& log_density) {
  const bool is_number = !std::isnan(found);
  log_density = is_number ? found : -std::numeric_limits<double>::infinity();
  rejected_ += is_number ? 0 : 1;
  return is_number && std::isfinite(found);
}

void Evaluator::send_densities(const RequestHeader& header, const RequestStream& requests) {
  send_rows(header, requests, 1, [this](std::size_t i, Scratch& scratch, double* out) {
    try {
      take(target_.value(model_, scratch), out[i]);
    } catch (const std::domain_error&) {
      take(std::numeric_limits<double>::quiet_NaN(), out[i]);
    }
  });
}

void Evaluator::send_gradients(const RequestHeader& header, const RequestStream& requests) {
  send_rows(header, requests, 1 + n_dims_, [&](std::size_t i, Scratch& scratch, double* out) {
    bool is_finite = false;
    try {
      is_finite = take(target_.with_gradient(model_, scratch), out[i]);
    } catch (const std::domain_error&) {
      take(std::numeric_limits<double>::quiet_NaN(), out[i]);
    }
    double* const slope = out + header.count + i * n_dims_;
    if (is_finite) {
      std::copy_n(scratch.found.data(), n_dims_, slope);
    } else {
      std::fill_n(slope, n_dims_, 0.0);
    }
  });
}

/** A stream of its own takes longer than many a program: rows get it once one has been seen to draw from another. */
void Evaluator::write_quantities(Scratch& scratch, std::uint64_t seed, std::uint64_t row_number) {
  static const stan::rng_t untouched = row_rng(0, 0);
  if (!is_random_) {
    stan::rng_t rng = untouched;
    try {
      model_.write_array(rng, scratch.point, scratch.found, true, true, nullptr);
    } catch (const std::domain_error&) {
      if (rng == untouched) {
        throw;
      }
    }
    if (rng == untouched) {
      return;
    }
    is_random_ = true;
  }
  stan::rng_t rng = row_rng(seed, row_number);
  model_.write_array(rng, scratch.point, scratch.found, true, true, nullptr);
}

void Evaluator::send_quantities(const RequestHeader& header, const RequestStream& requests) {
  send_rows(header, requests, n_columns_, [&](std::size_t i, Scratch& scratch, double* out) {
    try {
      write_quantities(scratch, header.seed, header.first + i);
    } catch (const std::domain_error&) {
      ++rejected_;  // what the program had computed by then stays, as in the files of Stan's samplers
    }
    double* const row = out + i * n_columns_;
    const auto written = std::min(static_cast<std::size_t>(scratch.found.size()), n_columns_);
    std::copy_n(scratch.found.data(), written, row);
    std::fill_n(row + written, n_columns_ - written, std::numeric_limits<double>::quiet_NaN());
  });
}

void Evaluator::send_start(const RequestHeader& header, const RequestStream& requests) {
  constexpr double radius = 2;  // Stan's own
  (void)bytes_of(header.count, 1);
  std::string path(static_cast<std::size_t>(header.count), '\0');
  requests.read(path.data(), path.size());
  std::stringstream messages;
  try {
    const Context given = read_context(path, "init");
    stan::rng_t rng = row_rng(header.seed, header.first);
    const stan::io::random_var_context drawn(model_, rng, radius, false);
    const stan::io::chained_var_context both(*given, drawn);
    std::vector<int> no_integers;
    std::vector<double> point;
    model_.transform_inits(both, no_integers, point, &messages);
    std::copy(point.begin(), point.end(), answers_.begin(point.size()));
    answers_.send(0);
  } catch (const std::exception& error) {
    answers_.send_text(1, single_line(messages.str() + " " + error.what()));
  }
}

}  // namespace runner
