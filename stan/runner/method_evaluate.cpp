#include "method_evaluate.hpp"

#include <stan/services/error_codes.hpp>

#include <unistd.h>

#include "error.hpp"
#include "evaluator.hpp"
#include "requests.hpp"

namespace runner {

Argument evaluate_arguments() {
  return group("evaluate", "Answers another program's requests for log densities, gradients and quantities",
               {text("answers", "Pipe or file for the answers, such as /dev/fd/3; standard input has the requests", ""),
                flag("jacobian", "Whether to adjust for the change of variables of constrained parameters", true),
                flag("propto", "Whether to leave out constant terms, as log_prob does", false)});
}

Plan plan_evaluate(const Argument& arguments) {
  const std::string& answers = get<std::string>(arguments, "method.evaluate.answers");
  if (answers.empty()) {
    throw UserError("answers is not given: expected the name of a file or pipe");
  }
  Plan plan;
  plan.write_along("answers", {answers});
  return plan;
}

int run_evaluate(Run& run) {
  const Argument& method = node(run.arguments, "method.evaluate");
  const RequestStream requests(STDIN_FILENO);
  AnswerStream answers(get<std::string>(method, "answers"));
  const Target target = choose_target(get<bool>(method, "propto"), get<bool>(method, "jacobian"));
  Evaluator evaluator(run.model, target, answers);
  for (RequestHeader header{}; requests.next(header);) {
    evaluator.answer(header, requests);
  }
  return stan::services::error_codes::OK;
}

}  // namespace runner
