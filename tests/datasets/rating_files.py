"""Ratings with a known structure, and files of them in every layout that is read."""

import numpy as np
import pandas as pd

AGES = np.array([1, 18, 25, 35, 45, 50, 56])
OCCUPATIONS = ("other", "academic/educator", "artist", "lawyer", "writer")
CODES = {"other": 0, "academic/educator": 1, "artist": 2, "lawyer": 11, "writer": 20}
GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def synthetic_ratings(
    n_users, n_items, n_ratings, rank, seed, *, levels=(1, 2, 3, 4, 5), noise=0.8, spread=0.6, tail=1.0, truth=False
):
    """Ratings of low rank: mean + bias of user + bias of item + product of factors + noise, rounded to the levels.

    Parameters
    ----------
    n_users, n_items, n_ratings, rank
        Sizes; each pair is rated once at most, and each user and each item at least once if there are enough ratings.
    seed
        Of all that is random.
    levels
        Steps of the scale, ascending; None leaves the ratings as they are.
    noise
        Standard deviation of what the structure does not explain.
    spread
        Standard deviation of the product of factors over users and items.
    tail
        Popularity falls as rank to the power of minus this, and so does, half as steep, the activity of users.
    truth
        Whether to return the structure as well: means before noise and rounding, ``n_ratings``, and the factors.

    Returns
    -------
    DataFrame
        ``user`` and ``item`` (whole numbers from 1, in an order that says nothing of popularity), ``rating`` and
        ``timestamp`` (seconds since 1970, not sorted).
    """
    rng = np.random.default_rng(seed)
    assert max(n_users, n_items) <= n_ratings <= n_users * n_items
    popular = rng.permutation(np.arange(1, n_items + 1) ** -float(tail))
    active = rng.permutation(np.arange(1, n_users + 1) ** -float(tail / 2))
    keys = _pairs(rng, active / active.sum(), popular / popular.sum(), n_ratings)
    user, item = keys // n_items, keys % n_items
    scale = np.sqrt(spread) / rank**0.25
    factors = rng.normal(0, scale, (n_users, rank)), rng.normal(0, scale, (n_items, rank))
    centre = 3.5 if levels is None else float(np.quantile(levels, 0.6))
    mean = centre + rng.normal(0, 0.4, n_users)[user] + rng.normal(0, 0.4, n_items)[item]
    mean = mean + np.einsum("nk,nk->n", factors[0][user], factors[1][item])
    values = mean + rng.normal(0, noise, n_ratings)
    if levels is not None:
        steps = np.asarray(levels, dtype=float)
        values = steps[np.searchsorted((steps[1:] + steps[:-1]) / 2, values)]
    times = rng.integers(874_724_710, 893_286_638, n_ratings)
    frame = pd.DataFrame({"user": user + 1, "item": item + 1, "rating": values, "timestamp": times})
    return (frame, mean, *factors) if truth else frame


def _pairs(rng, users, items, n_ratings):
    """Different pairs, likelier for active users and popular items; all users and items among them."""
    n_users, n_items = len(users), len(items)
    longest = max(n_users, n_items)
    cover = np.resize(rng.permutation(n_users), longest) * n_items + np.resize(rng.permutation(n_items), longest)
    found = pd.unique(cover)
    while len(found) < n_ratings:
        size = 2 * (n_ratings - len(found)) + 16
        if n_ratings > 0.5 * n_users * n_items:  # drawing with replacement would take for ever
            rest = np.setdiff1d(np.arange(n_users * n_items), found)
            chances = users[rest // n_items] * items[rest % n_items]
            more = rng.choice(rest, n_ratings - len(found), replace=False, p=chances / chances.sum())
        else:
            more = rng.choice(n_users, size, p=users) * n_items + rng.choice(n_items, size, p=items)
        found = pd.unique(np.concatenate([found, more]))
    return rng.permutation(found[:n_ratings])


def synthetic_users(frame, seed):
    """A table of the users of a frame: user, age, gender, occupation, zip."""
    rng = np.random.default_rng(seed)
    ids = np.sort(frame["user"].unique())
    return pd.DataFrame(
        {
            "user": ids,
            "age": rng.choice(AGES, len(ids)),
            "gender": rng.choice(["F", "M"], len(ids)),
            "occupation": rng.choice(OCCUPATIONS, len(ids)),
            "zip": [f"{code:05d}" for code in rng.integers(0, 99_999, len(ids))],
        }
    )


def synthetic_items(frame, seed):
    """A table of the items of a frame: item, title, year, genres; one title has an accent, one no genres."""
    rng = np.random.default_rng(seed)
    ids = np.sort(frame["item"].unique())
    chosen = [sorted(rng.choice(GENRES, rng.integers(1, 4), replace=False)) for _ in ids]
    genres = ["|".join(names) for names in chosen]
    titles = [f"Film {number}, The" for number in ids]
    titles[0], genres[-1] = "Misérables, Les", ""
    years = rng.integers(1930, 1999, len(ids))
    return pd.DataFrame({"item": ids, "title": titles, "year": years, "genres": genres})


def write_u_data(frame, folder, users=None, items=None):
    """MovieLens 100K: ``u.data``, ``u.user`` and ``u.item``, without headers, the last in Latin-1."""
    frame = frame.assign(rating=frame["rating"].map("{:g}".format))
    frame.to_csv(folder / "u.data", sep="\t", header=False, index=False)
    if users is not None:
        users[["user", "age", "gender", "occupation", "zip"]].to_csv(
            folder / "u.user", sep="|", header=False, index=False
        )
    if items is not None:
        lines = []
        for row in items.itertuples():
            flags = "|".join("1" if name in row.genres.split("|") else "0" for name in GENRES)
            unknown = "0" if row.genres else "1"
            address = f"http://example.org/{row.item}"
            lines.append(f"{row.item}|{row.title} ({row.year})|01-Jan-{row.year}||{address}|{unknown}|{flags}\n")
        (folder / "u.item").write_bytes("".join(lines).encode("latin-1"))
    return folder / "u.data"


def write_ratings_dat(frame, folder, users=None, items=None):
    """MovieLens 1M: ``ratings.dat``, ``users.dat`` and ``movies.dat``, without headers, in Latin-1."""

    def write(name, rows):
        (folder / name).write_bytes("".join("::".join(map(str, row)) + "\n" for row in rows).encode("latin-1"))

    rows = frame[["user", "item", "rating", "timestamp"]].itertuples(index=False)
    write("ratings.dat", ((row[0], row[1], f"{row[2]:g}", row[3]) for row in rows))
    if users is not None:
        rows = users[["user", "gender", "age", "occupation", "zip"]].itertuples(index=False)
        write("users.dat", ((*row[:3], CODES[row[3]], row[4]) for row in rows))
    if items is not None:
        write("movies.dat", ((r.item, f"{r.title} ({r.year})", r.genres) for r in items.itertuples()))
    return folder / "ratings.dat"


def write_latest(frame, folder, items=None):
    """MovieLens's later sets: ``ratings.csv`` and ``movies.csv``, with headers."""
    renamed = frame.rename(columns={"user": "userId", "item": "movieId"})
    renamed.to_csv(folder / "ratings.csv", index=False)
    if items is not None:
        titles = [f"{row.title} ({row.year})" for row in items.itertuples()]
        genres = items["genres"].replace("", "(no genres listed)")
        movies = pd.DataFrame({"movieId": items["item"], "title": titles, "genres": genres})
        movies.to_csv(folder / "movies.csv", index=False)
    return folder / "ratings.csv"


def write_canonical(frame, folder, users=None, items=None):
    """Our own layout, in which data sets lie in the cache: ``ratings.csv``, ``users.csv`` and ``items.csv``."""
    for name, table in (("ratings", frame), ("users", users), ("items", items)):
        if table is not None:
            table.to_csv(folder / f"{name}.csv", index=False)
    return folder / "ratings.csv"


def write_parquet(frame, folder, users=None, items=None):
    """The same as Parquet."""
    for name, table in (("ratings", frame), ("users", users), ("items", items)):
        if table is not None:
            table.to_parquet(folder / f"{name}.parquet", index=False)
    return folder / "ratings.parquet"


def write_split(frame, folder, name, test):
    """``NAME.base`` and ``NAME.test`` of MovieLens 100K, each sorted by user and item as there."""
    for suffix, rows in (("base", frame[~test]), ("test", frame[test])):
        rows = rows.sort_values(["user", "item"]).assign(rating=rows["rating"].map("{:g}".format))
        rows.to_csv(folder / f"{name}.{suffix}", sep="\t", header=False, index=False)
