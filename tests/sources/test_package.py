"""The package source against a real package index on this machine, from locator to members."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from acquire_source import acquire_source
from archives import sdist, wheel
from concerto import provenance
from concerto.errors import ConcertoError, InputError
from concerto.sources import package

CONTENT = bytes(range(256)) * 20
SDIST = "tower-1.0.tar.gz"
WHEEL = "tower-1.0-py3-none-any.whl"
MEMBERS = {"flux.csv": "tower-1.0/data/flux.csv", "notes.txt": "tower-1.0/notes.txt"}
ARCHIVED = {"tower-1.0/data/flux.csv": CONTENT, "tower-1.0/notes.txt": b"n", "tower-1.0/x.py": b"x"}


@pytest.fixture
def archive(index):
    return index.add(SDIST, sdist(ARCHIVED))


@pytest.fixture
def root(tmp_path, archive) -> Path:
    """A folder of the workflow with one source."""
    source = {
        "title": "A tower",
        "protocol": "package",
        "locator": {
            "distribution": "tower",
            "version": "1.0",
            "kind": "sdist",
            "sha256": archive,
        },
        "members": MEMBERS,
        "licence": "CC0-1.0",
        "citation": "Nobody (2014)",
    }
    write_source(tmp_path, source)
    return tmp_path


def write_source(root: Path, source: dict) -> None:
    file = root / "config/sources/tower.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(source))


def change(root: Path, **changes) -> None:
    """Change the source's locator, or its members."""
    file = root / "config/sources/tower.yaml"
    source = yaml.safe_load(file.read_text())
    source["members"] = changes.pop("members", source["members"])
    source["locator"] |= changes
    write_source(root, source)


def acquire(root: Path) -> Path:
    directory = root / "raw/tower"
    acquire_source("tower", directory, root)
    return directory


def left_behind(root: Path) -> list[str]:
    """Return what is under raw, but for a part that a next attempt goes on with."""
    files = [path for path in (root / "raw").rglob("*") if path.is_file()]
    return [path.name for path in files if path.name != f"{SDIST}.part"]


@pytest.mark.parametrize("json_page", [True, False], ids=["json", "html"])
def test_members_and_provenance(root, index, archive, json_page):
    index.json = json_page
    directory = acquire(root)
    assert (directory / "flux.csv").read_bytes() == CONTENT
    assert {path.name for path in directory.iterdir()} == {*MEMBERS, provenance.FILENAME}
    record = json.loads((directory / provenance.FILENAME).read_text())
    assert record.pop("retrieved").endswith("+00:00")
    assert record.pop("members")["notes.txt"] == {
        "path": "tower-1.0/notes.txt",
        "sha256": "1b16b1df538ba12dc3f97edbb85caa7050d46c148134290feba80f8236c83db9",
        "bytes": 1,
    }
    assert record == {
        "source": "tower",
        "title": "A tower",
        "origin": "package index",
        "distribution": "tower",
        "version": "1.0",
        "kind": "sdist",
        "sha256": archive,
        "filename": SDIST,
        "licence": "CC0-1.0",
        "citation": "Nobody (2014)",
    }
    assert "127.0.0.1" not in (directory / provenance.FILENAME).read_text()


def test_wheel(root, index):
    sha256 = index.add(WHEEL, wheel({"tower/flux.csv": CONTENT}))
    change(root, kind="wheel", sha256=sha256, members={"flux.csv": "tower/flux.csv"})
    assert (acquire(root) / "flux.csv").read_bytes() == CONTENT


def test_archive_is_not_kept(root):
    acquire(root)
    assert not any((root / "raw/.downloads").iterdir())


def test_second_call_asks_nothing_of_the_index(root, index):
    acquire(root)
    asked = len(index.requests)
    acquire(root)
    assert asked == 2
    assert len(index.requests) == asked


def test_changed_member_is_fetched_again(root, index):
    (acquire(root) / "notes.txt").write_text("changed by hand")
    assert (acquire(root) / "notes.txt").read_bytes() == b"n"
    assert len(index.downloads(SDIST)) == 2


@pytest.mark.parametrize("status", ["503", "429"])
def test_passing_server_fault_is_tried_again(root, index, status):
    index.faults[SDIST] = [status, status]
    assert (acquire(root) / "flux.csv").read_bytes() == CONTENT
    assert len(index.downloads(SDIST)) == 3


def test_cut_download_is_resumed_where_it_broke(root, index):
    index.faults[SDIST] = ["cut 200", "cut 100"]
    assert (acquire(root) / "flux.csv").read_bytes() == CONTENT
    first, second, third = index.downloads(SDIST)
    assert first is None
    assert second == "bytes=200-"
    assert third == "bytes=300-"


def test_server_without_ranges_sends_it_whole(root, index):
    index.ranges = False
    index.faults[SDIST] = ["cut 200"]
    assert (acquire(root) / "flux.csv").read_bytes() == CONTENT


def test_persistent_cut_is_an_error_and_the_next_call_goes_on(root, index):
    index.faults[SDIST] = ["cut 70"] * 6
    with pytest.raises(ConcertoError, match=SDIST):
        acquire(root)
    assert left_behind(root) == []
    acquire(root)
    assert index.downloads(SDIST)[-1] == f"bytes={6 * 70}-"


def test_truncated_file_is_an_error(root, index):
    """The server holds half the file and takes it for the whole."""
    whole = index.files[SDIST]
    expected = index.digests[SDIST]
    index.add(SDIST, whole[: len(whole) // 2])
    index.digests[SDIST] = expected
    with pytest.raises(InputError) as fault:
        acquire(root)
    assert fault.value.file == SDIST
    assert fault.value.expected == expected
    assert left_behind(root) == []


def test_wrong_content_is_deleted(root, index):
    expected = index.digests[SDIST]
    found = index.add(SDIST, sdist({"tower-1.0/notes.txt": b"forged"}))
    index.digests[SDIST] = expected
    with pytest.raises(InputError, match=SDIST) as fault:
        acquire(root)
    assert (fault.value.found, fault.value.expected) == (found, expected)
    assert [path for path in (root / "raw").rglob("*") if path.is_file()] == []


def test_other_published_hash_is_refused_before_the_download(root, index):
    change(root, sha256="0" * 64)
    with pytest.raises(InputError, match="expected " + "0" * 64):
        acquire(root)
    assert index.downloads(SDIST) == []


def test_missing_member_names_the_nearest(root):
    change(root, members={"flux.csv": "tower-1.0/data/flx.csv"})
    with pytest.raises(InputError, match=r"flx\.csv.*such as tower-1\.0/data/flux\.csv"):
        acquire(root)
    assert not (root / "raw/tower").exists()


@pytest.mark.parametrize("make", [sdist, wheel])
@pytest.mark.parametrize("path", ["../outside.csv", "/outside.csv", "a/../../outside.csv"])
def test_member_that_leaves_the_folder_is_refused(root, index, make, path):
    kind, filename = ("sdist", SDIST) if make is sdist else ("wheel", WHEEL)
    sha256 = index.add(filename, make({path: b"evil"}))
    change(root, kind=kind, sha256=sha256, members={"outside.csv": path})
    with pytest.raises(InputError, match="outside"):
        acquire(root)
    assert not list(root.rglob("outside.csv"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distribution": "towr"}, "towr: found no such distribution"),
        ({"version": "1.1"}, r"nearest 1\.0"),
        ({"kind": "wheel"}, "no wheel"),
        ({"filename": "tower-1.0.zip"}, r"tower-1\.0\.tar\.gz.*tower-1\.0\.zip"),
    ],
)
def test_what_the_index_lacks_is_named(root, changes, message):
    change(root, **changes)
    with pytest.raises(InputError, match=message):
        acquire(root)


def test_one_of_several_wheels_is_chosen_by_name(index):
    content = {name: wheel({"a": name.encode()}) for name in ("tower-1.0-py2-none-any.whl", WHEEL)}
    hashes = {name: index.add(name, packed) for name, packed in content.items()}
    request = {"distribution": "tower", "version": "1.0", "kind": "wheel", "sha256": hashes[WHEEL]}
    with pytest.raises(InputError, match="name a filename"):
        package.discover(request)
    (asset,) = package.discover(request | {"filename": WHEEL})
    assert asset.filename == WHEEL
    assert asset.size == len(content[WHEEL])


def test_index_of_pip_is_used(index, archive, monkeypatch):
    monkeypatch.delenv("CONCERTO_PACKAGE_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/simple/")
    request = {"distribution": "tower", "version": "1.0", "kind": "sdist", "sha256": archive}
    (asset,) = package.discover(request)
    assert asset.url == f"{index.address}/files/{SDIST}"


def test_extra_index_of_pip_is_asked_next(index, archive, monkeypatch):
    monkeypatch.delenv("CONCERTO_PACKAGE_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/empty/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{index.address}/simple/")
    request = {"distribution": "tower", "version": "1.0", "kind": "sdist", "sha256": archive}
    assert len(package.discover(request)) == 1


def test_indexes_of_a_pip_file_are_used(index, archive, tmp_path, monkeypatch):
    listed = "".join(f"\n    {index.address}/{folder}/" for folder in ("none", "simple"))
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = http://127.0.0.1:9/\nextra-index-url = {listed}\n"
        f"[install]\nindex-url = {index.address}/empty/\n"
    )
    for name in ("CONCERTO_PACKAGE_INDEX", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    package._pip_settings.cache_clear()
    request = {"distribution": "tower", "version": "1.0", "kind": "sdist", "sha256": archive}
    try:
        assert len(package.discover(request)) == 1
    finally:
        package._pip_settings.cache_clear()


def test_index_that_is_away_is_named_without_password(root, monkeypatch):
    monkeypatch.setenv("CONCERTO_PACKAGE_INDEX", "http://me:secret@127.0.0.1:9/simple/")
    with pytest.raises(ConcertoError, match=r"page of tower.*127\.0\.0\.1") as fault:
        acquire(root)
    assert "secret" not in str(fault.value)


def test_missing_certificates_are_named(root, monkeypatch):
    monkeypatch.setenv("PIP_CERT", "/no/such.pem")
    with pytest.raises(InputError, match=r"/no/such\.pem"):
        acquire(root)


@pytest.mark.network
@pytest.mark.slow
def test_public_index_has_the_borders(tmp_path):
    """The smallest source of the default run, from the configured index."""
    acquire_source("natural_earth_110m", tmp_path / "borders")
    assert provenance.verify(tmp_path / "borders")["licence"] == "public domain"
