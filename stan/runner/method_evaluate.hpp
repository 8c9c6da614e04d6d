#ifndef RUNNER_METHOD_EVALUATE_HPP
#define RUNNER_METHOD_EVALUATE_HPP

#include "method.hpp"

namespace runner {

/**
 * Evaluates the density wherever a client asks for it: one process for any number of points. Requests come in on
 * standard input, and answers go out to the file or pipe that `answers` names, until the input ends. Requests and
 * answers begin as `requests.hpp` says; points are rows of numbers on the unconstrained scale.
 *
 * kind | follows                  | answer
 * -----|--------------------------|----------------------------------------------------------------------------
 *    1 | nothing                  | names, one a line, in three lists that end in an empty line: a point's
 *      |                          | coordinates, the parameters' columns, all columns
 *    2 | points                   | the log density at each, -inf where the program rejects a point
 *    3 | points                   | the same, then the gradient at each, zeros where a point is rejected
 *    4 | points                   | a row of all columns for each: parameters, transformed, generated quantities
 *    5 | `count` bytes: a path    | the point that the initial values in this JSON file are, random where they are open
 *
 * What is drawn at random for a row depends on the request's seed and the row's number, `first` and on, alone. A point
 * at which the program fails, other than by rejecting it, gets no answer but the reason. A request that is none ends
 * the process.
 */
Argument evaluate_arguments();
Plan plan_evaluate(const Argument& arguments);
int run_evaluate(Run& run);

}  // namespace runner

#endif
