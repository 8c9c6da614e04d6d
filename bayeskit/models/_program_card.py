"""What the report says of a Stan program: what its comments say, and what its variables were taken for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bayeskit.core.language import mark, say
from bayeskit.core.types import Draws, ModelCard, Quantity
from bayeskit.core.words import listing
from bayeskit.models._program_groups import LOG_PRIOR, TAKEN, free

if TYPE_CHECKING:
    from bayeskit.models.program import StanProgram

_TYPE = re.compile(
    r"int|real|array|tuple|complex\w*|(row_)?vector|matrix|simplex|unit_vector|(positive_)?ordered|cholesky_factor\w*|"
    r"(cov|corr)_matrix|sum_to_zero\w*|\w+_stochastic_matrix"
)
_ASIDE = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\([^()]*\)")


def card(program: StanProgram, draws: Draws | None) -> ModelCard:
    """Return the program's description, as ``StanProgram.card`` says."""
    names = list(draws.values) if draws else []
    meanings = comments(program.text)
    found = {name: meanings[base] for name in names if (base := name.partition(".")[0]) in meanings}
    return ModelCard(
        name=program.name,
        title=program.name,
        summary=say("The Stan program {name}.", name=Path(program.path).name),
        formulas=(),
        program=program.text,
        language="stan",
        quantities=tuple(Quantity(name, meaning=meaning) for name, meaning in found.items()),
        priors=(),
        notes=_notes(program, draws) if draws else (),
    )


def comments(text: str) -> dict[str, str]:
    """Return what comments say on the same line behind declarations of one variable, by its name."""
    found = {}
    for line in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).splitlines():
        code, _, comment = line.partition("//")
        meaning = comment.strip("/ \t")
        if not meaning or not code.rstrip().endswith(";"):
            continue
        declared = _ASIDE.sub(" ", code).partition("=")[0].rpartition("{")[2]  # a block may open on the same line
        *types, name = declared.rstrip(" \t;").split() or [""]
        if types and name.isidentifier() and all(_TYPE.fullmatch(word) for word in types):
            found[name] = meaning
    return found


def _notes(program: StanProgram, draws: Draws) -> tuple[str, ...]:
    notes = []
    grouped = program.groups(draws.values)
    for name, replication in grouped.get("posterior_predictive", {}).items():
        copy = next(other for other, value in draws.values.items() if value is replication)
        notes.append(say("{copy} is taken for replications of {name}.", copy=copy, name=name))
    for value in grouped.get("log_likelihood", {}).values():
        copy = next(other for other, found in draws.values.items() if found is value)
        notes.append(say("{copy} is taken for the log likelihood of each observation.", copy=copy))
    if "log_prior" in grouped:
        notes.append(say("{name} is taken for the log density of all priors.", name=LOG_PRIOR))
    notes += [
        say(
            "{name} stands as {other}: the word is taken for a dimension.",
            name=name,
            other=free(name, draws.values),
        )
        for name in TAKEN
        if name in draws.values
    ]
    present = {name.partition(".")[0] for name in draws.values}
    if empty := [name for name in draws.declared if name not in present]:
        one = mark("{names} has no elements with these data, and nothing to show.")
        several = mark("{names} have no elements with these data, and nothing to show.")
        notes.append(say(one if len(empty) == 1 else several, names=listing(empty)))
    if any(name.endswith((".real", ".imag")) or re.search(r"\.\d+$", name) for name in draws.values):
        notes.append(
            say(
                "A tuple t stands as its members t.1, t.2 and so on, a complex number z as z.real and z.imag; in "
                "an array of tuples Stan's ts[2].1[3] stands as ts.1[2,3]."
            )
        )
    if draws.kind == "mcmc" and isinstance(program.init, Mapping):
        notes.append(
            say(
                "All chains start from the values given with --init, as far as these go, so that R-hat sees less "
                "than from scattered starts."
            )
        )
    if draws.kind == "iid":
        notes.append(
            say(
                "There are no parameters to sample: each draw runs the generated quantities anew with fresh random "
                "numbers, so that the draws are independent, and there is no warm-up."
            )
        )
    return tuple(notes)
