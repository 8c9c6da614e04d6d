#include "method_log_prob.hpp"

#include <stan/model/log_prob_grad.hpp>
#include <stan/services/error_codes.hpp>

#include <functional>
#include <memory>
#include <sstream>
#include <utility>

#include "draws_file.hpp"
#include "error.hpp"
#include "parameter_values.hpp"

namespace runner {
namespace {

using Point = std::vector<double>;
/** Hands over one point after the other, on the unconstrained scale; false at the end. */
using Points = std::function<bool(Point&)>;

/**
 * The variable `params_r` of a JSON file: a vector, or an array of such. An array's numbers are taken as CmdStan takes
 * them, in the order in which Stan keeps an array: column by column, so that a row of it is not a point.
 */
Points unconstrained_points(const stan::model::model_base& model, const std::string& path) {
  const Context context = read_context(path, "unconstrained_params");
  auto values = context->vals_r("params_r");
  const auto shape = context->dims_r("params_r");
  const std::size_t wanted = model.num_params_r();
  const std::size_t found = shape.empty() ? 0 : shape.back();
  if (shape.empty() || shape.size() > 2 || found != wanted) {
    throw UserError("the unconstrained_params file '" + path + "' must have a variable params_r, a vector of " +
                    std::to_string(wanted) + " numbers or an array of such; found " +
                    (shape.empty() ? "none" : std::to_string(found) + " numbers"));
  }
  return [values = std::move(values), wanted, at = std::size_t{0}](Point& point) mutable {
    if (at >= values.size()) {
      return false;
    }
    point.assign(values.begin() + static_cast<std::ptrdiff_t>(at),
                 values.begin() + static_cast<std::ptrdiff_t>(at + wanted));
    at += wanted;
    return true;
  };
}

/** The draws of a CSV file, or the values of a JSON file such as serves as initial values. */
Points constrained_points(const stan::model::model_base& model, const std::string& path) {
  const auto names = parameter_names(model);
  if (is_csv(path)) {
    const auto file = std::make_shared<DrawsFile>(path, "constrained_params", names);
    return [&model, path, file](Point& point) {
      Point constrained;
      const bool any = file->next(constrained);
      if (any) {
        point = unconstrain(model, constrained, path);
      }
      return any;
    };
  }
  return [point = read_parameters(model, path, "constrained_params"), given = false](Point& next) mutable {
    next = point;
    return !std::exchange(given, true);
  };
}

template <bool jacobian>
void write_row(Run& run, Point& point) {
  std::vector<int> no_integers;
  std::vector<double> row;
  std::stringstream messages;
  const double lp = stan::model::log_prob_grad<true, jacobian>(run.model, point, no_integers, row, &messages);
  if (messages.tellp() > 0) {
    run.logger.info(messages);
  }
  row.insert(row.begin(), lp);
  run.outputs.results.front()(row);
}

}  // namespace

Argument log_prob_arguments() {
  return group("log_prob", "Computes the log density and its gradient, on the unconstrained scale, at given values",
               {text("unconstrained_params", "JSON file with params_r: a vector, or an array of such, read column by column", ""),
                text("constrained_params", "CSV file with draws, or JSON file with all parameters", ""),
                flag("jacobian", "Whether to adjust for the change of variables of constrained parameters", true)});
}

Plan plan_log_prob(const Argument& arguments) {
  const Argument& method = node(arguments, "method.log_prob");
  const std::string& unconstrained = get<std::string>(method, "unconstrained_params");
  const std::string& constrained = get<std::string>(method, "constrained_params");
  if (unconstrained.empty() == constrained.empty()) {
    throw UserError(std::string("give either unconstrained_params or constrained_params") +
                    (unconstrained.empty() ? "" : ", not both"));
  }
  Plan plan = plan_chains(arguments, 1);
  plan.read("unconstrained_params", {unconstrained});
  plan.read("constrained_params", {constrained});
  return plan;
}

int run_log_prob(Run& run) {
  const Argument& method = node(run.arguments, "method.log_prob");
  const std::string& unconstrained = get<std::string>(method, "unconstrained_params");
  const Points next = unconstrained.empty()
                          ? constrained_points(run.model, get<std::string>(method, "constrained_params"))
                          : unconstrained_points(run.model, unconstrained);
  run.open_csv_files(1);
  run.begin();
  std::vector<std::string> names;
  run.model.unconstrained_param_names(names, false, false);
  for (auto& name : names) {
    name.insert(0, "g_");
  }
  names.insert(names.begin(), "lp__");
  run.outputs.results.front()(names);
  const bool jacobian = get<bool>(method, "jacobian");
  for (Point point; next(point);) {
    jacobian ? write_row<true>(run, point) : write_row<false>(run, point);
  }
  return stan::services::error_codes::OK;
}

}  // namespace runner
