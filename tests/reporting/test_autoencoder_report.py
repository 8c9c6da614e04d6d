"""The page of an autoencoder: what it says, what its figures hold, and what it does not claim."""

from __future__ import annotations

from functools import cache

import pytest
from reporting.autoencoder_factories import FORMS, assessed
from reporting.autoencoder_factories import autoencoder_fit as make_fit

from bayeskit.reporting.autoencoder_reading import read_autoencoder
from bayeskit.reporting.autoencoder_report import AutoencoderReport, autoencoder_report
from bayeskit.reporting.autoencoder_view import Autoencoder
from bayeskit.reporting.figures import Figure

autoencoder_fit = cache(make_fit)


@cache
def read(form: str) -> Autoencoder:
    found = read_autoencoder(autoencoder_fit(form))
    assert found is not None
    return found


@cache
def reported(form: str) -> AutoencoderReport:
    made = autoencoder_report(*assessed(autoencoder_fit(form)))
    assert made is not None
    return made


def names_of(report: AutoencoderReport) -> list[str]:
    items = [*report.results, *report.predictive, *report.computation]
    return [item.name if isinstance(item, Figure) else item.title for item in items]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_has_its_figures(form: str) -> None:
    names = names_of(reported(form))
    assert {"codes", "reconstructions", "training", "codes-in-use"} <= set(names)
    assert len(set(names)) == len(names)
