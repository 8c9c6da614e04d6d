"""Synthetic fits of factorisations: ratings that were simulated, and draws around what they came from, each rotated."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from reporting.program_factories import ASSESS
from reporting.rating_world import CUTPOINTS, OCCUPATIONS, SIGMA, World, world
from scipy.stats import norm, ortho_group

from bayeskit.core.language import say_count
from bayeskit.core.priors import Prior
from bayeskit.core.types import Assessment, FactorCard, Fit, ModelCard, Provenance, Quantity, Source
from bayeskit.diagnostics.ratings import assess_ratings

ENGINES = {"mcmc": "gibbs", "variational": "svi", "point": "als"}
GENRES = ("Action", "Comedy", "Drama", "Film-Noir")
LEVELS = (1.0, 2.0, 3.0, 4.0, 5.0)


def rating_fit(
    kind: str = "mcmc",
    *,
    likelihood: str = "normal",
    family: str = "wishart",
    nonnegative: bool = False,
    n_users: int = 60,
    n_items: int = 40,
    rank: int = 3,
    shape: tuple[int, int] | None = None,
    kept: int = 6,
    effect: float = 0.0,
    features: bool = False,
    tables: bool = True,
    tested: bool = True,
    baselines: bool = False,
    sharpness: float = 1.0,
    names: dict[str, str] | None = None,
    seed: int = 1,
) -> Fit:
    """Build the fit of a factorisation; ``sharpness`` above 1 makes what it says of test ratings too sure.

    ``kept`` draws a chain keep their rows, each of them turned by another rotation. ``names`` are put before the names
    of users, items, titles and occupations.
    """
    rng = np.random.default_rng(seed)
    truth = world(n_users, n_items, rank, likelihood, nonnegative=nonnegative, effect=effect, seed=seed)
    shape = shape or {"mcmc": (2, 120), "variational": (1, 200), "point": (1, 1)}[kind]
    kept = 1 if kind == "point" else kept
    train = ~truth.test if tested else np.ones(truth.test.size, dtype=bool)
    given = truth.value[train].astype(np.float32).astype(float)
    centre, spread = (0.0, 1.0) if likelihood == "ordinal" else (0.0 if nonnegative else given.mean(), given.std())
    rows = [_draw(truth, centre, spread, nonnegative, rng, kind) for _ in range(shape[0] * kept)]
    tree = {
        "posterior": _posterior(truth, shape, rng, likelihood, family, features, rank, kind),
        "sample_stats": xr.Dataset(
            attrs={"mcmc": {}, "variational": _settled(rng, shape)[1], "point": _arrived()}[kind]
        ),
        "factors": _factors(rows, (shape[0], kept), truth, spread, likelihood),
        "ratings": xr.Dataset(
            {
                "user": ("training_rating", truth.user[train].astype(np.int32)),
                "item": ("training_rating", truth.item[train].astype(np.int32)),
                "value": ("training_rating", truth.value[train].astype(np.float32)),
            }
        ),
        "history": _history(shape, rng, kind, tested=tested),
        **_sides(n_users, n_items, names or {}, tables=tables),
    }
    if kind == "variational":
        tree["sample_stats"] = tree["sample_stats"].assign(_settled(rng, shape)[0])
    if tested:
        tree["held_out"] = _held_out(truth, kind, likelihood, sharpness)
        if kind != "point":
            tree["posterior"]["test_rmse"] = (("chain", "draw"), 0.95 + 0.01 * rng.normal(size=shape))
    if baselines:
        tree["baselines"] = _baselines()
    card = _card(truth, train, likelihood, family, nonnegative, rank, features)
    return Fit(xr.DataTree.from_dict(tree), _provenance(kind, card))


def _draw(truth: World, centre: float, spread: float, nonnegative: bool, rng: np.random.Generator, kind: str) -> Any:
    """Return level and rows of one draw on the model's scale: near the truth, turned."""
    off = 0.0 if kind == "point" else 0.05
    user, item = (
        factors + off * rng.normal(size=factors.shape) for factors in (truth.user_factors, truth.item_factors)
    )
    if nonnegative:
        user, item = np.abs(user) / spread, np.abs(item)
        turned = np.eye(user.shape[1])[rng.permutation(user.shape[1])]
        return 0.0, user @ turned, item @ turned
    turn = ortho_group.rvs(user.shape[1], random_state=rng) if user.shape[1] > 1 else np.array([[-1.0]])
    biases = [one / spread for one in (truth.user_bias, truth.item_bias)]
    rows = np.column_stack([biases[0], user @ turn / spread]), np.column_stack([biases[1], item @ turn])
    return (truth.level - centre) / spread, *rows


def _factors(rows: list[Any], shape: tuple[int, int], truth: World, spread: float, likelihood: str) -> xr.Dataset:
    kept = ("factor_chain", "factor_draw")
    single = {
        name: np.stack([row[place] for row in rows]) for place, name in enumerate(("mu", "user_rows", "item_rows"))
    }
    found = {name: array.reshape(*shape, *array.shape[1:]).astype(np.float32) for name, array in single.items()}
    variables: dict[str, Any] = {
        "mu": (kept, found["mu"]),
        "tau": (kept, np.full(shape, (spread / SIGMA) ** 2, dtype=np.float32)),
        "user_rows": ((*kept, "user", "column"), found["user_rows"]),
        "item_rows": ((*kept, "item", "column"), found["item_rows"]),
    }
    if likelihood == "ordinal":
        variables["cutpoints"] = ((*kept, "cutpoint"), np.tile(CUTPOINTS.astype(np.float32), (*shape, 1)))
    return xr.Dataset(variables)


def _posterior(
    truth: World,
    shape: tuple[int, int],
    rng: np.random.Generator,
    likelihood: str,
    family: str,
    features: bool,
    rank: int,
    kind: str,
) -> xr.Dataset:
    width = 0.0 if kind == "point" else 0.02

    def around(value: float) -> Any:
        return ("chain", "draw"), value * np.exp(width * rng.normal(size=shape))

    made: dict[str, Any] = {}
    if likelihood == "normal":
        made |= {"level": around(float(truth.eta.mean()))} | ({} if kind == "point" else {"sigma": around(SIGMA)})
    else:
        cuts = CUTPOINTS + width * rng.normal(size=(*shape, CUTPOINTS.size))
        made["cutpoints"] = (("chain", "draw", "cutpoint"), cuts)
    made |= {name: around(0.5) for name in ("sd_user", "sd_item", "sd_interaction")} | {"effective_rank": around(2.4)}
    if family == "ard" and kind != "point":
        scales = np.linspace(0.9, 0.1, rank) * np.exp(width * rng.normal(size=(*shape, rank)))
        made["factor_sd"] = (("chain", "draw", "factor"), np.sort(scales)[..., ::-1])
    coords: dict[str, Any] = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    if features:
        for side, names in (("user", ["occupation", "age"]), ("item", ["genres"])):
            sizes = np.array([4.0, 100.0])[: len(names)]
            values = sizes * np.exp(0.2 * rng.normal(size=(*shape, len(names))))
            made[f"{side}_lambda"] = (("chain", "draw", f"{side}_group"), values)
            coords[f"{side}_group"] = names
    made["rating"] = (("chain", "draw", "pair"), 3.0 + width * rng.normal(size=(*shape, 2)))
    coords["pair"] = ["u1:i1", "u2:i2"]
    if kind != "point":
        made["log_lik"] = (("chain", "draw"), -900 + 5 * rng.normal(size=shape))
    found = xr.Dataset(made)
    return found.assign_coords({name: values for name, values in coords.items() if name in found.dims})


def _held_out(truth: World, kind: str, likelihood: str, sharpness: float) -> xr.Dataset:
    user, item, rating = (one[truth.test] for one in (truth.user, truth.item, truth.value))
    eta = truth.eta[user, item]
    made: dict[str, Any] = {"user": user, "item": item, "rating": rating}
    if likelihood == "ordinal":
        cuts = norm.cdf(sharpness * (CUTPOINTS - eta[:, None]))
        chances = np.diff(np.column_stack([np.zeros(eta.size), cuts, np.ones(eta.size)]), axis=1)
        at_most, level = np.cumsum(chances, axis=1), (rating - 1).astype(int)
        places = np.arange(eta.size)
        mean, own = chances @ np.array(LEVELS), chances[places, level]
        made |= {"mean": mean, "sd": np.sqrt(np.maximum(chances @ np.array(LEVELS) ** 2 - mean**2, 0))}
        made |= {"low": 1.0 + (at_most < 0.025).sum(1), "high": 1.0 + np.minimum((at_most < 0.975).sum(1), 4)}
        made["pit"] = at_most[places, level] - own * np.random.default_rng(5).random(eta.size)
        made["log_density"] = np.log(np.maximum(own, 1e-300))
        found = xr.Dataset({name: ("test_rating", values) for name, values in made.items()})
        return found.assign(chances=(("test_rating", "level"), chances))
    made["mean"] = np.clip(eta, 1, 5)
    if kind != "point":
        sd = np.full(eta.size, np.hypot(SIGMA, 0.3) / sharpness)  # rounding has a variance, too
        made |= {"sd": sd, "low": eta - 1.96 * sd, "high": eta + 1.96 * sd}
        made |= {"pit": norm.cdf(rating, eta, sd), "log_density": norm.logpdf(rating, eta, sd)}
    return xr.Dataset({name: ("test_rating", values) for name, values in made.items()})


def _history(shape: tuple[int, int], rng: np.random.Generator, kind: str, *, tested: bool) -> xr.Dataset:
    if kind == "point":
        epoch = np.arange(1, 31)
        rising = 0.9 + 0.2 * np.exp(-epoch / 3) + 0.002 * epoch
        made = {"loss": 5000 * np.exp(-epoch / 4) + 900, "train_rmse": 0.7 + 0.3 * np.exp(-epoch / 5)}
        return xr.Dataset(
            {name: ("epoch", values) for name, values in (made | ({"test_rmse": rising} if tested else {})).items()}
        )
    if kind == "variational":
        step = np.arange(40)
        return xr.Dataset({"elbo": ("step", -2100 - 700 * np.exp(-step / 5)), "iteration": ("step", step)})
    sweep = np.arange(1, 51 + shape[1])
    train = 0.75 + 0.4 * np.exp(-sweep / 5) + 0.003 * rng.normal(size=(shape[0], sweep.size))
    so_far = 0.9 + 0.08 / np.arange(1, shape[1] + 1) * np.ones((shape[0], 1))
    made = {"train_rmse": (("c", "sweep"), train)} | ({"test_rmse_so_far": (("c", "kept"), so_far)} if tested else {})
    return xr.Dataset(made)


def _sides(n_users: int, n_items: int, names: dict[str, str], *, tables: bool) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng(3)

    def named(kind: str, texts: list[str]) -> np.ndarray:
        return np.array([f"{names.get(kind, '')}{text}" for text in texts])

    users: dict[str, Any] = {"user_name": ("user", named("user", [f"u{i + 1}" for i in range(n_users)]))}
    items: dict[str, Any] = {"item_name": ("item", named("item", [f"i{i + 1}" for i in range(n_items)]))}
    if tables:
        occupation = [OCCUPATIONS[i % len(OCCUPATIONS)] for i in range(n_users)]
        users["occupation"] = ("user", named("occupation", occupation))
        users["age"] = ("user", np.where(np.arange(n_users) == 4, np.nan, rng.integers(18, 70, n_users)))
        users["zip"] = ("user", np.array([f"{i:05d}" for i in range(n_users)]))
        items["title"] = ("item", named("title", [f"Film {i + 1}" for i in range(n_items)]))
        items["year"] = ("item", np.where(np.arange(n_items) == 2, np.nan, 1960.0 + np.arange(n_items)))
        both = ["|".join(sorted({GENRES[i % 4], GENRES[(i // 4) % 4]})) for i in range(n_items)]
        items["genres"] = ("item", np.array(both))
    return {"users": xr.Dataset(users), "items": xr.Dataset(items)}


def _baselines() -> xr.Dataset:
    columns = {
        "name": np.array(["gradient descent, rank 5", "gradient descent, rank 5"]),
        "missing": np.array(["zero", "excluded"]),
        "test_rmse": np.array([2.61, 1.07]),
        "least": np.array([-1.2, 0.3]),
        "greatest": np.array([10.4, 6.1]),
        "outside": np.array([0.61, 0.03]),
    }
    return xr.Dataset({name: ("baseline", values) for name, values in columns.items()})


def _settled(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    q = rng.normal(size=shape)
    densities = {"log_p": (("chain", "draw"), -0.5 * q**2), "log_q": (("chain", "draw"), -0.5 * (q / 1.05) ** 2)}
    return densities, {"converged": 1, "message": "settled", "steps": 40}


def _arrived() -> dict[str, Any]:
    reach = {"least_prediction": -0.2, "greatest_prediction": 6.98, "outside": 0.0052}
    return {"converged": 1, "message": "arrived", "loss": 902.7, "n_iterations": 30, **reach}


def _card(
    truth: World, train: np.ndarray, likelihood: str, family: str, nonnegative: bool, rank: int, features: bool
) -> ModelCard:
    gammas = [Prior(name, "gamma", (2.0, 1.0), lower=0.0) for name in ("tau", "alpha", "lambda")]
    wanted = {"tau": likelihood == "normal", "alpha": family == "ard", "lambda": features}
    names = ("level", "sigma", "cutpoints", "sd_user", "sd_item", "sd_interaction", "effective_rank", "factor_sd")
    return ModelCard(
        name="bmf",
        title=say_count(int(train.sum()), "Matrix factorisation of {n} rating", "Matrix factorisation of {n} ratings"),
        summary="",
        formulas=("r[u, i] ~ normal(mu + b[u] + b[i] + <U[u], V[i]>, sigma)",),
        program="def factor_program(data, spec):\n    ...\n",
        language="python",
        quantities=tuple(Quantity(name) for name in names),
        priors=tuple(prior for prior in gammas if wanted[prior.name]),
        factors=FactorCard(
            rank=rank,
            likelihood=likelihood,
            family=family,
            nonnegative=nonnegative,
            n_users=truth.user_bias.size,
            n_items=truth.item_bias.size,
            n_ratings=int(train.sum()),
            n_test=int((~train).sum()),
            low=1.0,
            high=5.0,
            levels=LEVELS,
            user_features=("occupation", "age") if features else (),
            item_features=("genres",) if features else (),
        ),
    )


def _provenance(kind: Any, card: ModelCard) -> Provenance:
    return Provenance(
        model="bmf",
        engine=ENGINES[kind],
        kind=kind,
        config={"rank": 3, "warmup": 50, "draws": 120, "thin": 1},
        seed=1,
        data=Source("ratings.csv", "ab" * 32, "640", (), {}),
        card=card,
        versions={"bayeskit": "0.1.0"},
        hardware={"cores": "2"},
        timings={"sampling": 1.5, "wall": 2.0},
        command=f"bayeskit fit bmf ratings.csv --rank 3 --split random --engine {ENGINES[kind]}",
        script="",
        started="2026-11-20T13:30:00+00:00",
    )


def assessed(fit: Fit) -> tuple[Fit, Assessment]:
    """Return the fit with its assessment, and what the test ratings say."""
    return fit, assess_ratings(fit, ASSESS[fit.provenance.kind](fit))
