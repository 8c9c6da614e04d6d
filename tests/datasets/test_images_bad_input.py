"""Every image that cannot be learned from gives one line that names the file and the remedy."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bayeskit.core.errors import ConfigError, DataError
from bayeskit.datasets import _images_types as types
from bayeskit.datasets.examples import examples, load_examples

GREY = (np.arange(6 * 20).reshape(6, 5, 4) * 2).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY], axis=-1)


def complaint(path, error=DataError, **options):
    with pytest.raises(error) as caught:
        load_examples(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    assert "; " in message
    assert len(message) < 600
    return message.removeprefix(str(path)).removeprefix(": ").removeprefix(", ")


def png(image, **options):
    sink = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(sink, "png", **options)
    return sink.getvalue()


def put(folder, **files):
    """Put files into a folder: ``a_b='...'`` is a/b.png."""
    for name, content in files.items():
        path = folder / (name.replace("_", "/") + ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else png(content))
    return folder


def idx(array, magic=b"\0\0\x08"):
    return magic + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


def test_images_of_mixed_sizes(tmp_path):
    put(tmp_path, a=GREY[0], b=GREY[1], c=GREY[2], d=np.zeros((3, 4), np.uint8), e=np.zeros((9, 7), np.uint8))
    assert complaint(tmp_path) == (
        "3 of 5 images have 5 x 4 pixels, but not d.png of 3 x 4 and e.png of 9 x 7; "
        "bring all to one height and width (--size 5x4), or leave these out"
    )
    assert load_examples(tmp_path, size="5x4").n_rows == 5


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(png(np.random.default_rng(1).integers(0, 255, (40, 40), dtype=np.uint8))[:-700], id="truncated"),
        pytest.param(b"<html>moved</html>", id="html"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="signature"),
        pytest.param(png(GREY[0]).replace(b"IDAT", b"XDAT"), id="no pixels"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, content):
    told = complaint(put(tmp_path, a=GREY[0], broken=content))
    assert told.startswith("broken.png cannot be read (")
    assert told.endswith("); save it again, or leave it out")


def test_colour_beside_grey(tmp_path):
    put(tmp_path, a_x=COLOUR[0], a_y=GREY[0], b_z=COLOUR[1])
    assert complaint(tmp_path) == (
        "1 image (a/y.png) has only grey, the others colour; save all in colour, or all in grey"
    )


def test_sixteen_bits_beside_eight(tmp_path):
    put(tmp_path, a=GREY[0], b=GREY[1].astype(np.uint16) * 99, c=GREY[2].astype(np.uint16) * 99)
    told = "2 images (b.png and c.png) have 16 bits a pixel, the others 8; save all with 8 bits, or all with 16"
    assert complaint(tmp_path) == told


def test_sixteen_bits_of_colour(tmp_path):
    deep = png(COLOUR[0])
    deep = deep[:24] + b"\x10" + deep[25:]
    assert complaint(put(tmp_path, a=deep)) == "a.png has 16 bits a colour; save it with 8; only grey is taken with 16"


def test_fractions(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    assert complaint(tmp_path) == "a.tif cannot be read (its pixels are fractions); save it again, or leave it out"
    Image.fromarray(np.full((4, 4), 1 << 20, np.int32)).save(tmp_path / "a.tif")
    assert complaint(tmp_path) == "a.tif has 32 bits a pixel; save it with 8 or 16"


def test_several_images_in_a_file(tmp_path):
    one, *others = (Image.fromarray(image) for image in GREY)
    one.save(tmp_path / "a.gif", save_all=True, append_images=others)
    assert complaint(tmp_path) == "a.gif holds 6 images; save each in a file of its own"


def test_an_image_that_says_it_is_enormous(tmp_path):
    huge = bytearray(png(GREY[0]))
    huge[16:24] = struct.pack(">II", 60_000, 60_000)
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    assert complaint(put(tmp_path, a=bytes(huge))) == (
        "a.png has more pixels than are taken; shrink it, or leave it out"
    )


def test_too_many_pixels_together(tmp_path, monkeypatch):
    monkeypatch.setattr(types, "MOST_VALUES", 50)
    assert complaint(put(tmp_path, a=GREY[0], b=GREY[1], c=GREY[2])) == (
        "3 x 5 x 4 values are more than are taken; shrink them (--size, of a folder of images), or take fewer (--first)"
    )


def test_folders_without_images(tmp_path):
    assert complaint(tmp_path) == "a folder without images; name one with PNG or JPEG files"
    (tmp_path / "process.csv").write_text("a,b\n1,2\n")
    assert complaint(tmp_path).endswith("name one with PNG or JPEG files, or a file in it such as 'process.csv'")
    put(tmp_path, train_cat_a=GREY[0], train_dog_b=GREY[1])
    assert complaint(tmp_path) == f"images lie two folders deep (train/cat); name '{tmp_path / 'train'}' or the like"


def test_images_in_a_folder_and_below(tmp_path):
    assert complaint(put(tmp_path, a=GREY[0], cat_b=GREY[1])) == (
        "images lie both in it (a.png) and in its sub-folders (cat/b.png); "
        "put each into a sub-folder, one a class, or all into one folder"
    )


def test_a_single_image_file(tmp_path):
    path = put(tmp_path, a=GREY[0]) / "a.png"
    assert complaint(path) == f"a single image; name the folder that it lies in, '{tmp_path}'"


def test_conditions_of_images(tmp_path):
    put(tmp_path, a=GREY[0], b=GREY[1])
    assert complaint(tmp_path, condition="label") == (
        "there is no condition 'label': these images have no labels; "
        "put them into one sub-folder a class, or save labels beside them (.npz)"
    )
    with pytest.raises(DataError, match="there is no condition 'lable', only 'label'; did you mean 'label'"):
        load_examples("digits", condition="lable")
    with pytest.raises(DataError, match="given twice"):
        load_examples("digits", condition="label,label")
    (tmp_path / "x").mkdir()
    put(tmp_path / "x", cat_a=GREY[0], cat_b=GREY[1], dog_c=GREY[2])
    assert complaint(tmp_path / "x", condition="label").startswith(
        "column 'label': classes of a single row: 'dog' (row dog/c.png); drop or join them"
    )


@pytest.mark.parametrize("size", ["big", "0", "1x5", "5000", "3x4x5", (3, 4, 5), 0, (2.5, 3), True, ""])
def test_sizes_that_are_none(tmp_path, size):
    put(tmp_path, a=GREY[0], b=GREY[1])
    with pytest.raises(ConfigError, match="write 28 or 28x20, height and width from 2 to 4096"):
        load_examples(tmp_path, size=size)


def test_options_of_other_data():
    with pytest.raises(ConfigError, match="digits: columns is not for images"):
        load_examples("digits", columns="a")
    with pytest.raises(ConfigError, match="digits: label is not for images"):
        load_examples("digits", label="label")
    with pytest.raises(ConfigError, match="digits: images have 8 x 8 pixels, and only files in a folder are brought"):
        load_examples("digits", size=16)
    with pytest.raises(ConfigError, match="binarise is 'maybe'"):
        load_examples("digits", binarise="maybe")
    with pytest.raises(DataError, match=r"1,798 rows were asked for, there are 1,797; take fewer"):
        load_examples("digits", first=1798)


ARRAYS = {
    "no images": ({"pixels": GREY}, "no array 'images' or 'x', only 'pixels'; save it so: numpy.savez(file, images=…"),
    "flat": (
        {"x": GREY.reshape(6, 20)},
        "an array of shape (6 x 20); give images as n x height x width (grey) or n x height x width x 3 (colour)",
    ),
    "channels first": (
        {"x": COLOUR.transpose(0, 3, 1, 2)},
        "an array of shape (6 x 3 x 5 x 4), where the last size should be 1 or 3 channels; "
        "move the channels to the end: array.transpose(0, 2, 3, 1)",
    ),
    "alpha": (
        {"x": np.concatenate([COLOUR, COLOUR[..., :1]], axis=-1)},
        "an array of shape (6 x 5 x 4 x 4), where the last size should be 1 or 3 channels; keep 1 or 3 of them",
    ),
    "a line": ({"x": GREY[:, :1]}, "images of 1 x 4 pixels; at least 2 x 2 are needed"),
    "none": ({"x": GREY[:0]}, "there are no images; give some"),
    "NaN": (
        {"x": np.where(GREY == 42, np.nan, GREY / 255)},
        "values that are missing or infinite (image 2); fill or drop them",
    ),
    "fractions above 1": (
        {"x": GREY.astype(float)},
        "values from 0 to 238, where fractions should lie between 0 and 1; "
        "divide by the greatest there can be, e.g. 255, or save whole numbers",
    ),
    "below 0": ({"x": GREY.astype(int) - 1}, "values from -1 to 237, where grey goes from 0 to 255; scale them"),
    "above 255": ({"x": GREY.astype(int) * 2}, "values from 0 to 476, where grey goes from 0 to 255; scale them"),
    "text": ({"x": GREY.astype(str)}, "images of <U3, not of numbers; save them as numbers from 0 to 255"),
    "labels": (
        {"x": GREY, "y": np.arange(5)},
        "6 images, but labels of shape (5); give one label an image",
    ),
    "objects": (
        {"x": GREY.astype(object)},
        "it holds Python objects, which would have to be unpickled, and that can run any code; "
        "save arrays of numbers or of text (array.astype(str))",
    ),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_archives(tmp_path, case):
    arrays, expected = ARRAYS[case]
    path = tmp_path / "images.npz"
    np.savez(path, **arrays)
    assert complaint(path).startswith(expected)


def test_nothing_is_unpickled(tmp_path):
    """The negative control is what NumPy does where it may."""

    class Mark:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    path = tmp_path / "images.npz"
    np.savez(path, images=np.array([Mark(), Mark()], dtype=object))
    complaint(path)
    assert not (tmp_path / "executed").exists()
    for file in np.load(path, allow_pickle=True)["images"]:
        file.close()
    assert (tmp_path / "executed").exists()


def test_damaged_archives(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, images=GREY)
    content = path.read_bytes()
    for damaged in (content[:-30], content[:100], b"PK\x03\x04", content.replace(b"NUMPY", b"NOMPY")):
        path.write_bytes(damaged)
        assert complaint(path).startswith("not an .npz file that can be read (")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"not an array")
    assert complaint(path).startswith("no array 'images' or 'x', only none")
    np.save(tmp_path / "images.npy", GREY)
    assert complaint(tmp_path / "images.npy").startswith("a single NumPy array; save it as .npz")


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
LAYOUT = {
    "truncated": ({IMAGES: idx(GREY)[:-7]}, f"{IMAGES} should hold 6 x 5 x 4 bytes, and holds only 113; "),
    "too long": ({IMAGES: idx(GREY) + b"x"}, f"{IMAGES} should hold 6 x 5 x 4 bytes, and holds more; "),
    "truncated header": ({IMAGES: idx(GREY)[:9]}, f"{IMAGES} ends within its header; "),
    "empty": ({IMAGES: b""}, f"{IMAGES} begins with , not as a file in IDX layout does; "),
    "wrong magic": (
        {IMAGES: b"\x89PNG" + idx(GREY)},
        f"{IMAGES} begins with 89 50 4e 47, not as a file in IDX layout does; fetch or save it again",
    ),
    "other numbers": (
        {IMAGES: idx(GREY, b"\0\0\x0d")},
        f"{IMAGES} holds numbers of type 0x0d; save unsigned bytes (type 0x08)",
    ),
    "labels for images": (
        {IMAGES: idx(GREY[0, 0])},
        f"{IMAGES} holds labels; name a file of images",
    ),
    "fewer labels": (
        {IMAGES: idx(GREY), LABELS: idx(GREY[0, 0])},
        f"{IMAGES} holds 6 images, and {LABELS} 4 labels; fetch or save both again",
    ),
    "labels of one part only": (
        {IMAGES: idx(GREY), LABELS: idx(np.arange(6, dtype=np.uint8)), "t10k-images-idx3-ubyte": idx(GREY)},
        f"only one of two files of images has labels ({LABELS}); put the others beside it",
    ),
    "two sizes": (
        {IMAGES: idx(GREY), "t10k-images-idx3-ubyte": idx(GREY[:, 1:])},
        f"{IMAGES} and t10k-images-idx3-ubyte hold images of 5 x 4 and 4 x 4 pixels; give one size",
    ),
    "two sets": (
        {IMAGES: idx(GREY), "more-images-idx3-ubyte": idx(GREY)},
        f"2 files of images ('more-images-idx3-ubyte', '{IMAGES}'); name the one to read",
    ),
    "enormous": (
        {IMAGES: b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**10, 2**10)},
        "2,147,483,648 x 1,024 x 1,024 values are more than are taken; ",
    ),
    "damaged gzip": ({f"{IMAGES}.gz": gzip.compress(idx(GREY))[:-9]}, f"{IMAGES}.gz cannot be read ("),
}


@pytest.mark.parametrize("case", LAYOUT)
def test_the_layout_of_mnist(tmp_path, case):
    files, expected = LAYOUT[case]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert complaint(tmp_path).startswith(expected)


def test_labels_where_images_should_be(tmp_path):
    path = tmp_path / LABELS
    path.write_bytes(idx(np.arange(6, dtype=np.uint8)))
    assert complaint(path) == f"{LABELS} holds labels; name a file of images"


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        (np.zeros((2, 3, 4, 3, 1)), {}, "examples: an array of shape (2 x 3 x 4 x 3 x 1); give images as"),
        (GREY / 100.0, {}, "examples: values from 0 to 2.38, where fractions should lie between 0 and 1; "),
        (GREY, {"labels": [1, 2]}, "examples, column 'labels': shape (2) for 6 rows; give one value a row"),
        (GREY, {"conditions": {"t": 1}}, "examples, column 't': shape (a single value) for 6 rows; "),
        (GREY, {"conditions": "label"}, "examples: there is no condition 'label': these images have no labels; "),
        (GREY, {"held_out": np.ones(6, bool)}, "examples: held_out; give True for each row"),
    ],
)
def test_images_made_in_code(values, options, expected):
    with pytest.raises(DataError) as caught:
        examples(values, **options)
    assert str(caught.value).startswith(expected)
    assert len(str(caught.value).splitlines()) == 1


GOOD = {
    ".png": png(GREY[0]),
    ".npz": (lambda sink: (np.savez(sink, images=GREY), sink.getvalue())[1])(io.BytesIO()),
    "": idx(GREY),
    ".gz": gzip.compress(idx(GREY)),
}


@given(
    suffix=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 60),
)
def test_no_content_gives_anything_but_examples_or_a_data_error(tmp_path_factory, suffix, changes, cut):
    content = bytearray(GOOD[suffix])
    for at, value in changes:
        content[at % len(content)] = value
    content = bytes(content[: len(content) - cut])
    folder = tmp_path_factory.mktemp("anything")
    path = folder / f"train-images-idx3-ubyte{suffix}" if suffix in ("", ".gz") else folder / f"a{suffix}"
    path.write_bytes(content)
    error = None
    try:
        found = load_examples(folder if suffix == ".png" else path)
        assert 0 <= found.values.min() <= found.values.max() <= 1
    except DataError as caught:
        error = caught
    assert error is None or len(str(error).splitlines()) == 1
