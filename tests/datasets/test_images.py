"""Images as folders, archives, MNIST's layout and arrays have them."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from bayeskit.datasets import _images_types as types
from bayeskit.datasets.examples import examples, load_examples

RNG = np.random.default_rng(1)
GREY = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
LABELS = np.array([*"aabbab"])


def idx(array):
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


def folder(path, images, names=None, **options):
    """Put images into files."""
    for at, image in enumerate(images):
        file = path / (names[at] if names else f"{at}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, **options)
    return path


def test_digits_are_those_of_scikit_learn():
    read, theirs = load_examples("digits", condition="label"), load_digits()
    np.testing.assert_array_equal(read.values * 16, theirs.images)
    np.testing.assert_array_equal(read.labels, theirs.target.astype(str))
    np.testing.assert_array_equal(read.conditions[0].values, theirs.target)
    assert read.conditions[0].classes == tuple("0123456789")
    assert (read.levels, read.shape, read.is_images, read.columns, read.held_out) == (17, (8, 8), True, (), None)
    assert read.values.dtype == np.float32
    assert read.source.path == "digits"
    assert read.source.description == "1,797 images of 8 × 8 pixels, 17 grey levels"
    assert read.source.variables == {
        "image": "8 × 8 pixels, 17 grey levels",
        "label": "10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
    }
    assert repr(read) == "Examples(1,797 images of 8 x 8, given label)"
    np.testing.assert_array_equal(read.rows[:2], [1, 2])


def test_a_folder(tmp_path):
    read = load_examples(folder(tmp_path, GREY))
    np.testing.assert_array_equal(read.values, (GREY / 255).astype(np.float32))
    assert list(read.rows) == [f"{at}.png" for at in range(6)]
    assert (read.labels, read.levels) == (None, 256)
    digest = read.source.sha256
    assert load_examples(tmp_path).source.sha256 == digest
    (tmp_path / "0.png").rename(tmp_path / "00.png")
    assert load_examples(tmp_path).source.sha256 != digest


def test_a_sub_folder_a_class(tmp_path):
    names = [f"{label}/{at}.png" for at, label in enumerate(LABELS)]
    folder(tmp_path, GREY, names)
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "a" / "Thumbs.db").write_text("")
    read = load_examples(tmp_path, condition="label")
    order = np.argsort(names)
    np.testing.assert_array_equal(read.values, (GREY[order] / 255).astype(np.float32))
    np.testing.assert_array_equal(read.labels, LABELS[order])
    np.testing.assert_array_equal(read.rows, np.array(names)[order])
    assert read.conditions[0].classes == ("a", "b")
    assert read.source.notes == ("2 files that are no images were left out.", "label is given as a class: a, b.")


def test_colour(tmp_path):
    read = load_examples(folder(tmp_path, COLOUR))
    np.testing.assert_array_equal(read.values, (COLOUR / 255).astype(np.float32))
    assert read.shape == (5, 4, 3)
    assert read.source.description == "6 images of 5 × 4 pixels, 256 levels a colour"


def test_grey_that_is_saved_as_colour_is_grey_unless_others_are_coloured(tmp_path):
    as_colour = np.repeat(GREY[..., np.newaxis], 3, axis=-1)
    read = load_examples(folder(tmp_path / "grey", as_colour))
    np.testing.assert_array_equal(read.values, (GREY / 255).astype(np.float32))
    read = load_examples(folder(tmp_path / "both", [as_colour[0], COLOUR[1]]))
    np.testing.assert_array_equal(read.values, (np.stack([as_colour[0], COLOUR[1]]) / 255).astype(np.float32))


def test_kinds_of_files(tmp_path):
    grey = [Image.fromarray(image) for image in GREY]
    names = ["a.bmp", "b.pgm", "c.tif", "d.PNG", "e.gif", "f.webp"]
    for name, image in zip(names, grey, strict=True):
        options = {"lossless": True} if name.endswith("webp") else {}
        image.save(tmp_path / name, format={"PNG": "png"}.get(name.partition(".")[2]), **options)
    np.testing.assert_array_equal(load_examples(tmp_path).values, (GREY / 255).astype(np.float32))


def test_a_jpeg_is_read_as_pillow_has_it(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    read = load_examples(folder(tmp_path, [smooth, smooth.T], ["a.jpg", "b.jpeg"], quality=95))
    assert np.abs(read.values * 255 - np.stack([smooth, smooth.T])).max() < 8


def test_transparent_pixels_are_laid_on_white(tmp_path):
    layered = np.zeros((5, 4, 4), dtype=np.uint8)
    layered[..., 3] = 255
    clear = layered.copy()
    clear[0, 0, 3] = 0
    read = load_examples(folder(tmp_path, [layered, clear]))
    assert read.shape == (5, 4)
    assert (read.values[1, 0, 0], read.values.sum()) == (1, 1)
    assert read.source.notes == ("1 image was transparent in places, and was laid on white.",)
    palette = Image.fromarray(GREY[0]).convert("P")
    read = load_examples(folder(tmp_path / "palette", [palette, palette], transparency=int(GREY[0, 0, 0])))
    assert read.values[0, 0, 0] == 1


def test_sixteen_bits(tmp_path):
    deep = RNG.integers(0, 65_536, (3, 5, 4), dtype=np.uint16)
    read = load_examples(folder(tmp_path, deep))
    np.testing.assert_array_equal(read.values, (deep / 65_535).astype(np.float32))
    assert read.levels == 65_536


def test_black_and_white(tmp_path):
    pattern = GREY > 127
    read = load_examples(folder(tmp_path, pattern))
    np.testing.assert_array_equal(read.values, pattern)
    assert read.levels == 2
    assert read.source.description.endswith("black or white")


def test_photographs_stand_upright(tmp_path):
    turned = Image.fromarray(GREY[0])
    exif = turned.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    turned.save(tmp_path / "a.png", exif=exif)
    read = load_examples(tmp_path)
    np.testing.assert_array_equal(read.values[0] * 255, np.rot90(GREY[0], -1))


@pytest.mark.parametrize("size", ["3x2", "3 × 2", (3, 2), [3, 2]])
def test_images_are_brought_to_a_size(tmp_path, size):
    images = [np.full((6, 4), 10, np.uint8), np.full((3, 2), 20, np.uint8), np.full((9, 9), 30, np.uint8)]
    read = load_examples(folder(tmp_path, images), size=size)
    np.testing.assert_allclose(read.values * 255, np.broadcast_to([[[10]], [[20]], [[30]]], (3, 3, 2)), rtol=1e-6)
    assert read.source.notes == ("2 images were brought to 3 × 2 pixels.",)
    assert load_examples(tmp_path, **read.options).source == read.source


def test_a_size_that_images_have_already_is_no_matter(tmp_path):
    assert load_examples("digits", size=8).shape == (8, 8)
    np.savez(tmp_path / "x.npz", x=GREY)
    assert load_examples(tmp_path / "x.npz", size="5x4").shape == (5, 4)


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y")])
def test_archives(tmp_path, names):
    path = tmp_path / "images.npz"
    np.savez_compressed(
        path, **dict(zip(names, (GREY, LABELS), strict=True)), angle=np.arange(6.0) ** 2, other=np.eye(2)
    )
    read = load_examples(path, condition="label,angle")
    np.testing.assert_array_equal(read.values, (GREY / 255).astype(np.float32))
    np.testing.assert_array_equal(read.labels, LABELS)
    assert [found.name for found in read.conditions] == ["label", "angle"]
    np.testing.assert_array_equal(read.conditions[1].values, np.arange(6.0) ** 2)
    np.testing.assert_array_equal(read.rows, np.arange(1, 7))


@pytest.mark.parametrize("packed", [False, True])
def test_the_layout_of_mnist(tmp_path, packed):
    sets = {"train": GREY[:4], "t10k": GREY[4:]}
    suffix = ".gz" if packed else ""
    for part, images in sets.items():
        labels = np.arange(len(images), dtype=np.uint8) % 2
        for name, content in ((f"{part}-images-idx3-ubyte", idx(images)), (f"{part}-labels-idx1-ubyte", idx(labels))):
            (tmp_path / f"{name}{suffix}").write_bytes(gzip.compress(content) if packed else content)
    read = load_examples(tmp_path, condition="label")
    np.testing.assert_array_equal(read.values, (GREY / 255).astype(np.float32))
    np.testing.assert_array_equal(read.held_out, [False] * 4 + [True] * 2)
    np.testing.assert_array_equal(read.labels, [*"0101", *"01"])
    assert read.source.description == "6 images of 5 × 4 pixels, 256 grey levels; 2 kept for testing"
    assert read.source.notes[0] == "The publisher keeps the last 2 images for testing; they are not trained on."
    assert load_examples(tmp_path, first=4).held_out is None
    np.testing.assert_array_equal(load_examples(tmp_path, first=5).held_out, [False] * 4 + [True])
    alone = load_examples(tmp_path / f"t10k-images-idx3-ubyte{suffix}")
    np.testing.assert_array_equal(alone.values, (GREY[4:] / 255).astype(np.float32))
    assert (list(alone.labels), alone.held_out) == (["0", "1"], None)
    (tmp_path / "renamed").write_bytes((tmp_path / f"train-images-idx3-ubyte{suffix}").read_bytes())
    assert load_examples(tmp_path / "renamed").labels is None


def test_the_source_does_not_matter_to_the_hash_of_an_image_file(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(GREY))
    plain = load_examples(tmp_path).source.sha256
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(GREY)))
    assert load_examples(tmp_path).source.sha256 == plain


@pytest.mark.parametrize(
    ("array", "levels", "expected"),
    [
        (GREY, 256, GREY / 255),
        (GREY.astype(np.int64), 256, GREY / 255),
        (GREY / 255, 256, GREY / 255),
        ((GREY / 255).astype(np.float32), 256, GREY / 255),
        (GREY > 99, 2, GREY > 99),
        ((GREY > 99).astype(int), 2, GREY > 99),
        ((GREY > 99).astype(float), 2, GREY > 99),
        (GREY / 300, 0, GREY / 300),
        (GREY.astype(np.uint16) * 256, 65_536, GREY.astype(float) * 256 / 65_535),
        (GREY.astype(np.uint16), 256, GREY / 255),
        (COLOUR, 256, COLOUR / 255),
        (GREY[..., np.newaxis], 256, GREY / 255),
    ],
    ids=lambda value: f"{value.dtype}-{value.max():g}" if isinstance(value, np.ndarray) else str(value),
)
def test_arrays_of_any_numbers(array, levels, expected):
    read = examples(array)
    np.testing.assert_allclose(read.values, expected, rtol=1e-6)
    assert read.levels == levels
    if levels:
        steps = read.values * np.float32(levels - 1)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-2)


def test_arrays_with_what_is_given():
    read = examples(GREY, labels=LABELS, conditions={"turn": np.arange(6) ** 2}, held_out=np.arange(6) > 3)
    assert [found.name for found in read.conditions] == ["turn"]
    np.testing.assert_array_equal(read.labels, LABELS)
    np.testing.assert_array_equal(read.held_out, np.arange(6) > 3)
    assert examples(GREY, labels=LABELS, conditions="label").conditions[0].classes == ("a", "b")
    assert read.take([4]).held_out[0]
    told = "Examples made in a script: 6 images of 5 × 4 pixels, 256 grey levels; 2 kept for testing"
    assert read.source.description == told


def test_static_binarisation_draws_once_with_a_chance_that_is_the_grey():
    read, grey = load_examples("digits", binarise="static"), load_examples("digits")
    assert (read.levels, read.binarise) == (2, "static")
    assert set(np.unique(read.values)) == {0.0, 1.0}
    np.testing.assert_array_equal(read.values, load_examples("digits", binarise="static").values)
    rest = (read.values - grey.values).sum()
    spread = np.sqrt((grey.values * (1 - grey.values)).sum())
    assert abs(rest) < 5 * spread
    assert abs((read.values - grey.values**1.1).sum()) > 5 * spread  # another chance is told apart
    certain = np.isin(grey.values, (0, 1))
    np.testing.assert_array_equal(read.values[certain], grey.values[certain])
    assert read.source.notes == ("Each pixel was made black or white, once, and white with a chance that is its grey.",)


@given(first=st.integers(1, 6), block=st.integers(1, 50))
def test_the_draws_of_an_image_do_not_depend_on_those_that_follow(first, block):
    whole = examples(GREY, binarise="static").values
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(types, "_BLOCK", block)
        np.testing.assert_array_equal(examples(GREY[:first], binarise="static").values, whole[:first])


def test_black_and_white_images_stay_as_they_are():
    pattern = GREY > 127
    np.testing.assert_array_equal(examples(pattern, binarise="static").values, pattern)


def test_dynamic_binarisation_is_left_to_the_training():
    read, grey = load_examples("digits", binarise="dynamic"), load_examples("digits")
    np.testing.assert_array_equal(read.values, grey.values)
    assert (read.levels, read.binarise) == (17, "dynamic")
    assert read.source.notes[0].startswith("Each step of training draws pixels black or white anew")


@pytest.mark.slow
def test_seventy_thousand_images_are_read_within_a_second(tmp_path):
    import time

    for part, n in (("train", 60_000), ("t10k", 10_000)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(np.full((n, 28, 28), 200, np.uint8)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(n, dtype=np.uint8) % 10))
    start = time.process_time()
    read = load_examples(tmp_path, condition="label")
    assert time.process_time() - start < 1
    assert read.n_rows == 70_000
