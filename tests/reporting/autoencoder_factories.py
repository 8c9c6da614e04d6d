"""Synthetic fits of autoencoders: principal components stand in for the networks, so that they take no time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from reporting.program_factories import ASSESS
from scipy.stats import multivariate_normal, norm

from bayeskit.core.priors import Prior
from bayeskit.core.types import (
    Assessment,
    AutoencoderCard,
    ConditionCard,
    Fit,
    ModelCard,
    Provenance,
    Quantity,
    Source,
)
from bayeskit.diagnostics.autoencoders import assess_autoencoder

FORMS: dict[str, dict[str, Any]] = {
    "images": {},
    "wide": {"latent": 6, "noise": 0.3},
    "colour": {"channels": 3},
    "class": {"given": "label"},
    "quadrants": {"quadrants": 1},
    "table": {"table": "factors", "latent": 5},
    "temperature": {"table": "temperature"},
}
STEPS = np.linspace(-3, 3, 9)
COLUMNS = tuple(f"s{i + 1}" for i in range(12))


@dataclass(frozen=True, eq=False)
class Linear:
    """Probabilistic principal components: ``x = mean + W z + noise``, standard normal codes (Tipping, Bishop 1999)."""

    mean: np.ndarray
    loadings: np.ndarray
    variance: float

    @classmethod
    def fitted(cls, rows: np.ndarray, latent: int) -> Linear:
        mean = rows.mean(0)
        values, vectors = np.linalg.eigh(np.cov(rows.T))
        values, vectors = values[::-1], vectors[:, ::-1]
        variance = float(values[latent:].mean())
        scale = np.sqrt(np.maximum(values[:latent] - variance, 0))
        return cls(mean, vectors[:, :latent] * scale, variance)

    def encode(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inner = self.loadings.T @ self.loadings + self.variance * np.eye(self.loadings.shape[1])
        mean = (rows - self.mean) @ self.loadings @ np.linalg.inv(inner)
        return mean, np.broadcast_to(np.sqrt(self.variance / np.diag(inner)), mean.shape).copy()

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return self.mean + codes @ self.loadings.T

    def log_density(self, rows: np.ndarray) -> np.ndarray:
        covariance = self.loadings @ self.loadings.T + self.variance * np.eye(self.mean.size)
        return multivariate_normal(self.mean, covariance).logpdf(rows)


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's images, ``1797 x 8 x 8`` from 0 to 1, and their digits."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return loaded.images / 16.0, loaded.target.astype(str)


def sensors(kind: str, n: int = 1500) -> tuple[np.ndarray, np.ndarray | None]:
    """Return rows of sensors: of two factors, or of a temperature, which is returned too."""
    rng = np.random.default_rng(3)
    if kind == "factors":
        return rng.normal(size=(n, 2)) @ rng.normal(size=(2, len(COLUMNS))) + 0.1 * rng.normal(size=(n, 12)), None
    t = rng.uniform(300, 500, n)
    means = [0.001 * t**2 - 0.3 * t + 50, 100 * np.exp(-5000 / t), 0.5 * t + 50, -0.002 * t + 2, 0.01 * t]
    return np.column_stack(means) + 2 * rng.normal(size=(n, 5)), t


def autoencoder_fit(
    form: str = "images",
    *,
    names: str = "",
    n: int | None = None,
    converged: bool = True,
    history: int = 60,
    repeat: int = 1,
) -> Fit:
    """Build a fit of one of the ``FORMS``; ``names`` is put before each name, ``repeat`` makes more rows of codes."""
    options = {"latent": 2, "channels": 0, "given": "", "quadrants": 0, "noise": 0.0, "table": "", **FORMS[form]}
    rng = np.random.default_rng(1)
    labels, t = None, None
    if options["table"]:
        rows, t = sensors(options["table"])
    else:
        rows, labels = digits()
        rows = rows[..., None] * np.array([1.0, 0.6, 0.3]) if options["channels"] else rows
    rows, labels, t = (None if one is None else one[: n or len(one)] for one in (rows, labels, t))
    flat = rows.reshape(len(rows), -1) / (1.0 if not options["table"] else rows.std(0))
    scale = rows.reshape(len(rows), -1).std(0) if options["table"] else np.ones(flat.shape[1])
    held = np.zeros(len(rows), dtype=bool)
    held[rng.permutation(len(rows))[: len(rows) // 10]] = True
    model = Linear.fitted(flat[~held], 2 if options["table"] == "factors" else options["latent"])
    world = _World(model, rows, flat, scale, held, options, labels, t, names)
    tree = {
        "posterior": _posterior(world),
        "sample_stats": xr.Dataset(attrs=_engine(converged, history)),
        "history": _history(world, history),
        "codes": _codes(world, repeat),
        "reconstructions": _reconstructions(world),
        "traversals": _traversals(world),
        **(_of_table(world) if options["table"] else _of_images(world)),
    }
    return Fit(xr.DataTree.from_dict(tree), _provenance(world))


@dataclass(frozen=True, eq=False)
class _World:
    model: Linear
    rows: np.ndarray
    flat: np.ndarray
    scale: np.ndarray
    held: np.ndarray
    options: dict[str, Any]
    labels: np.ndarray | None
    t: np.ndarray | None
    names: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows.shape[1:]

    @property
    def latent(self) -> int:
        return int(self.options["latent"])

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Decode codes, ``... x latent``, to rows in the data's units; codes beyond the model's are idle."""
        made = self.model.decode(codes[..., : self.model.loadings.shape[1]]) * self.scale
        made = made if self.options["table"] else np.clip(made, 0, 1)
        return made.reshape(*codes.shape[:-1], *self.shape)

    def encode(self) -> tuple[np.ndarray, np.ndarray]:
        mean, sd = self.model.encode(self.flat)
        idle = self.latent - mean.shape[1]
        rng = np.random.default_rng(2)
        return np.hstack([mean, 1e-3 * rng.normal(size=(len(mean), idle))]), np.hstack([sd, np.ones((len(sd), idle))])


def _posterior(world: _World) -> xr.Dataset:
    mean, sd = (one[world.held] for one in world.encode())
    kl_code = 0.5 * (mean**2 + sd**2 - 1 - 2 * np.log(sd)).mean(0)
    density = float(world.model.log_density(world.flat[world.held]).mean() - np.log(world.scale).sum())
    values: dict[str, Any] = {
        "elbo": density - 0.8,
        "reconstruction": density - 0.8 + kl_code.sum(),
        "kl": kl_code.sum(),
        "log_density": density,
        "n_active": float((kl_code > 0.01).sum()),
    }
    made: dict[str, Any] = {name: (("chain", "draw"), np.array([[value]])) for name, value in values.items()}
    made["kl_code"] = (("chain", "draw", "code"), kl_code[None, None])
    if world.options["table"]:
        made["noise_sd"] = (("chain", "draw", "column"), (np.sqrt(world.model.variance) * world.scale)[None, None])
    coords = {"chain": [0], "draw": [0], "code": np.arange(1, world.latent + 1)}
    return xr.Dataset(made, coords | ({"column": list(_columns(world))} if world.options["table"] else {}))


def _engine(converged: bool, epochs: int) -> dict[str, Any]:
    told = "the held-out bound had not risen for 20 epochs" if converged else "200 epochs were not enough"
    return {
        "converged": int(converged),
        "message": told,
        "best_epoch": max(1, epochs - 20),
        "epochs": epochs,
        "steps": 12 * epochs,
    }


def _history(world: _World, n: int) -> xr.Dataset:
    epoch = np.arange(1, n + 1)
    end = _posterior(world)
    elbo, kl = float(end["elbo"].squeeze()), float(end["kl"].squeeze())
    train = elbo + 0.5 - 40 * np.exp(-epoch / 6)
    held = elbo - 42 * np.exp(-epoch / 6) - 1e-4 * np.maximum(epoch - n + 20, 0) ** 2
    divergence = kl * (1 - np.exp(-epoch / 4))
    made = {
        "elbo": train,
        "reconstruction": train + divergence,
        "kl": divergence,
        "held_out_elbo": held,
        "held_out_reconstruction": held + 1.02 * divergence,
        "held_out_kl": 1.02 * divergence,
        "weight": np.minimum(1.0, epoch / 10),
        "learning_rate": np.full(n, 1e-3),
    }
    return xr.Dataset({name: ("epoch", values) for name, values in made.items()}, {"epoch": epoch})


def _codes(world: _World, repeat: int) -> xr.Dataset:
    mean, sd = world.encode()
    made: dict[str, Any] = {"mean": (("row", "code"), mean), "sd": (("row", "code"), sd)}
    made |= {"elbo": ("row", world.model.log_density(world.flat)), "held_out": ("row", world.held)}
    made["row"] = ("row", np.array([f"{world.names}{place + 1}" for place in range(len(mean))]))
    if world.labels is not None:
        made["label"] = ("row", np.array([f"{world.names}{label}" for label in world.labels]))
    made |= {f"given_{name}": ("row", values) for name, values in _given(world).items()}
    if repeat > 1:
        made = {name: (dims, np.concatenate([values] * repeat)) for name, (dims, values) in made.items()}
    return xr.Dataset(made).assign(n_rows=len(made["mean"][1]))


def _given(world: _World) -> dict[str, np.ndarray]:
    if world.t is not None:
        return {"temperature": world.t}
    return {"label": world.labels} if world.options["given"] and world.labels is not None else {}


def _reconstructions(world: _World) -> xr.Dataset:
    order = np.argsort(~world.held, kind="stable")[: 300 if world.options["table"] else 24]
    original, made = world.rows[order], world.decode(world.encode()[0][order])
    dims = ("example", "column") if world.options["table"] else ("example", "height", "width", "channel")[: made.ndim]
    found: dict[str, Any] = {"original": (dims, original), "reconstruction": (dims, made)}
    if world.options["noise"]:
        noise = world.options["noise"] * np.random.default_rng(4).normal(size=original.shape)
        found["input"] = (dims, original + noise)
    if world.labels is not None:
        found["label"] = ("example", np.array([f"{world.names}{label}" for label in world.labels[order]]))
    return xr.Dataset(found)


def _traversals(world: _World) -> xr.Dataset:
    codes = np.zeros((world.latent, STEPS.size, world.latent))
    for code in range(world.latent):
        codes[code, :, code] = STEPS
    dims = ("code", "step", *(f"cell_{place}" for place in range(len(world.shape))))
    return xr.Dataset(
        {"decoded": (dims, world.decode(codes)), "at": ("step", STEPS)}, {"code": np.arange(1, world.latent + 1)}
    )


def _of_images(world: _World) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng(5)
    shape = ("height", "width", "channel")[: len(world.shape)]
    at = norm.ppf(np.linspace(0.02, 0.98, 11))
    grid = np.zeros((at.size, at.size, world.latent))
    grid[..., 0], grid[..., 1] = at[None, :], at[::-1, None]
    ways = np.linspace(0, 1, 11)[:, None]
    ends = rng.normal(size=(6, 2, 1, world.latent))
    linear = (1 - ways) * ends[:, 0] + ways * ends[:, 1]
    mean = world.decode(rng.normal(size=(100, world.latent)))
    drawn = np.clip(mean + 0.1 * rng.normal(size=mean.shape), 0, 1)
    made = {
        "interpolation": xr.Dataset(
            {
                name: (("pair", "way", *shape), world.decode(factor * linear))
                for name, factor in (("linear", 1.0), ("spherical", 1.1))
            }
        ),
        "generated": xr.Dataset({"mean": (("example", *shape), mean), "drawn": (("example", *shape), drawn)}),
    }
    decoded = world.decode(grid)
    if world.options["given"]:
        classes = [f"{world.names}{digit}" for digit in range(10)]
        each = np.stack([np.clip(decoded * (0.6 + 0.04 * k), 0, 1) for k in range(10)])
        made["manifold"] = xr.Dataset(
            {"decoded": (("class", "down", "across", *shape), each), "at": ("across", at)}, {"class": classes}
        )
        made["by_condition"] = xr.Dataset({"mean": (("class", "example", *shape), each[:, 3, :10])}, {"class": classes})
    else:
        made["manifold"] = xr.Dataset({"decoded": (("down", "across", *shape), decoded), "at": ("across", at)})
    made["manifold"]["codes"] = ("axis", np.array([0, 1]))
    if world.options["quadrants"]:
        original = world.rows[world.held][:10]
        given = original.copy()
        given[:, :4] = np.nan
        given[:, :, 4:] = np.nan
        samples = np.stack([np.clip(original + 0.2 * rng.normal(size=original.shape), 0, 1) for _ in range(4)], axis=1)
        made["completion"] = xr.Dataset(
            {
                "given": (("example", *shape), given),
                "original": (("example", *shape), original),
                "completed": (("example", "sample", *shape), samples),
            }
        )
    return made


def _of_table(world: _World) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng(6)
    n = 1000
    drawn = world.decode(rng.normal(size=(n, world.latent)))
    drawn = drawn + np.sqrt(world.model.variance) * world.scale * rng.normal(size=drawn.shape)
    value = world.rows[world.held]
    columns = {"column": list(_columns(world))}
    made: dict[str, Any] = {"drawn": (("row", "column"), drawn)}
    seen: dict[str, Any] = {"value": (("row", "column"), value)}
    found = {}
    if world.t is not None:
        made["given_temperature"] = ("row", rng.uniform(300, 500, n))
        seen["given_temperature"] = ("row", world.t[world.held])
        at = np.linspace(300, 500, 61)
        fits = [np.polynomial.Polynomial.fit(world.t, column, 2)(at) for column in world.rows.T]
        mean = np.column_stack(fits)
        bands = {
            name: mean + times * 2.0
            for name, times in (("mean", 0.0), ("low95", -1.96), ("low68", -1.0), ("high68", 1.0), ("high95", 1.96))
        }
        variables: dict[str, Any] = {name: (("at", "column"), values) for name, values in bands.items()}
        variables["given_temperature"] = ("at", at)
        found["by_condition"] = xr.Dataset(variables, columns)
    return {"generated": xr.Dataset(made, columns), "observed": xr.Dataset(seen, columns), **found}


def _columns(world: _World) -> tuple[str, ...]:
    return tuple(f"{world.names}{name}" for name in COLUMNS[: world.shape[0]])


def _card(world: _World) -> ModelCard:
    table, images = world.options["table"], not world.options["table"]
    conditions: tuple[ConditionCard, ...] = ()
    if world.t is not None:
        conditions = (ConditionCard("temperature", (), 300.0, 500.0, 400.0, 57.7),)
    elif world.options["given"]:
        conditions = (ConditionCard("label", tuple(f"{world.names}{digit}" for digit in range(10))),)
    conditional = bool(conditions or world.options["quadrants"])
    labels = () if world.labels is None else tuple(f"{world.names}{digit}" for digit in sorted(set(world.labels)))
    own = AutoencoderCard(
        conditional=conditional,
        shape=world.shape,
        columns=_columns(world) if table else (),
        latent=world.latent,
        architecture="mlp",
        encoder=(64,),
        decoder=(64,),
        likelihood="bernoulli" if images else "gaussian",
        shared_noise=bool(table),
        levels=0,
        latent_prior="normal",
        conditions=conditions,
        quadrants=world.options["quadrants"],
        noise=world.options["noise"],
        n_rows=int((~world.held).sum()),
        n_held_out=int(world.held.sum()),
        labels=labels,
    )
    return ModelCard(
        name="cvae" if conditional else "vae",
        title="Variational autoencoder of digits" if images else "Variational autoencoder of sensors",
        summary="",
        formulas=("z ~ normal(0, 1)", "x ~ bernoulli(decoder(z))"),
        program="def model(x):\n    ...\n",
        language="python",
        quantities=(Quantity("elbo", "nats", "Bound of a held-out row's log density."), Quantity("kl_code", "nats")),
        priors=(Prior("z", "normal", (0.0, 1.0)),),
        autoencoder=own,
    )


def _provenance(world: _World) -> Provenance:
    card = _card(world)
    file = "sensors.csv" if world.options["table"] else "digits"
    return Provenance(
        model=card.name,
        engine="amortised",
        kind="point",
        config={"epochs": 200, "batch_size": 128, "beta": 1.0, "kl_warmup": 10, "free_bits": 0.0, "patience": 20},
        seed=1,
        data=Source(file, "ab" * 32, "1,797 images of 8 x 8 pixels", (), {}),
        card=card,
        versions={"bayeskit": "0.1.0"},
        hardware={"cores": "2"},
        timings={"sampling": 12.5, "wall": 14.0},
        command=f"bayeskit fit {card.name} {file} --latent {world.latent}",
        script="",
        started="2026-11-20T13:30:00+00:00",
    )


def assessed(fit: Fit) -> tuple[Fit, Assessment]:
    """Return the fit with its assessment."""
    return fit, assess_autoencoder(fit, ASSESS["point"](fit))
