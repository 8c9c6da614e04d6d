"""Archives that are not what they should be."""

import io
import tarfile
import zipfile

import pytest
from datasets.publisher import tarred, zipped

from bayeskit.datasets._sources_archives import SourceError, check_sha256, read_members

WANTED = "set/ratings.csv"
CONTENT = b"user,item,rating\n1,2,3\n"


def kept(folder, content):
    path = folder / "archive"
    path.write_bytes(content)
    return path


def linked(kind, target):
    member = tarfile.TarInfo(WANTED)
    member.type, member.linkname = kind, target
    return member


def zip_link():
    member = zipfile.ZipInfo(WANTED)
    member.external_attr = 0o120777 << 16
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(member, "/etc/passwd")
    return sink.getvalue()


@pytest.mark.parametrize("make", [zipped, tarred])
def test_members_are_read_by_name_and_nothing_is_unpacked(make, tmp_path):
    evil = {"../evil.csv": b"1", "/evil.csv": b"2", "set/../../evil.csv": b"3", "set\\..\\evil.csv": b"4"}
    folder = tmp_path / "in"
    folder.mkdir()
    path = kept(folder, make({**evil, WANTED: CONTENT, f"../{WANTED}": b"5"}))
    assert read_members(path, [WANTED]) == {WANTED: CONTENT}
    assert sorted(tmp_path.rglob("*")) == [folder, path]


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_member_of_nearly_the_name_does_not_serve(make, tmp_path):
    path = kept(tmp_path, make({f"../{WANTED}": CONTENT, f"./{WANTED}": CONTENT, WANTED.upper(): CONTENT}))
    with pytest.raises(SourceError, match=f"has no file '{WANTED}'"):
        read_members(path, [WANTED])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(tarred({WANTED: linked(tarfile.SYMTYPE, "/etc/passwd")}), id="symbolic link"),
        pytest.param(tarred({"a": CONTENT, WANTED: linked(tarfile.LNKTYPE, "a")}), id="hard link"),
        pytest.param(tarred({WANTED: linked(tarfile.CHRTYPE, "")}), id="device"),
        pytest.param(tarred({WANTED: linked(tarfile.FIFOTYPE, "")}), id="pipe"),
        pytest.param(tarred({WANTED: linked(tarfile.DIRTYPE, "")}), id="folder"),
        pytest.param(zip_link(), id="link in a ZIP file"),
    ],
)
def test_links_devices_and_folders_are_refused(content, tmp_path):
    with pytest.raises(SourceError, match="a folder, a link"):
        read_members(kept(tmp_path, content), [WANTED])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(zipped({WANTED: bytes(100_000)}), id="zip"),
        pytest.param(tarred({WANTED: bytes(100_000)}), id="tar"),
        pytest.param(tarred({"other": bytes(100_000), WANTED: CONTENT}), id="tar, another member"),
    ],
)
def test_an_archive_that_unpacks_to_too_much_is_refused(content, tmp_path):
    path = kept(tmp_path, content)
    with pytest.raises(SourceError, match="unpacks to more"):
        read_members(path, [WANTED], largest=90_000)
    assert len(read_members(path, [WANTED], largest=200_000)[WANTED]) in (len(CONTENT), 100_000)


def test_the_limit_counts_all_members_together(tmp_path):
    path = kept(tmp_path, zipped({"a": bytes(600), "b": bytes(600)}))
    with pytest.raises(SourceError, match="unpacks to more"):
        read_members(path, ["a", "b"], largest=1_000)


@pytest.mark.parametrize("make", [zipped, tarred])
def test_damaged_archives_are_told_of(make, tmp_path):
    content = make({WANTED: bytes(range(256)) * 100})
    for damaged in (content[: len(content) // 2], b"<html>The page has moved</html>", b""):
        with pytest.raises(SourceError, match="damaged"):
            read_members(kept(tmp_path, damaged), [WANTED])


def test_a_member_whose_check_fails_is_told_of(tmp_path):
    content = zipped({WANTED: CONTENT})
    with pytest.raises(SourceError, match="damaged"):
        read_members(kept(tmp_path, content.replace(b"user", b"User")), [WANTED])


def test_a_file_with_another_hash_is_deleted(tmp_path):
    path = kept(tmp_path, b"this")
    expected = "1eb79602411ef02cf6fe117897015fff89f80face4eccd50425c45149b148408"
    check_sha256(path, expected)
    path.write_bytes(b"that")
    with pytest.raises(SourceError, match=f"expected is {expected}"):
        check_sha256(path, expected)
    assert not path.exists()
