"""Exact transition matrices: the kernels' own step code, run through every outcome of chance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bayeskit.core.density import Density
from bayeskit.inference.kernels import Kernel, State, Tuning

TOLERANCE = 1e-12


class EnumeratedStreams:
    """Streams of one chain whose outcomes a script dictates; where it ends, the first outcome that can be."""

    n_chains = 1

    def __init__(self, script):
        self._script = list(script)
        self.outcomes, self.probability = [], 1.0

    def normal(self, n_dims, active=None):
        raise AssertionError("a kernel with a discrete form draws no normal numbers")

    def uniform(self, active=None):
        raise AssertionError("a kernel with a discrete form draws no uniform numbers")

    def choose(self, probabilities):
        probabilities = np.asarray(probabilities, dtype=float).reshape(-1)
        return np.array([self._outcome(probabilities / probabilities.sum())])

    def accept(self, log_ratio):
        chance = float(np.exp(min(0.0, float(log_ratio[0]))))
        return log_ratio > (-np.inf if self._outcome([1 - chance, chance]) else np.inf)

    def _outcome(self, probabilities):
        possible = [place for place, probability in enumerate(probabilities) if probability > 0]
        place = len(self.outcomes)
        outcome = self._script[place] if place < len(self._script) else possible[0]
        self.outcomes.append((outcome, possible))
        self.probability *= probabilities[outcome]
        return outcome

    def following(self):
        """Return the script of the next path, depth first, or None after the last."""
        outcomes = list(self.outcomes)
        while outcomes:
            outcome, possible = outcomes.pop()
            later = possible[possible.index(outcome) + 1 :]
            if later:
                return [earlier for earlier, _ in outcomes] + later[:1]
        return None


def paths(kernel: Kernel, state: State, tuning: Tuning):
    """Return every state that a step may lead to, with the probability of getting there on that path."""
    found, script = [], []
    while script is not None:
        streams = EnumeratedStreams(script)
        moved, info = kernel.step(streams, state, tuning)
        assert 0 <= float(info.acceptance[0]) <= 1
        found.append((moved, streams.probability))
        script = streams.following()
    return found


@dataclass(frozen=True)
class Case:
    """A kernel on finitely many states, ``n_states x n_coordinates``, and their probabilities."""

    kernel: Kernel
    states: np.ndarray
    probabilities: np.ndarray
    density: Density
    reversible: bool = True
    rounds: int = 0
    tuning: Tuning = field(default_factory=lambda: Tuning(np.ones(1)))

    def start(self, place):
        row = self.states[place : place + 1]
        if self.density.arrays == "torch":
            import torch

            row = torch.as_tensor(row)
        state = self.kernel.init(row)
        return (
            state if state.replicas is None else state._replace(replicas=state.replicas._replace(n_rounds=self.rounds))
        )


def transition_matrix(case: Case):
    """Return the exact matrix, with rows of zeros for states of probability 0, where no chain stands."""
    places = {tuple(state): place for place, state in enumerate(case.states)}
    matrix = np.zeros((len(case.states),) * 2)
    for place in np.flatnonzero(case.probabilities):
        for moved, probability in paths(case.kernel, case.start(place), case.tuning):
            there = places[tuple(np.asarray(moved.position)[0])]
            matrix[place, there] += probability
            first = case.density(moved.position[:, : case.density.n_dims])
            assert abs(float(moved.log_density[0] - first[0])) <= TOLERANCE * 100, "the carried log density is another"
    return matrix


def assert_exact(case: Case):
    """Check rows, stationarity, that no state of density 0 is entered, and detailed balance where it is claimed."""
    matrix, probabilities = transition_matrix(case), case.probabilities
    stands = probabilities > 0
    np.testing.assert_allclose(matrix[stands].sum(axis=1), 1, rtol=0, atol=TOLERANCE, err_msg="rows")
    assert np.all(matrix[:, ~stands] == 0), "a state of density 0 is entered"
    np.testing.assert_allclose(probabilities @ matrix, probabilities, rtol=0, atol=TOLERANCE, err_msg="stationarity")
    if case.reversible:
        flow = probabilities[:, None] * matrix
        np.testing.assert_allclose(flow, flow.T, rtol=0, atol=TOLERANCE, err_msg="detailed balance")
