"""Taking members out of archives that may be hostile."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives import sdist, wheel
from concerto.errors import InputError
from concerto.sources._archive import extract, safe_path
from hypothesis import example, given
from hypothesis import strategies as st

NAMES = st.lists(st.sampled_from(["..", ".", "", "a", "b.csv", "/", "\\", "C:", "\0"])).map(
    "/".join
)


@given(NAMES | st.text())
@example("a/..")
@example("\\\\host\\share")
@example("c:\\windows")
def test_safe_path_never_leaves_its_folder(name):
    folder = Path("/somewhere/raw")
    try:
        path = safe_path(Path("archive"), name)
    except InputError:
        return
    target = folder / path
    assert target.resolve().is_relative_to(folder.resolve())
    assert target.resolve() != folder.resolve()
    assert not set(name) & set("\\:\0")


@pytest.mark.parametrize("name", ["a", "a/b.csv", "data/FLX_BE-Vie 2014.csv", "..a/b.."])
def test_safe_path_lets_ordinary_names_pass(name):
    assert str(safe_path(Path("archive"), name)) == name


@pytest.fixture(params=[sdist, wheel])
def make(request):
    return request.param


def write(tmp_path: Path, content: bytes) -> Path:
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    return archive


def test_only_wanted_members_are_written(tmp_path, make):
    archive = write(tmp_path, make({"x/a": b"A", "x/b": b"B"}))
    extract(archive, {"deep/a.txt": "x/a"}, tmp_path / "out")
    written = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"archive": archive.read_bytes(), "a.txt": b"A"}


def test_link_is_refused(tmp_path, make):
    archive = write(tmp_path, make({}, links={"x/passwd": "/etc/passwd"}))
    with pytest.raises(InputError, match="a link, folder or device"):
        extract(archive, {"passwd": "x/passwd"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("local", ["../a.txt", "/a.txt", ""])
def test_local_name_that_leaves_the_folder_is_refused(tmp_path, make, local):
    archive = write(tmp_path, make({"a": b"A"}))
    with pytest.raises(InputError, match="within its folder"):
        extract(archive, {local: "a"}, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_none_is_written_where_one_is_missing(tmp_path, make):
    archive = write(tmp_path, make({"a": b"A"}))
    with pytest.raises(InputError, match=r"b: found no such member.*such as a"):
        extract(archive, {"a": "a", "b": "b"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_archive_is_named(tmp_path, make):
    content = make({"a": bytes(range(256)) * 9})
    archive = write(tmp_path, content[: len(content) // 2])
    with pytest.raises(InputError, match=str(archive)):
        extract(archive, {"a": "a"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_earlier_members_are_replaced(tmp_path, make):
    archive = write(tmp_path, make({"a": b"A"}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").write_text("old")
    extract(archive, {"a": "a"}, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
