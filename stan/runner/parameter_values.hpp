#ifndef RUNNER_PARAMETER_VALUES_HPP
#define RUNNER_PARAMETER_VALUES_HPP

#include <stan/model/model_base.hpp>

#include <string>
#include <vector>

namespace runner {

/** On the unconstrained scale: what `values` of the parameters are there. Throws UserError if they break a constraint. */
std::vector<double> unconstrain(const stan::model::model_base& model, const std::vector<double>& values,
                                const std::string& file);

/** The parameters' values in a JSON (or R dump) file such as serves as initial values, on the unconstrained scale. */
std::vector<double> read_parameters(const stan::model::model_base& model, const std::string& path,
                                    const std::string& purpose);

/** The names of the parameters as in a CSV file's header; throws UserError if there are none. */
std::vector<std::string> parameter_names(const stan::model::model_base& model);

bool is_csv(const std::string& path);

}  // namespace runner

#endif
