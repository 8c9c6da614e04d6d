"""Images that the decoder makes: all over the plane of two codes, on the way from one image to another, at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeskit.core.language import mark, say
from bayeskit.core.words import joined, number, percent, significant
from bayeskit.reporting import figures as f
from bayeskit.reporting.autoencoder_numbers import rmse
from bayeskit.reporting.autoencoder_reading import code_name
from bayeskit.reporting.autoencoder_sheets import MOST, Sheet, picture, sheet_of, ticks
from bayeskit.reporting.autoencoder_view import Autoencoder, Manifold

Floats = NDArray[np.float64]

ACROSS = 10  # generated images side by side
ALIKE = 0.02  # of grey: what nobody would see
MORE = 1.2  # times as much change, to be told
MAX_PAIRS = 4  # ways from one image to another
TOLD = 5  # values along an axis


def manifold_figure(found: Autoencoder) -> f.Figure | None:
    """Draw what the decoder makes of quantiles of two codes; None where it was not kept."""
    manifold = found.manifold
    if manifold is None:
        return None
    names = [code_name(code) for code in manifold.codes]
    sheets = [sheet_of([images], 2 * MOST // len(manifold.decoded)) for images in manifold.decoded]
    planes = tuple(_plane(manifold, *pair) for pair in zip(sheets, manifold.classes, strict=True))
    given = next((one.name for one in found.card.conditions if one.classes), "")
    others = found.n_codes - len(set(manifold.codes))
    return f.Figure(
        name="manifold",
        title=_manifold_title(manifold, names),
        caption=joined(
            [
                say(
                    "How to read: each image is what the decoder makes of one pair of codes, {first} from left to "
                    "right, {second} from bottom to top. Values are quantiles of the prior, so that each image stands "
                    "for as many as any other. Images that look like none of the data mark holes: codes that no row "
                    "has.",
                    first=names[0],
                    second=names[1],
                ),
                say("The other {n} codes are 0.", n=others) if others > 1 else "",
                say("The other code is 0.") if others == 1 else "",
                say("The slider goes from one {name} to the next; arrow keys move it.", name=given)
                if len(planes) > 1
                else "",
            ]
        ),
        panels=(_turning(planes, given),) if len(planes) > 1 else planes,
        printed=planes if len(planes) > 1 else None,
        note=sheets[0].note,
    )


def interpolation_figure(found: Autoencoder) -> f.Figure | None:
    """Draw ways from one row's code to another's, straight and around 0; None where they were not kept."""
    ways = found.interpolation
    if ways is None:
        return None
    shown = min(MAX_PAIRS, len(ways.linear))
    blocks = [np.stack([ways.linear[pair], ways.spherical[pair]]) for pair in range(shown)]
    sheet = sheet_of(blocks)
    told = [say("straight"), say("around 0")] * shown
    apart = rmse(ways.linear, ways.spherical)
    same = apart <= ALIKE
    template = mark("From one image to another: the straight way and the one around 0 differ by {apart} of grey")
    if same:
        template = mark("From one image to another: the straight way and the one around 0 look the same")
    places = sheet.columns[:: max(1, (len(sheet.columns) - 1) // 2)]
    shares = [percent(share) for share in np.linspace(0, 1, len(places))]
    alt = say(
        "{n} pairs of images with {steps} images on the way, straight and around 0.", n=shown, steps=len(sheet.columns)
    )
    return f.Figure(
        name="interpolation",
        title=say(template, apart=significant(apart, 2)),
        caption=say(
            "How to read: each pair of rows leads from one image (left) to another (right). The upper row goes "
            "straight from code to code, through the middle where few codes are; the lower one keeps to the distance "
            "from 0 that codes have (spherical). Where images on the way look like the data, the codes between have a "
            "meaning, too."
        ),
        panels=(picture(sheet, alt, yaxis=ticks(sheet.rows, told), xaxis=ticks(places, shares, say("of the way"))),),
        note=sheet.note,
    )


def generated_figure(found: Autoencoder) -> f.Figure | None:
    """Draw images of codes from the prior, as the decoder expects and as it draws; None where there are none."""
    made = found.generated
    if made is None:
        return None
    kinds = [(say("What the decoder expects"), made.mean)]
    if made.drawn is not None:
        kinds.append((say("Drawn pixel by pixel"), made.drawn))
    panels, note = [], ""
    for label, images in kinds:
        n = len(images) // ACROSS * ACROSS or len(images)
        grid = images[:n].reshape(-1, min(ACROSS, n), *images.shape[1:])
        alt = say("{label}: {n} images, of codes drawn from the prior.", label=label, n=n)
        sheet = sheet_of([grid])
        panels.append(picture(sheet, alt, label=label))
        note = sheet.note
    return f.Figure(
        name="generated",
        title=_generated_title(found),
        caption=joined(
            [
                say(
                    "How to read: images of codes that were drawn from the prior, none of them chosen. Compare them "
                    "with the originals above: shapes that are none of these come from codes between those of the "
                    "data."
                ),
                say("On the right each pixel is drawn by itself around what is expected, which gives grain.")
                if made.drawn is not None
                else "",
            ]
        ),
        panels=tuple(panels),
        note=note,
    )


def class_figure(found: Autoencoder) -> f.Figure | None:
    """Draw images by the class that was asked for; None where none is given."""
    made = found.by_class
    if made is None:
        return None
    sheet = sheet_of([made.mean])
    alt = say("Images of {n} classes, a row each: {names}.", n=len(made.classes), names=", ".join(made.classes))
    within, between = rmse(made.mean, made.mean.mean(1, keepdims=True)), float(np.sqrt(made.mean.mean(1).var(0).mean()))
    name = next((one.name for one in found.card.conditions if one.classes), say("class"))
    return f.Figure(
        name="by-class",
        title=say(
            "Asked for a {name}, the decoder varies images by {within} of grey within it and {between} between",
            name=name,
            within=significant(within, 2),
            between=significant(between, 2),
        ),
        caption=say(
            "How to read: a row has images of one {name}, a column those of one code, drawn from the prior. Where "
            "codes hold only what {name} leaves open, columns go together in style.",
            name=name,
        ),
        panels=(picture(sheet, alt, yaxis=ticks(sheet.rows, made.classes)),),
        note=sheet.note,
    )


def completion_figure(found: Autoencoder) -> f.Figure | None:
    """Draw images of which a part was given, and several ways to complete them; None where that is not the task."""
    done = found.completion
    if done is None:
        return None
    ways = np.moveaxis(done.made, 1, 0)
    sheet = sheet_of([np.concatenate([done.given[None], ways, done.original[None]])])
    told = [say("given"), *(say("completed") for _ in ways), say("original")]
    hidden = ~np.isfinite(done.given)
    apart = np.sqrt(np.mean(((ways - ways.mean(0))[:, hidden]) ** 2) * len(ways) / max(1, len(ways) - 1))
    off = np.sqrt(np.mean((ways - done.original)[:, hidden] ** 2))
    alt = say("{n} images: what was given, {m} completions, the original.", n=len(done.made), m=len(ways))
    return f.Figure(
        name="completions",
        title=say(
            "Completed from {n} of 4 quadrants: where the image was hidden, ways to complete it differ by {apart} of "
            "grey, and from the original by {off}",
            n=found.card.quadrants,
            apart=number(float(apart), 2),
            off=number(float(off), 2),
        ),
        caption=say(
            "How to read: each column is an image. At the top what was given, the rest empty; below several ways in "
            "which the decoder completes it, each from other codes; at the bottom the original, which it did not see. "
            "Ways that differ show how much the given part leaves open."
        ),
        panels=(picture(sheet, alt, yaxis=ticks(sheet.rows, told)),),
        note=sheet.note,
    )


def _manifold_title(manifold: Manifold, names: list[str]) -> str:
    """Say which of the two codes changes images the more."""
    across, up = (np.mean(np.diff(manifold.decoded, axis=axis) ** 2) for axis in (2, 1))
    told = {"first": names[0], "second": names[1], "most": names[0] if across > up else names[1]}
    if max(across, up) > MORE**2 * min(across, up):
        return say("What {first} and {second} stand for: {most} changes images the more", **told)
    return say("What {first} and {second} stand for, each from low to high", **told)


def _plane(manifold: Manifold, sheet: Sheet, name: str) -> f.Panel:
    values = [number(float(value), 1) for value in manifold.at]
    some = np.unique(np.linspace(0, len(values) - 1, TOLD).round().astype(int)).tolist()
    up = values[::-1]
    first, second = (code_name(code) for code in manifold.codes)
    alt = say("Images at {n} quantiles of {first} and of {second}.", n=len(values), first=first, second=second)
    return picture(
        sheet,
        joined([say("{name}:", name=name), alt]) if name else alt,
        label=name,
        most=760,
        xaxis=ticks([sheet.columns[place] for place in some], [values[place] for place in some], first),
        yaxis=ticks([sheet.rows[place] for place in some], [up[place] for place in some], second),
    )


def _turning(planes: tuple[f.Panel, ...], what: str) -> f.Panel:
    """Return one panel whose slider goes from class to class."""
    told = tuple(say("{name}: {value}", name=what, value=panel.label) for panel in planes)
    frames = [[{"source": panel.data[0]["source"]}] for panel in planes]
    behaviour = {**planes[0].behaviour, "animation": {"traces": [0], "frames": frames, "labels": list(told)}}
    return replace(planes[0], behaviour=behaviour, frames=told, label=what)


def _generated_title(found: Autoencoder) -> str:
    made = found.generated
    assert made is not None
    if found.rebuilt is None:
        return say("Images that it generates")
    seen, drawn = float(found.rebuilt.original.mean()), float(made.mean.mean())
    rough = _edges(made.mean) / max(_edges(found.rebuilt.original), 1e-9)
    if rough < 0.8:
        return say(
            "Images that it generates are blurred: neighbouring pixels differ by {share} of what they do in the data",
            share=percent(rough),
        )
    return say(
        "Images that it generates are as sharp as the data: {drawn} of grey on average, {seen} in the data",
        drawn=number(drawn, 2),
        seen=number(seen, 2),
    )


def _edges(images: Floats) -> float:
    """Return how much neighbouring pixels differ."""
    return float(np.mean(np.abs(np.diff(images, axis=1))) + np.mean(np.abs(np.diff(images, axis=2))))
