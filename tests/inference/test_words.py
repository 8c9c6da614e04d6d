"""What Stan says when it fails, as it said it, and what the user is told."""

import signal

import pytest

from bayeskit.core.errors import DataError, InferenceError, ProgramError
from bayeskit.inference._words import ascended, failure, missing_data, optimised
from bayeskit.toolchain import Variable

ECHO = "method = sample (Default)\n  sample\n    num_samples = 1000 (Default)\nnum_threads = 1 (Default)\n\n"
STAGE = "; processing stage=data initialization; variable name="
NO_START = (
    "Error: Initialization between (-2, 2) failed after 100 attempts. Try specifying initial values, reducing ranges "
    "of constrained values, or reparameterizing the model. Initialization failed.\n"
)
REFUSED = (
    "Rejecting initial value:\n  Error evaluating the log probability at the initial value.\n"
    "Exception: normal_lpdf: Scale parameter is -{}, but must be positive! (in 'p.stan', line 2, column 8)\n"
)
LOG_0 = (
    "Rejecting initial value:\n  Log probability evaluates to log(0), i.e. negative infinity.\n"
    "  Stan can't start sampling from this initial value.\n"
)
SAMPLING = "Gradient evaluation took 1e-05 seconds\nIteration:    1 / 2000 [  0%]  (Warmup)\n"
HARMLESS = (
    "Informational Message: The current Metropolis proposal is about to be rejected\nException: x (in 'p.stan')\n"
)


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        (
            f"Exception: mismatch in dimension declared and found in context{STAGE}y; position=0; dims declared=(8,2); "
            "dims found=(7,2) (in 'p.stan', line 3, column 2 to column 18)",
            DataError,
            "data variable 'y' must have size 8 x 2, but has size 7 x 2 (in 'p.stan', line 3, column 2 to column 18)",
        ),
        (
            f"Exception: mismatch in number dimensions declared and found in context{STAGE}y; dims declared=(1); "
            "dims found=() (in 'p.stan', line 3)",
            DataError,
            "data variable 'y' must have size 1, but has no dimensions (one number)",
        ),
        (
            f"Exception: int variable contained non-int values{STAGE}J; base type=int (in 'p.stan', line 2)",
            DataError,
            "data variable 'J' must hold integers",
        ),
        (
            "Exception: mismatch in dimension declared and found in context; processing stage=initialization; "
            "variable name=eta; position=0; dims declared=(8); dims found=(3) (in 'p.stan', line 9)",
            DataError,
            "start value 'eta' must have size 8, but has size 3",
        ),
        (
            "Exception: p_model_namespace::p_model: sigma[3] is -16, but must be greater than or equal to 0.000000 "
            "(in 'p.stan', line 4)",
            DataError,
            "the program refuses the data: sigma[3] is -16, but must be greater than or equal to 0 (in 'p.stan', ",
        ),
        (
            "Error: unusable values in the data file 'd.json': Variable: y, error: null values not allowed.",
            DataError,
            "null values not allowed",
        ),
        (
            f"{LOG_0}{REFUSED.format(1.5)}{REFUSED.format(2e-7)}{NO_START}",
            ProgramError,
            "100 starts drawn from (-2, 2) were refused (Stan: normal_lpdf: Scale parameter is -1.5, but must be "
            "positive! (in 'p.stan', line 2, column 8)); give start values (--init",
        ),
        (f"{LOG_0}{NO_START}", ProgramError, "Log probability evaluates to log(0), i.e. negative infinity"),
        (
            "Error: Unrecoverable error evaluating the log probability at the initial value. Exception: vector[uni] "
            "indexing: accessing element out of range. index 4 (in 'p.stan', line 3)",
            ProgramError,
            "the program fails: vector[uni] indexing: accessing element out of range. index 4 (in 'p.stan', line 3)",
        ),
        (
            f"{SAMPLING}Exception: array[uni,...] assign: accessing element out of range. (in 'p.stan', line 3)",
            ProgramError,
            "the program fails: array[uni,...] assign",
        ),
        (f"{SAMPLING}Exception: something", InferenceError, "Stan stopped without a result: something"),
        (
            "Error: method 'pathfinder' is not supported by this program's runner; supported: sample",
            InferenceError,
            "this Stan does not know what was asked of it: method 'pathfinder' is not supported",
        ),
        ("", InferenceError, "num_threads = 1 (Default)"),
    ],
)
def test_failures_are_told_in_one_line(said, kind, told):
    error = failure(ECHO + said)
    assert type(error) is kind
    assert told in str(error)
    assert "\n" not in str(error)


def test_a_killed_process_is_no_fault_of_the_program():
    error = failure(ECHO + SAMPLING + HARMLESS, -signal.SIGKILL)
    assert type(error) is InferenceError
    assert "signal SIGKILL, most likely for lack of memory" in str(error)


DECLARED = {"N": Variable("int", 0), "sigma": Variable("real", 1), "y": Variable("real", 2)}


@pytest.mark.parametrize(
    ("given", "name", "told"),
    [
        ({"N": 1}, "sigma", "no 'sigma', which the program declares as real with 1 dimension, nor 'y'; add what is mi"),
        ({"N": 1, "y": 1, "Sigma": 2}, "sigma", "as real with 1 dimension; is 'Sigma' meant?"),
        ({}, "N", "no 'N', which the program declares as int, nor 'sigma' and 'y'; give a JSON file"),
    ],
)
def test_missing_data_are_named(given, name, told):
    absent = missing_data(DECLARED, given)
    assert set(absent) == set(DECLARED) - set(given)
    assert told in absent[name]
    dimensions = f"Exception: mismatch in number dimensions declared and found in context{STAGE}{name}; "
    assert str(failure(f"{ECHO}{dimensions}dims declared=(8); dims found=()", absent=absent)) == absent[name]


def test_no_data_are_missing():
    assert missing_data({"N": Variable("int", 0)}, {"N": 1, "unused": 2}) == {}


@pytest.mark.parametrize(
    ("said", "status", "outcome"),
    [
        (
            "Optimization terminated normally: \n  Convergence detected: gradient norm is below tolerance\n",
            0,
            (True, "Convergence detected: gradient norm is below tolerance"),
        ),
        (
            "Optimization terminated normally: \n  Maximum number of iterations hit, may not be at an optima\n",
            0,
            (False, "Maximum number of iterations hit, may not be at an optima"),
        ),
        (
            "Optimization terminated with error: \n  Line search failed to achieve a sufficient decrease\n",
            70,
            (False, "Line search failed to achieve a sufficient decrease"),
        ),
        (
            "Error: Optimization terminated with error: Line search failed, no more progress can be made\n",
            1,
            (False, "Line search failed, no more progress can be made"),
        ),
        ("", 0, (False, "Stan does not say how the optimisation ended")),
    ],
)
def test_how_an_optimisation_ended(said, status, outcome):
    assert optimised(ECHO + said, status) == outcome


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("   300   -52.1   0.02   0.005   MEDIAN ELBO CONVERGED\n", (True, "median ELBO converged")),
        (
            "   900   -1e+9   1.3   0.009   MEAN ELBO CONVERGED   MAY BE DIVERGING... INSPECT ELBO\n",
            (True, "mean ELBO converged, though it may be diverging"),
        ),
        ("Informational Message: The maximum number of iterations is reached!\n", (False, "the maximum number of")),
    ],
)
def test_how_an_ascent_ended(said, outcome):
    converged, message = ascended(said)
    assert converged is outcome[0]
    assert message.startswith(outcome[1])
