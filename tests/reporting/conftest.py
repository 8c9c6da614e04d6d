"""Fits and reports that several tests look at; each is made once."""

import pytest
from reporting.browsing import browser  # noqa: F401
from reporting.factories import make_assessment, make_fit

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting import render


@pytest.fixture(scope="session")
def small() -> tuple[Fit, Assessment]:
    """A quarter of a year of the level model, healthy, with a few missing days."""
    fit = make_fit(n_days=90, n_draws=120, missing=slice(40, 47))
    return fit, make_assessment(fit)


@pytest.fixture(scope="session")
def small_html(small: tuple[Fit, Assessment]) -> str:
    return render(*small)


@pytest.fixture(scope="session")
def failed() -> tuple[Fit, Assessment]:
    fit = make_fit(n_days=90, n_draws=120, healthy=False)
    return fit, make_assessment(fit, healthy=False)


@pytest.fixture(scope="session")
def full() -> tuple[Fit, Assessment]:
    """All 1461 days, 4 x 1000 draws, trend and rain noise: the largest report of the demonstrations."""
    fit = make_fit(model="trend", rain_noise=True, missing=slice(1300, 1320))
    return fit, make_assessment(fit)


@pytest.fixture(scope="session")
def full_html(full: tuple[Fit, Assessment]) -> str:
    return render(*full)
