#include "method_laplace.hpp"

#include <stan/services/optimize/laplace_sample.hpp>

#include "draws_file.hpp"
#include "error.hpp"
#include "parameter_values.hpp"

namespace runner {
namespace {

/** A mode as `optimize` wrote it (the last row, should it have saved all iterations), or in a JSON file. */
std::vector<double> read_mode(const stan::model::model_base& model, const std::string& path) {
  const auto names = parameter_names(model);
  if (!is_csv(path)) {
    return read_parameters(model, path, "mode");
  }
  DrawsFile file(path, "mode", names);
  if (!file.has_comment("method = optimize")) {
    throw UserError("cannot use the mode file '" + path + "': it was not written by method=optimize");
  }
  std::vector<double> values;
  while (file.next(values)) {
  }
  return unconstrain(model, values, path);
}

std::vector<std::string> hessian_file(const Argument& arguments) {
  const std::string& name = get<std::string>(arguments, "output.diagnostic_file");
  return name.empty() ? std::vector<std::string>{} : chain_files(name, "", ".json", 1, 0);
}

/** Passes on what Stan says of the mode, and stops it where the Hessian is not a maximum's: all draws would be NaN. */
class ModeWriter final : public stan::callbacks::structured_writer {
 public:
  explicit ModeWriter(JsonDocument& document) : json_(document.writer()) {}

  using stan::callbacks::structured_writer::write;
  void begin_record() override { json_.begin_record(); }
  void end_record() override { json_.end_record(); }
  void write(const std::string& key, double value) override { json_.write(key, value); }
  void write(const std::string& key, const Eigen::VectorXd& values) override { json_.write(key, values); }
  void write(const std::string& key, const Eigen::MatrixXd& hessian) override {
    json_.write(key, hessian);
    if (!hessian.allFinite() || (-hessian).llt().info() != Eigen::Success) {
      throw UserError("the Hessian at the mode is not finite and negative definite, so there is no Gaussian around it: "
                      "the mode is no maximum of this density; optimize with the same value of jacobian");
    }
  }

 private:
  JsonDocument::Writer json_;
};

}  // namespace

Argument laplace_arguments() {
  return group("laplace", "Draws from a Gaussian around a mode, on the unconstrained scale",
               {text("mode", "The mode: a CSV file of method=optimize, or a JSON file with all parameters", ""),
                flag("jacobian", "Whether to adjust for the change of variables; as it was when the mode was found",
                     true),
                integer("draws", "Number of draws", 1000, at_least(1)),
                flag("calculate_lp", "Whether to compute the model's log density at each draw", true)});
}

Plan plan_laplace(const Argument& arguments) {
  const std::string& mode = get<std::string>(arguments, "method.laplace.mode");
  if (mode.empty()) {
    throw UserError("mode is not given: expected a CSV file of method=optimize, or a JSON file with all parameters");
  }
  Plan plan;
  plan.read("mode", {mode});
  plan.write_along("output", {output_file(arguments)});
  plan.write_at_the_end("diagnostic", hessian_file(arguments));
  return plan;
}

int run_laplace(Run& run) {
  const Argument& laplace = node(run.arguments, "method.laplace");
  const std::vector<double> values = read_mode(run.model, get<std::string>(laplace, "mode"));
  const Eigen::VectorXd mode = Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
  const int draws = get_int(laplace, "draws");
  const bool calculate_lp = get<bool>(laplace, "calculate_lp");
  JsonDocument hessian(run.precision());
  ModeWriter mode_writer(hessian);
  run.outputs.results.emplace_back(output_file(run.arguments), run.precision());
  run.begin();
  const auto sample = [&](auto service) {
    return service(run.model, mode, draws, calculate_lp, run.seed, run.refresh(), run.interrupt, run.logger,
                   run.outputs.results.front(), mode_writer);
  };
  const int code = get<bool>(laplace, "jacobian")
                       ? sample([](auto&&... all) { return stan::services::laplace_sample<true>(all...); })
                       : sample([](auto&&... all) { return stan::services::laplace_sample<false>(all...); });
  if (code != 0) {
    return code;
  }
  for (const auto& path : hessian_file(run.arguments)) {
    write_file(path, hessian.text());
  }
  return code;
}

}  // namespace runner
