"""The data sets that are fetched, with their terms and where they are to be had."""

from __future__ import annotations

from bayeskit.datasets._sources_mnist import MNIST
from bayeskit.datasets._sources_movielens import from_latest, from_publisher, from_recbole
from bayeskit.datasets._sources_types import Address, Archive, DataSet, Package

_CITATION = (
    "F. Maxwell Harper and Joseph A. Konstan (2015), The MovieLens Datasets: History and Context, ACM Transactions on "
    "Interactive Intelligent Systems 5(4), article 19, https://doi.org/10.1145/2827872."
)
# The words of the README files that come with the data.
_TERMS = """\
Neither the University of Minnesota nor any of the researchers involved can guarantee the correctness of the data, its \
suitability for any particular purpose, or the validity of results based on the use of the data set. The data set may \
be used for any research purposes under the following conditions:

* The user may not state or imply any endorsement from the University of Minnesota or the GroupLens Research Group.
* The user must acknowledge the use of the data set in publications resulting from the use of the data set (see below \
for citation information).
* {redistribution}
* The user may not use this information for any commercial or revenue-bearing purposes without first obtaining \
permission from a faculty member of the GroupLens Research Project at the University of Minnesota.{further}

To cite: {citation}"""
_NO_WARRANTY = """
* The executable software scripts are provided "as is" without warranty of any kind, either expressed or implied, \
including, but not limited to, the implied warranties of merchantability and fitness for a particular purpose. The \
entire risk as to the quality and performance of them is with you. Should the program prove defective, you assume the \
cost of all necessary servicing, repair or correction.

In no event shall the University of Minnesota, its affiliates or employees be liable to you for any damages arising \
out of the use or inability to use these programs (including but not limited to loss of data or data being rendered \
inaccurate)."""

FETCHED = (
    DataSet(
        name="movielens-100k",
        title="100,000 ratings of films, 1997 and 1998",
        description="100,000 ratings, 1 to 5, of 1682 films by 943 users, each of whom rated at least 20, with tables "
        f"of users and films. {_CITATION}",
        licence="research only, no redistribution",
        terms=_TERMS.format(
            redistribution="The user may not redistribute the data without separate permission.",
            further="",
            citation=_CITATION,
        ),
        files={
            "ratings.csv": "99a930993ab4ede918f884038aca70c11c9f9ab24ec223ee33cfcfb62e0598b8",
            "users.csv": None,
            "items.csv": None,
        },
        size=2_069_240,
        sources=(
            Address(
                url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
                archive=Archive(
                    filename="ml-100k.zip",
                    sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
                    members=("ml-100k/u.data", "ml-100k/u.user", "ml-100k/u.item"),
                    convert=from_publisher,
                ),
            ),
            Package(
                name="recbole",
                version="1.2.1",
                archive=Archive(
                    filename="recbole-1.2.1-py3-none-any.whl",
                    sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
                    members=tuple(
                        f"recbole/dataset_example/ml-100k/ml-100k.{table}" for table in ("inter", "user", "item")
                    ),
                    convert=from_recbole,
                ),
            ),
        ),
    ),
    DataSet(
        name="movielens-latest-small",
        title="100,004 ratings of films, 1995 to 2016",
        description="100,004 ratings, 0.5 to 5, of 9066 films by 671 users, each of whom rated at least 20, with a "
        "table of 9125 films: the state of October 2016. The publisher's own address serves later states, which are "
        f"other data, so it is no source of this one. {_CITATION}",
        licence="research only, redistribution under the same terms",
        terms=_TERMS.format(
            redistribution="The user may redistribute the data set, including transformations, so long as it is "
            "distributed under these same license conditions.",
            further=_NO_WARRANTY,
            citation=_CITATION,
        ),
        files={
            "ratings.csv": "94ddac61cb6b8023936ec581153ad1baa9fe6bdea9f65c4f0f7e83cfcc63f6ac",
            "items.csv": "5b38bd505e386dbf0c9a69cbfb5eeefc310842be3a8ee7c5accae8903ef59efd",
        },
        size=2_768_959,
        sources=(
            Package(
                name="lenskit",
                version="2026.4.0",
                backend="maturin",
                archive=Archive(
                    filename="lenskit-2026.4.0.tar.gz",
                    sha256="c54b1a26b73aaaaf9b3f896cb72d7977dbd8faec839e92d8d28a4095abb34d29",
                    members=tuple(
                        f"lenskit-2026.4.0/data/ml-latest-small/{table}" for table in ("ratings.csv", "movies.csv")
                    ),
                    convert=from_latest,
                ),
            ),
        ),
    ),
    MNIST,
)
