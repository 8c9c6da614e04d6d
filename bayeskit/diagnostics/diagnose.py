"""CmdStan's diagnose: ``python -m bayeskit.diagnostics.diagnose FILE...``.

The checks, their thresholds, the lines that say how each came out and the exit statuses are those of CmdStan 2.37:
0 once the checks were made, whatever they found, and 1 where there is nothing to check. On purpose otherwise: files
that do not fit together give one line and 1, where CmdStan's own aborts; errors go to standard error.

How effective sample sizes and R-hat are computed: `bayeskit.diagnostics.stan_csv_statistics`. Quantities that never
move have neither, and are not named.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayeskit.core.errors import DataError

if TYPE_CHECKING:
    from bayeskit.diagnostics.stan_csv import Chains
    from bayeskit.diagnostics.stan_csv_statistics import Array

FEWEST_EFFECTIVE = 0.001  # of all draws
R_HAT_LIMIT = 1.01  # of R-hat rounded to two decimals
E_BFMI_LIMIT = 0.3
_USAGE = "USAGE:  diagnose <filename 1> [<filename 2> ... <filename N>]\n\n"
_DEFAULT_DEPTH = 10


class _Check:
    """How one check came out, in lines; none where the files have nothing to check."""

    def __init__(self, passed: bool, *lines: str) -> None:
        self.passed = passed
        self.lines = lines


_NOT_MADE = _Check(True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(_USAGE)
        return 0
    files = [Path(argument) for argument in arguments if Path(argument).exists()]
    for argument in arguments:
        if not Path(argument).exists():
            sys.stdout.write(f"File {argument} not found\n")
    if not files:
        sys.stdout.write("No valid input files, exiting.\n")
        return 1
    try:
        sys.stdout.write("\n".join(_report(files)) + "\n")
    except DataError as error:
        sys.stderr.write(f"diagnose: {error}\n")
        return 1
    return 0


def _report(paths: Sequence[Path]) -> Iterator[str]:
    from bayeskit.diagnostics.stan_csv import read_chains, scan

    files = [scan(path) for path in paths]
    chains = read_chains(files, range(len(files[0].names)))
    checks = [_tree_depth(chains), _divergences(chains), _energy(chains), *_mixing(chains)]
    for check in checks:
        yield from [*check.lines, ""] if check.lines else []
    passed = all(check.passed for check in checks)
    yield "Processing complete, no problems detected." if passed else "Processing complete."


def _tree_depth(chains: Chains) -> _Check:
    depths = _column(chains, "treedepth__")
    if depths is None:
        return _NOT_MADE
    title = "Checking sampler transitions treedepth."
    limit = chains.files[0].number("max_depth", default=_DEFAULT_DEPTH)
    count = int((depths >= limit).sum())
    if not count:
        return _Check(True, title, "Treedepth satisfactory for all transitions.")
    return _Check(
        False,
        title,
        f"{_share(count, depths)} transitions hit the maximum treedepth limit of {limit}, or 2^{limit} leapfrog steps.",
        "Their trajectories were cut short, so that the sampler moves slowly.",
        "Raise the limit (max_depth), or change the parametrisation.",
    )


def _divergences(chains: Chains) -> _Check:
    divergent = _column(chains, "divergent__")
    if divergent is None:
        return _NOT_MADE
    title = "Checking sampler transitions for divergences."
    count = int((divergent > 0).sum())
    if not count:
        return _Check(True, title, "No divergent transitions found.")
    return _Check(
        False,
        title,
        f"{_share(count, divergent)} transitions ended with a divergence.",
        "HMC may not have reached all of the posterior, and the estimates may be biased.",
        "Take smaller steps (raise adapt delta towards 1); where divergences remain, change the parametrisation.",
    )


def _energy(chains: Chains) -> _Check:
    from bayeskit.diagnostics.stan_csv_statistics import e_bfmi

    energy = _column(chains, "energy__")
    if energy is None:
        return _NOT_MADE
    title = "Checking E-BFMI - sampler transitions HMC potential energy."
    value = e_bfmi(energy)
    if not value < E_BFMI_LIMIT:
        return _Check(True, title, "E-BFMI satisfactory.")
    return _Check(
        False,
        title,
        f"The E-BFMI, {value:.2f}, is below the nominal threshold of {E_BFMI_LIMIT:.2f}: "
        "the energy changes too slowly for HMC to reach the tails.",
        "Change the parametrisation.",
    )


def _mixing(chains: Chains) -> tuple[_Check, _Check]:
    """Check effective sample sizes and R-hat of the program's quantities."""
    from bayeskit.diagnostics.stan_csv import is_sampler_column
    from bayeskit.diagnostics.stan_csv_statistics import mixing

    places = [place for place, name in enumerate(chains.names) if not is_sampler_column(name)]
    ess, r_hat = mixing(chains.draws[places])
    total = chains.draws.shape[1] * chains.draws.shape[2]
    few = [chains.names[place] for place, value in zip(places, ess, strict=True) if value < FEWEST_EFFECTIVE * total]
    high = [chains.names[place] for place, value in zip(places, r_hat, strict=True) if round(value, 2) > R_HAT_LIMIT]
    sizes = _Check(True, "Rank-normalized split effective sample size satisfactory for all parameters.")
    if few:
        sizes = _Check(
            False,
            f"The following parameters had fewer than {FEWEST_EFFECTIVE} effective draws per transition:",
            f"  {', '.join(few)}",
            "Numbers that small are uncertain themselves, and more likely too high than too low.",
        )
    agreement = _Check(True, "Rank-normalized split R-hat values satisfactory for all parameters.")
    if high:
        agreement = _Check(
            False,
            f"The following parameters had rank-normalized split R-hat greater than {R_HAT_LIMIT}:",
            f"  {', '.join(high)}",
            "The chains have not mixed, and the estimates are biased.",
            "Run longer, give the priors more information, or change the parametrisation.",
        )
    return sizes, agreement


def _column(chains: Chains, name: str) -> Array | None:
    return chains.draws[chains.names.index(name)] if name in chains.names else None


def _share(count: int, values: Array) -> str:
    return f"{count} of {values.size} ({100 * count / values.size:.2f}%)"


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader such as head may leave early
    sys.exit(main())
