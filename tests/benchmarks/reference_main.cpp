// What a Stan program costs without our runner: Stan's own function, with the callbacks that Stan itself brings.
// reference DATA OUTPUT SEED NUM_WARMUP NUM_SAMPLES SIG_FIGS, with -1 for the digits of a stream
#include <stan/callbacks/interrupt.hpp>
#include <stan/callbacks/json_writer.hpp>
#include <stan/callbacks/stream_logger.hpp>
#include <stan/callbacks/unique_stream_writer.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/math/prim/core/init_threadpool_tbb.hpp>
#include <stan/model/model_base.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

// Defined by the C++ code that stanc makes of a Stan program.
stan::model::model_base& new_model(stan::io::var_context& data, unsigned int seed, std::ostream* messages);

namespace {

using Context = std::shared_ptr<stan::io::var_context>;
using Csv = stan::callbacks::unique_stream_writer<std::ofstream>;
using Json = stan::callbacks::json_writer<std::ofstream>;

Csv open_csv(const std::string& path, int sig_figs) {
  auto file = std::make_unique<std::ofstream>(path);
  if (sig_figs >= 0) {
    file->precision(sig_figs);
  }
  return Csv(std::move(file), "# ");
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 7) {
    return 2;
  }
  const auto number = [argv](int at) { return std::atoi(argv[at]); };
  stan::math::init_threadpool_tbb(1);
  std::ifstream file(argv[1]);
  stan::json::json_data data(file);
  const auto seed = static_cast<unsigned int>(number(3));
  const std::unique_ptr<stan::model::model_base> model(&new_model(data, seed, &std::cout));

  const std::vector<Context> inits{std::make_shared<stan::io::empty_var_context>()};
  const auto unit = stan::services::util::create_unit_e_diag_inv_metric(model->num_params_r());
  const std::vector<Context> metrics{std::make_shared<std::decay_t<decltype(unit)>>(unit)};
  stan::callbacks::interrupt interrupt;
  stan::callbacks::stream_logger logger(std::cout, std::cout, std::cout, std::cerr, std::cerr);
  std::vector<stan::callbacks::writer> init_writers(1);
  std::vector<Csv> draws, diagnostics;
  draws.push_back(open_csv(argv[2], number(6)));
  diagnostics.emplace_back(nullptr, "# ");
  std::vector<Json> adapted(1);
  return stan::services::sample::hmc_nuts_diag_e_adapt(
      *model, 1, inits, metrics, seed, 1, 2.0, number(4), number(5), 1, false, 0, 1.0, 0.0, 10, 0.8, 0.05, 0.75, 10.0,
      75, 50, 25, interrupt, logger, init_writers, draws, diagnostics, adapted);
}
