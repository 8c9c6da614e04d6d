"""The page of a block model: what it says, what its figures hold, and what it does not claim."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, example, given, settings
from reporting.block_factories import assessed, block_fit, superfluous
from reporting.mixture_factories import poor_k_hat
from reporting.test_escaping import HOSTILE, MARK, raw_tags
from reporting.test_japanese import english
from reporting.test_print_figures import silent, squeezed, words_of
from scipy import stats

from bayeskit.core.types import Fit, Verdict
from bayeskit.core.words import NO_BREAK
from bayeskit.reporting import RunEntry, render, render_index
from bayeskit.reporting import figures as f
from bayeskit.reporting.block_fit import Statistic, read_statistics
from bayeskit.reporting.block_reading import read_blocks
from bayeskit.reporting.block_report import BlockReport, block_report
from bayeskit.reporting.block_tables import block_tables, ordered_members, pair_table, rate_matrix, uncertain_table
from bayeskit.reporting.block_view import Blocks
from bayeskit.reporting.calibration_hint import calibration_hint
from bayeskit.reporting.compare import Compared, render_comparison
from bayeskit.reporting.figures_block_held_out import HeldOut, held_out_figure, read_held_out
from bayeskit.reporting.figures_block_number import read_selection, selection_table
from bayeskit.reporting.figures_optimisation import optimisation_figures
from bayeskit.reporting.figures_ranks import untied
from bayeskit.reporting.group_tables import GroupTable
from bayeskit.reporting.index import checked
from bayeskit.reporting.node_table import node_table
from bayeskit.reporting.print_figures import figures_in, save_figures
from bayeskit.reporting.print_panel import texts_of
from bayeskit.reporting.print_style import colour, plain
from bayeskit.reporting.sections import build
from bayeskit.reporting.verdict import describe

ALPHA = 1e-7  # of a test that rests on chance
SHORT = (2, 60)


def read(fit: Fit) -> Blocks:
    made = read_blocks(fit)
    assert made is not None
    return made


def reported(fit: Fit, *changes: Verdict) -> BlockReport:
    made = block_report(*assessed(fit, *changes))
    assert made is not None
    return made


def figure_of(fit: Fit, name: str) -> f.Figure:
    return next(item for item in reported(fit).results if isinstance(item, f.Figure) and item.name == name)


def without(fit: Fit, group: str, *names: str) -> Fit:
    """Return a fit that has lost variables, or a whole group."""
    tree = fit.posterior.copy()
    if names:
        tree[group] = xr.DataTree(tree[group].to_dataset().drop_vars(list(names)))
    else:
        del tree[group]
    return replace(fit, posterior=tree)


def changed(fit: Fit, group: str, **variables: Any) -> Fit:
    tree = fit.posterior.copy()
    tree[group] = xr.DataTree(tree[group].to_dataset().assign(variables))
    return replace(fit, posterior=tree)


# What is read of a run


def test_both_partitions_are_read_with_their_own_names() -> None:
    fit = block_fit(blocks=(5, 3), shape=SHORT)
    made = read(fit)
    assert [one.n_blocks for one in made.partitions] == [5, 3]
    assert (made.sources.name(0), made.targets.name(2)) == ("source block 1", "target block 3")
    np.testing.assert_array_equal(made.sources.block + 1, fit.posterior["derived"]["block_1"])
    np.testing.assert_array_equal(made.targets.block + 1, fit.posterior["derived"]["block_2"])
    np.testing.assert_allclose(made.mean_rates, fit.posterior["posterior"]["theta"].mean(("chain", "draw")))


@pytest.mark.parametrize("directed", [True, False])
def test_observed_weights_count_each_edge_once(directed: bool) -> None:
    made = read(block_fit(directed=directed, likelihood="poisson", shape=SHORT))
    assert made.edges is not None
    assert made.weight is not None
    weight = made.weight if directed else np.triu(made.weight)
    assert weight.sum() == made.edges.weight.sum()
    k, m = made.sources.block[made.edges.source[0]], made.targets.block[made.edges.target[0]]
    mine = (made.sources.block[made.edges.source] == k) & (made.targets.block[made.edges.target] == m)
    if not directed:
        mine |= (made.sources.block[made.edges.source] == m) & (made.targets.block[made.edges.target] == k)
    assert made.weight[k, m] == made.edges.weight[mine].sum()


def test_weights_that_the_model_does_not_take_are_edges() -> None:
    fit = block_fit(shape=SHORT)
    heavy = changed(fit, "graph", edge_weight=fit.posterior["graph"]["edge_weight"] * 7)
    assert read(heavy).weight.sum() == read(fit).weight.sum()  # type: ignore[union-attr]


def test_a_sample_of_edges_tells_shares_but_no_totals() -> None:
    made = read(block_fit(kept_edges=200, shape=SHORT))
    assert made.edges is not None
    assert (made.edges.source.size, made.edges.complete, made.weight) == (200, False, None)
    assert made.flow.sum() == 200
    table = pair_table(made)
    assert table is not None
    assert "edges" not in table.columns
    assert made.degrees is not None  # of the whole graph


DAMAGES: dict[str, tuple[str, ...]] = {
    "derived": ("probability", "certainty", "runner_up", "co_assignment_matrix", "held_out_weight"),
    "graph": ("edge_source", "edge_weight", "n_edges", "out_degree", "spectral_position", "layout_position"),
    "history": (),
    "selection": (),
    "posterior_predictive": (),
    "observed_data": (),
}


@pytest.mark.parametrize("group", DAMAGES)
def test_what_a_damaged_run_has_lost_is_left_out(group: str) -> None:
    fit = block_fit("variational")
    for names in [(), *((name,) for name in DAMAGES[group])]:
        damaged = without(fit, group, *names)
        page = render(*assessed(damaged))
        assert ("The blocks" in page) == (group != "derived" or bool(names))


@pytest.mark.parametrize(
    "broken",
    [
        {"block": ("node", np.zeros(90, dtype=int))},
        {"block": ("node", np.full(90, 9))},
        {"shown_node": ("shown", np.full(60, 1000))},
        {"probability": (("node", "source_block"), np.ones((90, 4), dtype=bool).astype(str))},
    ],
)
def test_numbers_that_cannot_be_are_not_shown(broken: dict[str, Any]) -> None:
    fit = changed(block_fit("variational"), "derived", **broken)
    assert "Stochastic block model" in render(*assessed(fit))


def test_a_run_without_its_draws_says_so() -> None:
    fit = block_fit("variational", groups=False)
    fit.posterior["posterior"]["theta"][:] = np.nan
    assert read_blocks(fit) is None
    assert "theta" in render(*assessed(fit))


# What the page says


def test_the_first_screen_tells_blocks_links_certainty_groups_and_predictions() -> None:
    fit = block_fit("variational")
    made, sections = read(fit), build(*assessed(fit))
    told = " ".join(sections.headline)
    assert "The 90 nodes fall into 4 blocks." in told
    assert "Of 7 candidates 4 blocks were chosen, the best by ELBO, ICL and description length." in told
    sure = np.mean(made.sources.certainty > 0.95)
    assert f"{100 * sure:.0f}{NO_BREAK}% of the nodes belong to their block with more than 95 % probability" in told
    assert "blocks NMI 0.81 and ARI 0.77" in told
    assert "Of 400 pairs that were held out, 71 with an edge" in told
    assert "AUC 0.83 (0.5 by guessing) and an average precision of 0.55 (0.18 by guessing)" in told
    k, m = np.unravel_index(made.mean_rates.argmax(), made.mean_rates.shape)
    rate = 100 * made.mean_rates[k, m]
    pair = f"(within block {k + 1}|block {k + 1} → block {m + 1})"
    assert re.search(rf"Densest is {pair}: chance of an edge {rate:.0f}", told)
    flow = made.flow[0]
    share = f"{100 * flow.max() / flow.sum():.0f}{NO_BREAK}%"
    other = "itself" if flow.argmax() == 0 else f"block {flow.argmax() + 1}"
    assert f"block 1 to {other} ({share})" in told
    assert sections.key_values == []


def test_scores_of_rare_edges_keep_their_digits() -> None:
    fit, assessment = assessed(block_fit("variational"))
    rare = {"average_precision": 0.0022, "held_out_pairs": 999_990.0, "held_out_edges": 186.0}
    report = block_report(fit, replace(assessment, metrics={**assessment.metrics, **rare}))
    assert report is not None
    assert "an average precision of 0.0022 (0.00019 by guessing)" in report.headline[-1]


def test_two_partitions_are_told_apart() -> None:
    told = " ".join(reported(block_fit(blocks=(5, 3), n_nodes=120, shape=SHORT)).headline)
    assert "fall into 5 source blocks by whom they link to, and into 3 target blocks by who links to them" in told
    assert "source blocks NMI 0.81 and ARI 0.77, target blocks NMI 0.40 and ARI 0.31" in told
    assert "As sources" in told
    assert "As targets" in told


def test_one_block_is_told_as_such() -> None:
    fit = block_fit(blocks=1, selection=False, labels=False, shape=SHORT)
    report = reported(fit)
    assert report.headline[0].startswith("The 90 nodes are one block: nothing tells them apart.")
    assert not any("Densest" in text or "more than 95 %" in text for text in report.headline)


def test_a_point_estimate_wears_no_interval() -> None:
    fit, assessment = assessed(block_fit("point"))
    report = reported(fit)
    texts = [*report.headline]
    for item in report.results:
        if isinstance(item, GroupTable):
            texts += [item.caption, *(part for row in item.rows for cell in row.cells for part in cell)]
        else:
            texts += [item.title, item.caption]
    assert not [text for text in texts if "±" in text or "interval" in text or "more than 95 %" in text]
    assert "not a posterior" in build(fit, assessment).banner.sentence
    assert "sharing" not in {item.name for item in report.results if isinstance(item, f.Figure)}
    assert "±" in " ".join(reported(block_fit(shape=SHORT)).headline)


def test_sizes_have_the_intervals_of_the_draws() -> None:
    fit = block_fit(shape=(2, 40))
    drawn = fit.posterior["assignments"]["z"].to_numpy().reshape(80, -1)
    sizes = (drawn == 2).sum(1)
    low, high = np.quantile(sizes, [0.025, 0.975])
    row = block_tables(read(fit))[0].rows[1]
    assert row.name == "block 2"
    assert row.cells[0] == (str((read(fit).sources.block == 1).sum()), f"{low:.0f} to {high:.0f}")


def test_typical_members_are_sure_and_have_most_edges() -> None:
    made = read(block_fit(shape=SHORT))
    order = ordered_members(made, made.sources, 0)
    assert sorted(order) == np.flatnonzero(made.sources.block == 0).tolist()
    sure = made.sources.certainty[order] > 0.95
    assert sure.tolist() == sorted(sure.tolist(), reverse=True)
    assert made.degrees is not None
    degree = (made.degrees[0] + made.degrees[1])[order][sure]
    assert (np.diff(degree) <= 0).all()


def test_pairs_of_blocks_are_listed_by_their_rates() -> None:
    made = read(block_fit(shape=SHORT))
    table = pair_table(made)
    assert table is not None
    rates = [float(re.match(r"[\d.]+", row.cells[0][0])[0]) for row in table.rows]  # type: ignore[index]
    assert rates == sorted(rates, reverse=True)
    assert len(table.rows) == 10
    assert table.note.startswith("6 more pairs")
    low, high = 100 * np.quantile(made.rates[:, 1, 1], [0.025, 0.975])
    within = next(row for row in table.rows if row.name == "within block 2")
    assert [float(text) for text in re.findall(r"[\d.]+", within.cells[0][1])] == pytest.approx([low, high], rel=0.02)


def test_without_direction_a_pair_of_blocks_stands_once() -> None:
    made = read(block_fit(directed=False, shape=SHORT))
    table = pair_table(made)
    assert table is not None
    assert len(table.rows) == 10
    assert "block 1 – block 2" in {row.name for row in table.rows}
    assert "block 2 – block 1" not in {row.name for row in table.rows}


@pytest.mark.parametrize(("blocks", "shown"), [(4, True), ((10, 3), True), (12, False), (1, False)])
def test_the_matrix_of_rates_is_there_as_long_as_it_can_be_read(blocks: Any, shown: bool) -> None:
    table = rate_matrix(read(block_fit(blocks=blocks, n_nodes=300, shape=SHORT)))
    assert (table is not None) == shown
    if table is not None:
        assert all(len(row.cells) == len(table.columns) for row in table.rows)


def test_chances_far_below_one_per_cent_keep_their_digits() -> None:
    made = read(block_fit(density=0.12, shape=SHORT))
    sparse = replace(made, rates=made.rates * 1e-4)
    table = rate_matrix(sparse)
    assert table is not None
    assert all(float(re.match(r"[\d.]+", cell[0])[0]) > 0 for row in table.rows for cell in row.cells)  # type: ignore[index]


def test_nodes_that_could_belong_elsewhere_are_the_least_certain() -> None:
    made = read(block_fit(shape=SHORT))
    table = uncertain_table(made)
    assert table is not None
    least = str(made.names[made.sources.certainty.argmin()])
    assert table.rows[0].name == least
    assert uncertain_table(replace(made, kind="point")) is None


# How many blocks


def test_what_each_criterion_would_choose_is_told() -> None:
    fit = block_fit(shape=SHORT)
    table = fit.posterior["selection"].to_dataset()
    values = table["icl"].to_numpy().copy()
    values[5] = 0.0
    fit = changed(fit, "selection", icl=("candidate", values))
    selection = read_selection(fit)
    assert selection is not None
    assert [selection.size(selection.place(name))[0] for name in ("elbo", "icl", "description_length")] == [4, 6, 4]
    assert "4 blocks were chosen; best by ELBO 4, ICL 6, description length 4." in reported(fit).headline[0]
    assert len(figure_of(fit, "choice").panels) == 3
    rows = selection_table(selection).rows
    assert [row.cells[3][0] for row in rows] == ["", "", "", "taken", "", "", ""]
    assert rows[0].cells[1][0] == "–"  # not computed


def test_two_numbers_that_vary_of_themselves_make_a_field() -> None:
    fit = block_fit(blocks=(4, 3), shape=SHORT)
    selection = read_selection(fit)
    assert selection is not None
    assert selection.along is None
    heat = figure_of(fit, "choice").panels[0].data[0]
    best = np.unravel_index(np.nanargmin(heat["z"]), heat["z"].shape)
    assert (heat["y"][best[0]], heat["x"][best[1]]) == (4, 3)
    assert len(selection_table(selection).rows) == 16
    assert "14 more candidates" in selection_table(selection).note


def test_blocks_that_hold_nodes_are_counted_where_they_vary() -> None:
    fit = block_fit(shape=(4, 100))
    draws = fit.posterior["posterior"]["n_occupied"]
    draws[:] = 4
    assert "that hold nodes" not in reported(fit).headline[0]
    draws[0, :] = 3
    assert f"by probability: 3 with 25{NO_BREAK}%, 4 with 75{NO_BREAK}%" in reported(fit).headline[0]


# Figures


@pytest.mark.parametrize(("n_nodes", "directed"), [(90, True), (90, False), (700, True)])
def test_every_edge_is_in_the_matrix_in_its_blocks(n_nodes: int, directed: bool) -> None:
    fit = block_fit(n_nodes=n_nodes, directed=directed, density=0.05, shape=SHORT)
    made, panel = read(fit), figure_of(fit, "adjacency").panels[0]
    assert made.edges is not None
    cells = np.asarray(panel.data[0]["z"])
    both = made.edges.source != made.edges.target
    assert cells.sum() == made.edges.source.size + (0 if directed else both.sum())
    assert len(cells) == min(n_nodes, 300)
    ends = np.cumsum(made.sources.held) * len(cells) / n_nodes
    if n_nodes == len(cells):
        start, end = round(ends[0]), round(ends[1])
        mine = (made.sources.block[made.edges.source] == 1) & (made.sources.block[made.edges.target] == 1)
        assert cells[start:end, start:end].sum() == mine.sum() * (1 if directed else 2)
        names = panel.behaviour["names"]
        k = int(np.flatnonzero(made.names == names["y"][0])[0])
        assert made.sources.block[k] == 0
    lines = [shape for shape in panel.layout["shapes"] if shape["type"] == "line"]
    borders = [line["y0"] for line in lines if line["y0"] == line["y1"]]
    assert borders == np.cumsum(made.sources.held)[:-1].tolist()


def test_what_is_drawn_of_a_large_graph_is_told() -> None:
    fit = block_fit(n_nodes=2500, blocks=9, density=0.004, kept_edges=3000, layout=False, labels=False, shape=SHORT)
    total = fit.posterior["graph"]["n_edges"].item()
    assert f"Drawn: 3,000 of {total:,} edges, chosen at random." in figure_of(fit, "adjacency").note
    spectrum = figure_of(fit, "spectrum")
    nodes = sum(len(trace["x"]) for trace in spectrum.panels[0].data if trace["mode"] == "markers")
    assert f"Drawn: {nodes:,} of 2,500 nodes and 500 of {total:,} edges" in spectrum.note
    assert nodes <= 2000
    assert "Colours repeat after 7 blocks" in spectrum.note
    assert "network" not in {item.name for item in reported(fit).results if isinstance(item, f.Figure)}


def test_lines_lead_from_node_to_node() -> None:
    fit = block_fit(shape=SHORT)
    made, figure = read(fit), figure_of(fit, "network")
    assert made.edges is not None
    assert made.layout is not None
    lines = [trace for trace in figure.panels[0].data if trace["mode"] == "lines"]
    pieces = np.concatenate([np.append(np.stack([line["x"], line["y"]], -1), [[np.nan, np.nan]], 0) for line in lines])
    ends = pieces.reshape(-1, 3, 2)
    assert len(ends) == made.edges.source.size
    expected = {(*made.layout[i], *made.layout[j]) for i, j in zip(made.edges.source, made.edges.target, strict=True)}
    assert {(*one, *other) for one, other, _ in ends} == expected


def test_nodes_without_edges_are_left_out_of_the_network() -> None:
    fit = block_fit(shape=SHORT)
    graph = fit.posterior["graph"].to_dataset()
    kept = (graph["edge_source"] > 1) & (graph["edge_target"] > 1)
    thin = graph.isel(edge=np.flatnonzero(kept.to_numpy())).assign(n_edges=((), int(kept.sum())))
    tree = fit.posterior.copy()
    tree["graph"] = xr.DataTree(thin)
    assert "2 nodes without edges are not drawn." in figure_of(replace(fit, posterior=tree), "network").note


@pytest.mark.parametrize("blocks", [4, (4, 3)])
def test_streams_carry_every_known_node_once(blocks: Any) -> None:
    fit = block_fit(blocks=blocks, shape=SHORT)
    figure = figure_of(fit, "groups")
    fills = [trace for trace in figure.panels[0].data if trace.get("fill") == "tonexty"]
    counts = [int(re.search(r"(\d+) nodes?", trace["name"])[1]) for trace in fills]  # type: ignore[index]
    assert sum(counts) == 88 * (1 if blocks == 4 else 2)
    assert "Of 2 nodes the group is not known." in figure.note
    below = [one for one, fill in pairwise(figure.panels[0].data) if fill.get("fill") == "tonexty"]
    for one, fill, n in zip(below, fills, counts, strict=True):
        np.testing.assert_allclose(fill["y"] - one["y"], n / 88)


def test_the_sharing_of_blocks_is_drawn_sorted_for_each_partition() -> None:
    fit = block_fit(blocks=(4, 3), shape=SHORT)
    figure = figure_of(fit, "sharing")
    assert [panel.label for panel in figure.panels] == ["source blocks", "target blocks"]
    shown = fit.posterior["derived"]["shown_node_2"].to_numpy()
    matrix = fit.posterior["derived"]["co_assignment_matrix_2"].to_numpy()
    np.testing.assert_allclose(figure.panels[1].data[0]["z"], 100 * matrix, atol=0.5)
    assert figure.panels[1].behaviour["names"]["x"] == [f"neuron {node + 1}" for node in shown]


def test_colours_to_see_through_are_the_style_sheets() -> None:
    solid = colour("var(--component-1)")
    assert colour(f.faded("var(--component-1)", 0.45)) == (*solid[:3], 0.45)


# Does the model fit?


def test_scores_are_those_of_scikit_learn_ties_too() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    expected = np.round(rng.random(3000), 1)
    weight = rng.poisson(0.3 * expected).astype(float)
    found = HeldOut(expected, weight, chances=False)
    assert found.auc == pytest.approx(metrics.roc_auc_score(weight > 0, expected), rel=1e-12)
    assert found.average_precision == pytest.approx(metrics.average_precision_score(weight > 0, expected), rel=1e-12)


def test_held_out_pairs_stand_on_the_diagonal_if_the_chances_are_right() -> None:
    rng = np.random.default_rng(3)
    expected = rng.beta(1, 4, 4000)
    outside = []
    for factor in (1.0, 0.6):
        weight = (rng.random(expected.size) < factor * expected).astype(float)
        sticks, dots = held_out_figure(HeldOut(expected, weight, chances=True)).panels[2].data[1:]
        low, high = sticks["y"].reshape(-1, 3)[:, :2].T
        outside.append(int(np.sum((dots["x"] < low) | (dots["x"] > high))))
    assert stats.binom.sf(outside[0] - 1, 12, 0.05) > ALPHA
    assert stats.binom.sf(outside[1] - 1, 12, 0.05) < ALPHA


def test_a_graph_like_those_that_the_model_draws_is_not_off() -> None:
    rng = np.random.default_rng(4)
    wrong = [Statistic("x", values[0], values[1:]).off for values in rng.gamma(2, 1, (2000, 101))]
    assert stats.binom.sf(sum(wrong) - 1, 2000, 2 / 101) > ALPHA
    assert all(Statistic("x", 60.0, values).off for values in rng.gamma(2, 1, (20, 100)))
    assert not Statistic("x", 0.0, np.zeros(100)).off
    assert Statistic("x", 3.0, np.zeros(100)).off


def test_what_the_model_misses_is_told_with_what_would_make_up_for_it() -> None:
    fit = block_fit("variational")
    seen = fit.posterior["observed_data"]["graph_statistic"].copy()
    seen.loc[{"statistic": ["reciprocity", "sd of in-degrees"]}] *= 2
    off = changed(fit, "observed_data", graph_statistic=seen)
    banner = build(*assessed(off)).banner
    assert not banner.adequate
    assert "sd of in-degrees is 10.4" in banner.next_step
    assert "--degree-corrected" in banner.next_step
    assert "edges answer each other" in banner.next_step
    assert "transitivity" not in banner.next_step
    corrected = replace(off.provenance.card.blocks, degree_corrected=True)  # type: ignore[type-var]
    card = replace(off.provenance.card, blocks=corrected)
    banner = build(*assessed(replace(off, provenance=replace(off.provenance, card=card)))).banner
    assert "--degree-corrected" not in banner.next_step
    assert "Nothing speaks against it so far" in build(*assessed(fit)).banner.next_step
    assert [one.key for one in read_statistics(fit)][3] == "reciprocity"


def test_held_out_pairs_alone_make_the_section_too() -> None:
    fit, assessment = assessed(block_fit("point"))
    sections = build(fit, assessment)
    assert [figure.name for figure in sections.predictive] == ["held-out"]
    assert "model-fit" in sections.outline
    bare = block_fit("point", held_out=False)
    assert read_held_out(bare) is None
    assert "model-fit" not in build(*assessed(bare)).outline


# Advice, index, other pages


def test_blocks_that_are_superfluous_say_nothing_against_the_numbers() -> None:
    fit, assessment = assessed(block_fit(shape=(4, 250)), superfluous())
    banner = describe(fit, assessment)
    assert (banner.state, banner.adequate, banner.rough) == ("passed", True, False)
    assert [check.name for check in banner.noted] == ["Empty or superfluous blocks"]
    record = {"name": "blocks", "value": 1, "passed": False, "advisory": True}
    assert "approximation" not in checked([record, {"name": "r_hat", "value": 1.0, "passed": True}])["verdict"]
    rough = describe(*assessed(block_fit("variational"), poor_k_hat(), superfluous()))
    assert rough.rough
    assert "--engine gibbs" in rough.next_step


def test_the_index_shows_numbers_of_blocks_and_scores() -> None:
    entry = RunEntry.of(*assessed(block_fit(blocks=(5, 3), shape=SHORT)), href="a/report.html")
    numbers = dict(entry.numbers)
    assert [numbers[name] for name in ("source blocks", "target blocks", "NMI, sources")] == ["5", "3", "0.81"]
    assert numbers["AUC, held out"] == "0.83"
    assert english(render_index([entry], language="ja")) == []


def test_runs_of_block_models_stand_side_by_side() -> None:
    runs = [
        Compared(name, *assessed(block_fit(kind, shape=shape)))
        for name, kind, shape in (("a", "mcmc", (4, 250)), ("b", "variational", None), ("c", "point", None))
    ]
    page = render_comparison(runs, command="bayeskit compare a b c")
    assert "CRPS" not in page  # statistics of a graph are no predictions of its edges


@pytest.mark.parametrize(
    ("blocks", "options"), [(4, "--source-blocks 4 --shared"), ((5, 3), "--source-blocks 5 --target-blocks 3 --shared")]
)
def test_the_command_that_calibrates_has_the_numbers_that_were_chosen(blocks: Any, options: str) -> None:
    told = calibration_hint(block_fit(blocks=blocks, shape=SHORT).provenance)
    assert f"`bayeskit calibrate sbm data/graph.csv {options} --engine gibbs`" in told


def test_the_bound_of_coordinate_ascent_is_told_as_exact() -> None:
    (figure,) = optimisation_figures(block_fit("variational"))
    assert figure.title == "The ELBO reaches −2,100.3 after 40 iterations"
    assert len(figure.panels) == 2
    assert "noisy" not in figure.caption
    by_svi = block_fit("variational", engine="svi")
    assert "noisy" in optimisation_figures(by_svi)[0].caption


def test_rates_are_held_against_their_prior_unless_it_is_estimated() -> None:
    figure = build(*assessed(block_fit("variational"))).priors
    assert figure is not None
    assert figure.title == "What the data made of the priors on theta"
    assert len(figure.panels) == 4
    assert "drawn are the highest" in figure.note
    figure = build(*assessed(block_fit("variational", hyper=True))).priors
    assert figure is not None
    assert figure.title == "What the data made of the priors on alpha, a and b"


def test_ties_of_ranks_are_broken_at_random() -> None:
    rng = np.random.default_rng(1)
    draws = rng.integers(0, 2, (4, 500)).astype(float)
    ranks = untied(draws)
    assert np.unique(ranks).size == 2000
    assert ranks[draws == 0].max() < ranks[draws == 1].min()
    for chain in ranks:
        assert stats.kstest(chain / 2000, "uniform").pvalue > ALPHA
    in_order = np.argsort(np.argsort(draws.ravel(), kind="stable"), kind="stable").reshape(4, 500)
    assert min(stats.kstest(chain / 2000, "uniform").pvalue for chain in in_order) < ALPHA
    kept = rng.normal(size=(4, 50))
    assert untied(kept) is kept


def test_a_chain_that_never_moves_has_no_autocorrelation() -> None:
    fit = block_fit(shape=(4, 100))
    draws = fit.posterior["posterior"]["n_occupied"]
    draws[:] = np.array([3, 4, 4, 4])[:, None]
    figure = next(one for one in build(*assessed(fit)).diagnostics if one.name == "autocorrelation")
    assert "n_occupied" not in {panel.label for panel in figure.panels}
    assert "n_occupied" in figure.note


# The table of all nodes


def unpacked(spec: dict[str, Any], name: str) -> np.ndarray:
    column = next(column for column in spec["columns"] if column["name"] == name)
    raw = np.frombuffer(gzip.decompress(base64.b64decode(column["values"])), dtype=np.uint8)
    width = column["bits"] // 8
    return raw.reshape(width, -1).T.copy().view(f"<f{width}").ravel()


def test_the_table_has_every_node_with_its_block_probability_and_runner_up() -> None:
    fit = block_fit(blocks=(4, 3), shape=SHORT)
    made = read(fit)
    table = node_table(made)
    spec = json.loads(table.spec)
    names = json.loads(gzip.decompress(base64.b64decode(spec["labels"])))
    assert sorted(names) == sorted(made.names.tolist())
    at = [int(np.flatnonzero(made.names == name)[0]) for name in names]
    for suffix, partition in (("_1", made.sources), ("_2", made.targets)):
        np.testing.assert_array_equal(unpacked(spec, f"block{suffix}"), partition.block[at] + 1)
        np.testing.assert_allclose(unpacked(spec, f"probability{suffix}"), partition.certainty[at], atol=1e-4)
        np.testing.assert_array_equal(unpacked(spec, f"runner_up{suffix}"), partition.runner_up[at] + 1)
    group = next(column for column in spec["columns"] if column["name"] == "group")
    assert made.labels is not None
    assert [group["names"][int(place)] for place in unpacked(spec, "group")] == [made.labels[i] or "–" for i in at]
    assert [part["rows"] for part in spec["variables"]] == made.sources.held.tolist()
    assert not table.cut


def test_a_page_without_room_for_all_nodes_keeps_the_least_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayeskit.reporting.node_table.MAX_ROWS", 20)
    fit, assessment = assessed(block_fit("variational"))
    table = node_table(read(fit))
    assert table.cut
    assert read(fit).sources.certainty.argmin() in table.order
    assert "The page holds 20 of 90 nodes, the least certain" in render(fit, assessment)


# Everywhere

PAGES: dict[str, tuple[dict[str, Any], list[Verdict]]] = {
    "shared": ({"shape": SHORT}, [superfluous()]),
    "two partitions": ({"kind": "variational", "blocks": (5, 3), "hyper": True}, [superfluous()]),
    "no direction": ({"directed": False, "likelihood": "poisson", "kind": "variational"}, [poor_k_hat()]),
    "corrected": ({"kind": "variational", "likelihood": "poisson", "degree_corrected": True, "labels": False}, []),
    "a point": ({"kind": "point", "blocks": (4, 4)}, [Verdict("bound", 1e-3, 1e-8, "<=", False)]),
    "many": ({"kind": "variational", "blocks": 14, "n_nodes": 400, "kept_edges": 500, "selection": False}, []),
    "one block": ({"kind": "variational", "blocks": 1, "held_out": False, "statistics": False}, []),
    "failed": ({"kind": "variational"}, [replace(superfluous(2), advisory=False)]),
}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow) if page in ("shared", "no direction", "many", "failed") else page
        for page in PAGES
    ],
)
def test_a_japanese_page_has_no_english_sentence(page: str) -> None:
    options, verdicts = PAGES[page]
    names = tuple(f"n{i}" for i in range(options.get("n_nodes", 90)))
    assert english(render(*assessed(block_fit(**options, names=names), *verdicts), language="ja")) == []


def test_what_the_model_misses_is_told_in_japanese() -> None:
    fit = block_fit("variational")
    off = changed(fit, "observed_data", graph_statistic=2 * fit.posterior["observed_data"]["graph_statistic"] + 1)
    assert english(render(*assessed(off), language="ja")) == []


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(HOSTILE)
@example(f"</script><script>alert('{MARK}')</script><{MARK}>")
def test_names_of_nodes_and_groups_cannot_become_markup(name: str) -> None:
    names = tuple(f"{name} {i}" for i in range(60))
    fit = block_fit("variational", n_nodes=60, names=names)
    fit = changed(fit, "graph", label=("node", np.array([name] * 30 + ["other"] * 30)))
    page = render(*assessed(fit))
    assert MARK in page
    assert not raw_tags(page)
    assert page.count("<script>") == 2
    for figure in (item for item in reported(fit).results if isinstance(item, f.Figure)):
        for panel in figure.panels:
            assert not any(MARK in text and set(text) & set("<$") for text in plotted(panel))


def plotted(panel: f.Panel) -> list[str]:
    """Return what Plotly would read as its own kind of HTML."""
    texts = [note["text"] for note in panel.layout.get("annotations", ())]
    for trace in panel.data:
        told = trace.get("text", ())
        texts += [str(text) for text in (told if isinstance(told, list) else [told])]
        texts += [trace.get("name", ""), trace.get("hovertemplate", "")]
    names = panel.behaviour.get("names", {"x": [], "y": []})
    return [re.sub(r"<br>|<extra></extra>", "", text) for text in [*texts, *names["x"], *names["y"]]]


@pytest.mark.parametrize(
    "page", ["shared", *(pytest.param(p, marks=pytest.mark.slow) for p in ("two partitions", "a point"))]
)
def test_figures_have_their_printed_form(page: str, tmp_path: Path) -> None:
    options, verdicts = PAGES[page]
    sections = build(*assessed(block_fit(**options), *verdicts))
    own = [*sections.results, *sections.predictive, sections.data]
    figures = list(figures_in(own))
    assert len({figure.name for figure in figures_in(sections)}) == len(list(figures_in(sections)))
    made = {path.stem: path for path in save_figures(figures, tmp_path, "svg", warn=silent)}
    for figure in figures:
        words = words_of(made[figure.name])
        assert squeezed(plain(figure.title)) in words
        for panel in figure.panels:
            assert all(squeezed(text) in words for text in texts_of(panel))


def test_other_reports_are_what_they_were() -> None:
    from reporting.mixture_factories import assessed as assessed_mixture
    from reporting.mixture_factories import mixture_fit

    sections = build(*assessed_mixture(mixture_fit(shape=(2, 60))))
    assert sections.nodes is None
    assert all(isinstance(item, f.Figure) for item in sections.results)
