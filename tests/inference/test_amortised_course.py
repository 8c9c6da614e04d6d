"""The pace of steps, and when a training ends."""

from __future__ import annotations

import pytest

from bayeskit.core.errors import ConfigError
from bayeskit.inference._amortised_course import Course, Judgement
from bayeskit.inference._amortised_run import planned
from bayeskit.inference._amortised_words import Words
from bayeskit.inference.amortised import AmortisedConfig


def course(bounds, n_batches=10, held_out=True, parts=(), schedule="constant", **options):
    """A course through epochs of such bounds, the same of all rows, or with parts of them that are off by so much."""
    made = Course(AmortisedConfig(schedule=schedule, **options), n_batches)
    for at, bound in enumerate(bounds):
        if made.ended:
            break
        off = tuple(-bound + part for part in parts[at]) if parts else ()
        judged = Judgement(-bound, bound + 1, 1.0, off, 100)
        made.add(Judgement(5.0, -4.0, 1.0) if held_out else judged, judged if held_out else None)
    return made


def test_the_weight_rises_in_a_straight_line_to_beta():
    made = course([], beta=4.0, kl_warmup=2)
    assert [made.pace(done).weight for done in (0, 9, 19, 20, 500)] == pytest.approx([0.2, 2.0, 4.0, 4.0, 4.0])
    assert course([], beta=0.5).pace(0).weight == 0.5
    assert [made.pace(done).number for done in (0, 7)] == [1, 8]


def test_a_cosine_goes_down_to_a_hundredth():
    made = course([], epochs=10, learning_rate=0.1, schedule="cosine")
    rates = [made.pace(done).rate for done in range(101)]
    assert rates[0] == 0.1
    assert rates[50] == pytest.approx(0.0505)
    assert rates[100] == pytest.approx(0.001)
    assert rates == sorted(rates, reverse=True)
    assert course([], learning_rate=0.1).pace(1000).rate == 0.1


def test_it_ends_when_patience_does():
    made = course([-9, -8, -8.5, -8, -9, -7], epochs=50, patience=3)
    assert (made.epochs, made.best_epoch, made.ended) == (5, 2, True)
    said = made.said()
    assert said["converged"]
    assert said["message"] == "the held-out bound was best in epoch 2 of 5"
    assert said["elbo"] == -8
    assert said["steps"] == 50


def test_patience_does_not_count_in_warm_up():
    assert course([-1, -5, -6, -7, -8, -9, -9, -9], epochs=50, patience=3, kl_warmup=4).epochs == 7


@pytest.mark.parametrize(
    ("bounds", "options"),
    [(range(-12, 0), {}), ([-9], {}), ([-9, *[-8] * 11], {"kl_warmup": 12})],
    ids=["still rising", "one epoch", "warm-up to the end"],
)
def test_a_cosine_that_ends_too_early_says_so(bounds, options):
    said = course(bounds, epochs=len(bounds), schedule="cosine", **options).said()
    assert not said["converged"]
    assert "was still improving in the last of" in said["message"]


NOISY = [(0.3, -0.3, 0.1, -0.1), (-0.2, 0.2, 0.3, -0.3), (0.1, 0.1, -0.4, 0.2)]


@pytest.mark.parametrize(("last", "kept"), [(-7.9, 3), (-8.1, 3), (-9.5, 2)])
def test_after_a_cosine_the_last_weights_are_kept_unless_others_were_better_by_more_than_chance(last, kept):
    made = course([-9, -8, last], epochs=3, schedule="cosine", parts=NOISY)
    assert made.best_epoch == kept
    assert made.said()["elbo"] == [-9, -8, last][kept - 1]


def test_the_last_weights_are_kept_where_nothing_is_held_out():
    assert course([-9, -7, -8], epochs=3, schedule="cosine", held_out=False).best_epoch == 3
    assert course([-9, -7, -8], epochs=3, held_out=False).best_epoch == 2


def test_a_cosine_ends_early_only_where_the_bound_is_plainly_worse():
    """Rows differ by 1.3; a difference of less than a twentieth of that is none."""
    same = [(0.3, -0.3, 0.1, -0.1)] * 12
    plain = course([-8, *[-9] * 11], epochs=12, schedule="cosine", patience=4, parts=same)
    assert (plain.epochs, plain.best_epoch) == (5, 1)
    assert plain.said()["message"] == "the held-out bound was best in epoch 1 of 5, and plainly worse afterwards"
    assert course([-8, *[-8.05] * 11], epochs=12, schedule="cosine", patience=4, parts=same).epochs == 12
    between = course([-8, -9, -9, -9, -8.05] * 2, epochs=12, schedule="cosine", patience=4, parts=same)
    assert between.epochs == 10
    assert not between.ended


def test_without_patience_it_goes_on():
    made = course([-9, *[-10] * 29], epochs=30, patience=0)
    assert made.epochs == 30
    assert made.said()["converged"]


@pytest.mark.parametrize(
    ("bounds", "options", "converged", "message"),
    [
        (range(-12, 0), {}, False, "the held-out bound was still improving after 12 epochs; give more epochs"),
        (range(-12, 0), {"held_out": False}, False, "the bound was still improving after 12 epochs; give more epochs"),
        (
            [*range(-12, -1), -1.9],
            {"schedule": "cosine"},
            True,
            "the learning rate went down to a hundredth; weights are those of epoch 12",
        ),
    ],
)
def test_it_says_how_it_ended(bounds, options, converged, message):
    said = course(bounds, epochs=12, **options).said()
    assert (said["converged"], said["message"]) == (converged, message)


def test_the_history_has_all_by_epoch():
    history = course([-9, -8], held_out=True).history()
    assert {name: row.tolist() for name, row in history.items()} == {
        "epoch": [1, 2],
        "elbo": [-5, -5],
        "reconstruction": [-4, -4],
        "kl": [1, 1],
        "held_out_elbo": [-9, -8],
        "held_out_reconstruction": [-8, -7],
        "held_out_kl": [1, 1],
        "weight": [1, 1],
        "learning_rate": [1e-3, 1e-3],
    }
    assert "held_out_elbo" not in course([-9], held_out=False).history()


def test_how_steps_are_computed_follows_from_their_number_and_size(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    auto, always, never = (AmortisedConfig(compile=word) for word in ("auto", "always", "never"))
    assert [planned(auto, n, 0).compiled for n in (19_999, 20_000)] == [False, True]
    assert planned(always, 1, 0).compiled
    assert not planned(never, 10**6, 0).compiled
    assert [planned(auto, 1, n).threads for n in (10**6, 10**8)] == [1, 8]


def test_words_tell_bound_and_rate(monkeypatch):
    now, told = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    words = Words(told.append)
    made = course([], epochs=3)
    for time in (0.1, 0.25, 0.3, 0.5):
        now[0] = time
        words(1000, lambda: None if now[0] < 0.4 else Judgement(4.0, -3.0, 1.0), made)
    made.add(Judgement(5.0, -4.0, 1.0), Judgement(6.0, -5.0, 1.0))
    now[0] = 1.0
    words(6000, lambda: None, made)
    assert told == ["8,000 rows/s", "ELBO -4.0, 8,000 rows/s", "ELBO -5.0 (held out -6.0), 10,000 rows/s"]


@pytest.mark.parametrize(
    "option",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"schedule": "steep"},
        {"beta": -1.0},
        {"beta": float("nan")},
        {"kl_warmup": -1},
        {"free_bits": -0.1},
        {"patience": -1},
        {"clip": 0.0},
        {"compile": "perhaps"},
    ],
)
def test_config_has_bounds(option):
    with pytest.raises(ConfigError, match=f"option '{next(iter(option))}'"):
        AmortisedConfig(**option)
