"""Markov kernels that leave a density invariant, as (init, step) pairs of functions over many chains at once.

A kernel is made of a density, and for Metropolis-Hastings of a proposal: ``metropolis_hastings(density,
random_walk())``. Kernels make up others: ``cycle``, ``mixture`` and ``parallel_tempering``. A candidate of density 0 is
rejected, and the state carries its log density, so that none is computed twice.

Metropolis et al. (1953), doi:10.1063/1.1699114; Hastings (1970), doi:10.1093/biomet/57.1.97.
"""

from __future__ import annotations

from bayeskit.inference._kernels_combined import cycle, mixture
from bayeskit.inference._kernels_discrete import birth_death, finite, integer_walk
from bayeskit.inference._kernels_independence import independence
from bayeskit.inference._kernels_langevin import mala
from bayeskit.inference._kernels_metropolis import metropolis_hastings
from bayeskit.inference._kernels_proposals import multiplicative_walk, on, proposal, random_walk
from bayeskit.inference._kernels_slice import elliptical_slice
from bayeskit.inference._kernels_tempering import Replicas, parallel_tempering
from bayeskit.inference._kernels_types import Info, Kernel, Propose, State, Tuning, namespace

__all__ = [
    "Info",
    "Kernel",
    "Propose",
    "Replicas",
    "State",
    "Tuning",
    "birth_death",
    "cycle",
    "elliptical_slice",
    "finite",
    "independence",
    "integer_walk",
    "mala",
    "metropolis_hastings",
    "mixture",
    "multiplicative_walk",
    "namespace",
    "on",
    "parallel_tempering",
    "proposal",
    "random_walk",
]
