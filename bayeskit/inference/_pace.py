"""How many proposals are accepted: what that tells, and an error before the draws take hours."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from bayeskit.core.errors import InferenceError
from bayeskit.inference._bounds import Bound

OFTEN = 0.1  # seconds between two calls for progress
IMPOSSIBLE = 1e-10  # so improbable an acceptance tells that the density is not what it was said to be
PATIENCE = 2.0  # seconds before the clock counts


class Pace:
    """Watches how many proposals are accepted, and gives up early on what would take too long.

    Parameters
    ----------
    draws
        Wanted.
    max_proposals, max_seconds
        What all of them may take.
    progress
        Called with the number of draws so far, and of all; None for nobody.
    """

    def __init__(
        self, draws: int, max_proposals: int, max_seconds: float, progress: Callable[[int, int], None] | None
    ) -> None:
        self.draws = draws
        self.max_proposals, self.max_seconds = max_proposals, max_seconds
        self._progress = progress
        self._started = self._last = time.perf_counter()

    def told(self, accepted: int) -> None:
        """Report progress, at the end whenever that is."""
        now = time.perf_counter()
        if self._progress is not None and (now - self._last >= OFTEN or accepted >= self.draws):
            self._last = now
            self._progress(min(accepted, self.draws), self.draws)

    def check(self, accepted: int, proposed: int) -> None:
        """Report progress, and judge by the acceptance so far.

        Raises
        ------
        InferenceError
            If the draws will take too many proposals or too long even where luck was bad up to here.
        """
        self.told(accepted)
        # Three standard deviations of a Poisson number above what was seen: luck as bad comes once in a thousand runs.
        best = (accepted + 3 * math.sqrt(accepted) + 6) / proposed
        needed, seconds = self.draws / best, time.perf_counter() - self._started
        expected = seconds / proposed * needed
        if needed <= self.max_proposals and (seconds < PATIENCE or expected <= self.max_seconds):
            return
        likely = self.draws * proposed / accepted if accepted else needed
        word = "about" if accepted else "more than"
        raise InferenceError(
            f"{accepted:,} of {proposed:,} proposals were accepted: {self.draws:,} draws would take {word} "
            f"{likely:.2g} proposals and {_span(seconds / proposed * likely)}; take a proposal closer to the density, "
            "fewer draws, or another engine (max_proposals and max_seconds set the limit)"
        )


def _span(seconds: float) -> str:
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} seconds"


def told(bound: Bound, draws: int, n_proposals: int, normalised: bool) -> dict[str, Any]:
    """Return what the engine says of itself.

    Where ``n`` proposals were needed for ``k`` draws, ``(k - 1) / (n - 1)`` estimates the acceptance without bias, and
    its variance is estimated by that, times its complement, over ``n - 2``: Finney (1949), On a method of estimating
    frequencies, Biometrika 36, 233-234.
    """
    acceptance = (draws - 1) / (n_proposals - 1)
    error = math.sqrt(acceptance * (1 - acceptance) / (n_proposals - 2))
    found: dict[str, Any] = {
        "proposals": n_proposals,
        "acceptance": acceptance,
        "acceptance_error": error,
        "log_bound": bound.log_bound,
        "bound": math.exp(min(bound.log_bound, 709.0)),
        "highest_log_ratio": bound.highest,
        "certified": int(bound.certified),
        "certificate": bound.certificate,
    }
    if bound.obstacle:
        found["obstacle"] = bound.obstacle
    if normalised:
        expected = math.exp(-bound.log_bound)
        if _chance(draws, n_proposals, expected) < IMPOSSIBLE:
            raise InferenceError(
                f"the density is said to be normalised, so that {expected:.4g} of the proposals are accepted, but "
                f"{acceptance:.4g} ± {error:.2g} were; take normalised=False, or a proposal that covers the support"
            )
        return found | {"expected_acceptance": expected}
    return found | {
        "log_normalizer": bound.log_bound + math.log(acceptance),
        "log_normalizer_error": error / acceptance,
    }


def _chance(draws: int, n_proposals: int, acceptance: float) -> float:
    """Return the probability of as many proposals for the draws, or fewer, or of as many or more, whichever is less."""
    from scipy.special import betainc

    p = min(acceptance, 1.0)
    fewer = float(betainc(draws, n_proposals - draws + 1, p))
    more = 1.0 if n_proposals == draws else 1 - float(betainc(draws, n_proposals - draws, p))
    return min(fewer, more)
