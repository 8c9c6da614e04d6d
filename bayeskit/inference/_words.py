"""What Stan's words mean: whose fault a failure is, in one line with a remedy, and whether an optimiser arrived."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from bayeskit.core.errors import DataError, InferenceError, ProgramError
from bayeskit.core.words import listing
from bayeskit.toolchain import Variable

_WHERE = r"\(in '[^\n]*?\)"
_STAGE = re.compile(
    r"(?P<what>[^\n:]*); processing stage=(?P<stage>[\w ]+?)(?: initialization)?; variable name=(?P<name>[\w.]+);?"
    r"(?P<rest>[^\n]*)"
)
_REJECTED = re.compile(r"Rejecting initial value:\s*\n\s*(?P<reason>[^\n]*)\n(?:\s*Exception: (?P<exception>[^\n]*))?")
_STARTED = ("Gradient evaluation took", "Rejecting initial value", "initial value.", "Initial log joint", "Iteration:")
_START_REMEDY = "give start values (--init FILE.json), a narrower range (--init 0.5), or bounds to the parameters"


def failure(
    console: str, status: int | None = None, absent: Mapping[str, str] = MappingProxyType({})
) -> DataError | ProgramError | InferenceError:
    """Return the exception that tells why a process of Stan's ended without a result.

    Parameters
    ----------
    console
        All that it said.
    status
        Its exit status, negative for a signal, where that is known.
    absent
        What to say of data that the program declares and that were not given, from ``missing_data``.

    Returns
    -------
    DataError, ProgramError or InferenceError
        Where the data or a start do not fit the program; where the program fails; anything else.
    """
    if status is not None and status < 0:
        return InferenceError(f"Stan stopped without a result: {_killed(-status)}")
    lines = [line.strip() for line in console.splitlines()]
    telling = [line for line in lines if re.match(r"(Error|Exception|Unrecoverable|terminate|Fatal)\b", line)]
    last = _tidy(telling[-1]) if telling else ""
    found = _STAGE.search(telling[-1]) if telling else None
    if found:
        base = found["name"].partition(".")[0]
        given = found["stage"] != "data" or base not in absent
        return _misfit(found) if given else DataError(absent[base])
    if "unusable values in the" in last or "in JSON parsing" in console:
        return DataError(f"Stan cannot read its input: {last or _tidy(' '.join(lines[-3:]))}")
    if re.search(r"[Ii]nitialization (between|from source|partially from source|failed)", console):
        return ProgramError(_no_start(console))
    if re.search(r"not supported by this program's runner|mistyped or misplaced|not a valid value", console):
        return InferenceError(f"this Stan does not know what was asked of it: {last or _tidy(' '.join(lines[:2]))}")
    if last and not any(word in console for word in _STARTED):
        return DataError(f"the program refuses the data: {last}; correct the data, or the program")
    if "Unrecoverable error evaluating" in console or last.endswith(")"):
        return ProgramError(f"the program fails: {last}; correct the program, or the data that it computes with")
    if "pathfinder cannot be run" in console:
        return InferenceError(
            "every path of Pathfinder failed at its start; take --method sample, or give other start values (--init)"
        )
    said = last or _tidy(" ".join([line for line in lines if line][-2:]))
    return InferenceError(f"Stan stopped without a result: {said or 'it did not say why'}")


def missing_data(declared: Mapping[str, Variable], given: Mapping[str, object]) -> dict[str, str]:
    """Return what to say of each variable that the program declares and the data lack.

    Stan takes it where the variable has no elements, which only Stan can tell.
    """
    lacking = [name for name in declared if name not in given]
    spare = {name.lower(): name for name in given if name not in declared}
    told = {}
    for name in lacking:
        others = [f"'{other}'" for other in lacking if other != name]
        nor = f", nor {listing(others[:3])}" if others else ""
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        near = get_close_matches(name.lower(), spare, 1)
        remedy = f"is '{spare[near[0]]}' meant?" if near else "add what is missing"
        remedy = remedy if given else "give a JSON file that holds what it needs"
        told[name] = f"the data have no '{name}', which the program declares as {declared[name]}{nor}{more}; {remedy}"
    return told


def optimised(console: str, status: int) -> tuple[bool, str]:
    """Return whether an optimiser arrived, and its own words for how it ended."""
    found = re.search(r"Optimization terminated (normally|with error):\s*([^\n]+)", console)
    if not found:
        return False, "Stan does not say how the optimisation ended"
    message = _tidy(found[2])
    return status == 0 and found[1] == "normally" and "Maximum number" not in message, message


def ascended(console: str) -> tuple[bool, str]:
    """Return whether ADVI's stochastic gradient ascent arrived, and its own words for how it ended."""
    found = re.findall(r"\b((?:MEAN|MEDIAN) ELBO CONVERGED)([^\n]*)", console)
    if not found:
        return False, "the maximum number of iterations was reached before the ELBO converged"
    words, more = found[-1]
    doubt = ", though it may be diverging" if "MAY BE DIVERGING" in more else ""
    return True, f"{words.split()[0].lower()} ELBO converged{doubt}"


def _misfit(found: re.Match[str]) -> DataError:
    stage, name, rest = found["stage"], found["name"], found["rest"]
    what = "data variable" if stage == "data" else "start value"
    where = _place(rest)
    shapes = re.search(r"dims declared=\(([^)]*)\); dims found=\(([^)]*)\)", rest)
    if shapes:
        declared, given = (_shape(text) for text in shapes.groups())
        said = f"{what} '{name}' must have {declared}, but has {given}{where}"
    elif "non-int" in found["what"]:
        said = f"{what} '{name}' must hold integers, but holds other numbers{where}"
    elif "does not exist" in found["what"] or "not found" in found["what"]:
        said = f"{what} '{name}' is missing{where}"
    else:
        said = f"{what} '{name}': {_tidy(found['what'])}{where}"
    return DataError(f"{said}; correct {'the data' if stage == 'data' else '--init'}, or the program")


def _no_start(console: str) -> str:
    """Name the commonest of the reasons for which Stan refused its starts, which differ in their numbers."""
    reasons: dict[str, list[str]] = {}
    for match in _REJECTED.finditer(console):
        reason = match["exception"] or match["reason"]
        reasons.setdefault(re.sub(r"-?\d[\d.e+-]*", "#", reason), []).append(reason)
    usual = max(reasons.values(), key=len)[0] if reasons else ""
    because = f" (Stan: {_tidy(usual)})" if usual else ""
    found = re.search(r"Initialization between \(([^)]*)\) failed after (\d+) attempts", console)
    tried = "the start was refused"
    if found and found[2] != "1":  # a single one is the user's, whatever Stan says of an interval
        tried = f"{found[2]} starts drawn from ({found[1]}) were refused"
    return f"the density is not finite where sampling would start: {tried}{because}; {_START_REMEDY}"


def _shape(text: str) -> str:
    sizes = [part.strip() for part in text.split(",") if part.strip()]
    if not sizes:
        return "no dimensions (one number)"
    return f"size {' x '.join(sizes)}"


def _place(text: str) -> str:
    found = re.search(_WHERE, text)
    return f" {found.group()}" if found else ""


def _tidy(text: str) -> str:
    """Put on one line, without the names of namespaces and of exceptions."""
    text = re.sub(r"\b\w+_model_namespace::\w+: ", "", text)
    text = re.sub(r"^((Error|Exception): |Unrecoverable error evaluating [\w ]*\. )+", "", text.strip())
    text = re.sub(r"\b(\d+)\.0{6}\b", r"\1", text)
    return " ".join(text.split()).rstrip(".;")


def _killed(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = str(number)
    hint = ", most likely for lack of memory" if number == signal.SIGKILL else ""
    return f"its process was ended by the signal {name}{hint}"
