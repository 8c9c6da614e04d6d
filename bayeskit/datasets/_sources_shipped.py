"""The data sets that ship with bayeskit, of which ``data/PROVENANCE.md`` says more, or with a package it needs."""

from __future__ import annotations

from bayeskit.datasets._sources_types import DataSet

SHIPPED = (
    DataSet(
        name="seattle-weather",
        title="daily weather of Seattle, 2012 to 2015",
        description="1461 consecutive days: temperature in °C, precipitation in mm. From the PyPI package "
        "vega_datasets 0.9.0, drawn from data of NOAA.",
        licence="public domain",
        terms="",
        files={"seattle-weather.csv": "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b"},
        size=47_838,
    ),
    DataSet(
        name="penguins",
        title="measurements of penguins of three species",
        description="344 adult penguins of the Palmer Archipelago, 2007 to 2009: bills and flippers in mm, body mass "
        "in g. From the PyPI package palmerpenguins 0.1.6; Gorman, Williams and Fraser (2014), "
        "https://doi.org/10.1371/journal.pone.0090081.",
        licence="CC0",
        terms="",
        files={"penguins.csv": "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93"},
        size=15_241,
    ),
    DataSet(
        name="galaxies",
        title="velocities of 82 galaxies",
        description="In km/s, of the Corona Borealis region: Postman, Huchra and Geller (1986), "
        "https://doi.org/10.1086/114257, as tabulated by Roeder (1990), "
        "https://doi.org/10.1080/01621459.1990.10474918.",
        licence="none needed: numbers that were measured",
        terms="",
        files={"galaxies.csv": "f07e4c914a5500235c57ee398898ffd8220ea440b00f965d6d39bd1f8c62925c"},
        size=496,
    ),
    DataSet(
        name="drosophila",
        title="connections between neurons of a larval fly",
        description="7425 directed connections between the 209 neurons of a left mushroom body, with their numbers of "
        "synapses. From the PyPI package graspologic 3.4.4; Eichler et al. (2017), "
        "https://doi.org/10.1038/nature23455. The types of the neurons are drosophila-nodes.",
        licence="MIT, that of the package",
        terms="",
        files={"drosophila-edges.csv": "67d341c32e87587669f7bd77ad4adc5ba69d97277f0722f1317ff58abd8ac632"},
        size=77_149,
    ),
    DataSet(
        name="drosophila-nodes",
        title="types of the neurons of drosophila",
        description="One of four types for each of the 209 neurons: a table of labels (--labels) for drosophila. From "
        "the PyPI package graspologic 3.4.4; Eichler et al. (2017), https://doi.org/10.1038/nature23455.",
        licence="MIT, that of the package",
        terms="",
        files={"drosophila-nodes.csv": "1002b9b58f57d0b0def65c60724ba12ebaee564eb2ea987a3a1d31ecbba2dc56"},
        size=3_887,
    ),
    DataSet(
        name="digits",
        title="1797 handwritten digits of 8 × 8 pixels",
        description="Images (bayeskit fit vae digits) in 17 grey levels, with the digit that each shows: the part for "
        "testing of UCI's optical recognition of handwritten digits, as scikit-learn ships it. Alpaydin and Kaynak "
        "(1998), https://doi.org/10.24432/C50P49.",
        licence="CC BY 4.0",
        terms="",
        files={"digits.csv.gz": "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"},
        size=57_523,
        beside=("scikit-learn", "sklearn", "datasets", "data"),
    ),
)
