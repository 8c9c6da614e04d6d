"""Fits of every kind, as small as the tests need them."""

import arviz_base

from bayeskit.core.types import Fit, ModelCard, Provenance, Source


def fit_of(kind, posterior, statistics=None, attributes=None, groups=None, card=None):
    tree = arviz_base.from_dict({"posterior": posterior, "sample_stats": statistics or {}, **(groups or {})})
    if attributes:
        tree["sample_stats"].attrs.update(attributes)
    card = card or ModelCard("m", "M", "", (), "", "stan", (), ())
    return Fit(tree, Provenance("m", "stan", kind, {}, 1, Source("f", "0", ""), card, {}, {}, {}, "", "", ""))


def outcome(assessment):
    return {verdict.name: verdict for verdict in assessment.verdicts}
