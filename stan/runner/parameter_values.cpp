#include "parameter_values.hpp"

#include <filesystem>
#include <sstream>

#include "callbacks.hpp"
#include "error.hpp"
#include "inputs.hpp"

namespace runner {
namespace {

[[noreturn]] void fail(const std::string& file, const std::exception& error, const std::stringstream& messages) {
  throw UserError("the parameter values in '" + file + "' do not fit the model: " +
                  single_line(messages.str() + " " + error.what()));
}

}  // namespace

std::vector<double> unconstrain(const stan::model::model_base& model, const std::vector<double>& values,
                                const std::string& file) {
  std::stringstream messages;
  std::vector<double> unconstrained;
  try {
    model.unconstrain_array(values, unconstrained, &messages);
  } catch (const std::exception& error) {
    fail(file, error, messages);
  }
  return unconstrained;
}

std::vector<double> read_parameters(const stan::model::model_base& model, const std::string& path,
                                    const std::string& purpose) {
  const Context context = read_context(path, purpose);
  std::stringstream messages;
  std::vector<int> no_integers;
  std::vector<double> unconstrained;
  try {
    model.transform_inits(*context, no_integers, unconstrained, &messages);
  } catch (const std::exception& error) {
    fail(path, error, messages);
  }
  return unconstrained;
}

std::vector<std::string> parameter_names(const stan::model::model_base& model) {
  std::vector<std::string> names;
  model.constrained_param_names(names, false, false);
  if (names.empty()) {
    throw UserError("the model has no parameters");
  }
  return names;
}

bool is_csv(const std::string& path) { return std::filesystem::path(path).extension() == ".csv"; }

}  // namespace runner
