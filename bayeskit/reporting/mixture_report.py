"""What a report says of a mixture, put together."""

from __future__ import annotations

from dataclasses import dataclass

from bayeskit.core.types import Assessment, Fit
from bayeskit.reporting.figures import Figure
from bayeskit.reporting.figures_mixture import contour_figure, points_figure
from bayeskit.reporting.figures_mixture_animation import animation_figure
from bayeskit.reporting.figures_mixture_line import line_figure
from bayeskit.reporting.figures_mixture_number import occupied_figure, read_occupied, read_selection, selection_figure
from bayeskit.reporting.figures_mixture_pairs import pair_figure
from bayeskit.reporting.figures_mixture_sharing import sharing_figure
from bayeskit.reporting.figures_mixture_space import space_figure
from bayeskit.reporting.mixture_view import Mixture, read_mixture
from bayeskit.reporting.mixture_words import ComponentTable, component_table, mixture_headline
from bayeskit.reporting.results import Scalar, labelled, rows_of

MAX_FOLLOWED = 9  # quantities
MAX_PRIORS = 9
_LABEL_FREE = ("log_density", "entropy", "concentration")


@dataclass(frozen=True)
class MixtureReport:
    """Sentences, the table of components, and figures."""

    headline: list[str]
    table: ComponentTable
    figures: list[Figure]


def mixture_report(fit: Fit) -> MixtureReport | None:
    """Return what can be said of a mixture, or None where the fit is none, or holds too little."""
    mixture = read_mixture(fit)
    if mixture is None:
        return None
    occupied, selection = read_occupied(fit), read_selection(fit)
    made = [*_points(mixture), animation_figure(fit, mixture), pair_figure(mixture), space_figure(mixture)]
    made += [occupied_figure(occupied, dp=mixture.card.dp)] if occupied is not None else []
    made += [selection_figure(selection)] if selection is not None else []
    made.append(sharing_figure(fit, mixture))
    return MixtureReport(
        headline=mixture_headline(mixture, occupied, selection),
        table=component_table(fit, mixture),
        figures=[figure for figure in made if figure is not None],
    )


def _points(mixture: Mixture) -> list[Figure | None]:
    if mixture.n_columns == 1:
        return [line_figure(mixture)]
    return [points_figure(mixture), contour_figure(mixture)]


def followed(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the quantities whose chains are shown: those without labels first, then weights."""
    names = [*_LABEL_FREE, "weight"]
    labels = [str(label) for name in names for label in rows_of(assessment.summary, name).index]
    return labelled(fit, assessment, _moving(assessment, labels)[:MAX_FOLLOWED])


def with_priors(fit: Fit, assessment: Assessment) -> list[Scalar]:
    """Return the quantities that are held against their priors: of one component, as all have the same."""
    found = [str(label) for label in rows_of(assessment.summary, "concentration").index]
    for name in ("weight", "mean", "sd", "correlation"):
        labels = [str(label) for label in rows_of(assessment.summary, name).index]
        own = [label for label in labels if label.startswith((f"{name}[1,", f"{name}[1]"))]
        found += (own or labels)[:3]
    return labelled(fit, assessment, _moving(assessment, found)[:MAX_PRIORS])


def _moving(assessment: Assessment, labels: list[str]) -> list[str]:
    """Return the labels of what is not the same in every draw; nothing moves in a point."""
    if "sd" not in assessment.summary:
        return []
    sd = assessment.summary.loc[labels, "sd"].to_numpy(dtype=float)
    return [label for label, spread in zip(labels, sd, strict=True) if spread > 0]
