"""Sources that lie in a folder of this machine."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from acquire_source import acquire_source
from archives import wheel as zipped
from concerto import provenance
from concerto.errors import InputError
from concerto.sources._archive import unpack

FILES = {"a.cbf": b"first", "b.cbf": b"second", "notes.txt": b"n"}


def listed(files: dict[str, bytes]) -> str:
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    digest = listed({name: FILES[name] for name in ("a.cbf", "b.cbf")})
    source = {
        "title": "Towers", "protocol": "local", "licence": "CC0-1.0", "citation": "Nobody (2014)",
        "locator": {"folder": str(folder), "files": "*.cbf", "sha256": digest},
        "members": {"XX-Tow.cbf": "b.cbf"},
    }  # fmt: skip
    file = tmp_path / "config/sources/towers.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(source))
    return tmp_path


def acquire(root: Path, folder: str | None = None) -> Path:
    acquire_source("towers", root / "raw/towers", root, folder)
    return root / "raw/towers"


def test_members_and_provenance_without_the_folder(root):
    directory = acquire(root)
    assert {path.name for path in directory.iterdir()} == {"XX-Tow.cbf", provenance.FILENAME}
    assert (directory / "XX-Tow.cbf").read_bytes() == b"second"
    text = (directory / provenance.FILENAME).read_text()
    assert str(root) not in text
    assert json.loads(text)["origin"] == "local folder"
    assert not (root / "raw/.downloads/towers").exists()


def test_folder_of_the_configuration_prevails(root):
    (root / "shared").rename(root / "elsewhere")
    with pytest.raises(InputError, match=r"\*\.cbf: found no such file; .*`folders` of the conf"):
        acquire(root)
    assert (acquire(root, str(root / "elsewhere")) / "XX-Tow.cbf").read_bytes() == b"second"


def edit_source(root: Path, **changes) -> None:
    file = root / "config/sources/towers.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes))


def test_members_of_a_pattern_keep_their_names(root, caplog):
    edit_source(root, members={"*.cbf": "*.cbf", "one.cbf": "a.cbf"})
    directory = acquire(root)
    names = {path.name for path in directory.iterdir()} - {provenance.FILENAME}
    assert names == {"a.cbf", "b.cbf", "one.cbf"}
    assert provenance.verify(directory)["members"]["b.cbf"]["path"] == "b.cbf"
    with caplog.at_level("INFO"):
        acquire(root)
    assert "here already" in caplog.text


def test_pattern_that_describes_nothing_is_refused(root):
    edit_source(root, members={"*.nc": "*.nc"})
    with pytest.raises(InputError, match=r"\*\.nc: found no such member; expected one at least"):
        acquire(root)
    assert not (root / "raw/towers").exists()


@pytest.mark.parametrize("change", ["other content", "one more", "one less"])
def test_other_files_are_refused(root, change):
    files = {"other content": ("b.cbf", b"x"), "one more": ("c.cbf", b"x")}
    if change == "one less":
        (root / "shared/a.cbf").unlink()
    else:
        name, content = files[change]
        (root / "shared" / name).write_bytes(content)
    with pytest.raises(InputError, match=r"shared/\*\.cbf: sha256 of [123] files: found"):
        acquire(root)
    assert not (root / "raw/towers").exists()


GUIDE = Path(__file__).parents[2] / "docs/sources.md"
RECORD = b"TIMESTAMP_START\n201001010000\n"


def own(tmp_path: Path, **changes: object) -> Path:
    """Write the guide's example of one's own record into a catalogue; return the folder of it."""
    example = re.search(r"local`.*?```yaml\n(.*?)```", GUIDE.read_text(), flags=re.S)[1]
    source = yaml.safe_load(example) | changes
    source["locator"]["folder"] = str(tmp_path / "towers")
    file = tmp_path / "config/sources/own.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(source))
    (tmp_path / "towers").mkdir()
    return tmp_path / "towers"


def taken(tmp_path: Path) -> Path:
    acquire_source("own", tmp_path / "raw/own", tmp_path)
    return tmp_path / "raw/own"


def test_a_zip_of_one_s_own_needs_no_hash(tmp_path):
    content = zipped({"FLX_XX-Tow_FULLSET_HH_2010-2020.csv": RECORD, "README.txt": b""})
    (own(tmp_path) / "FLX_XX-Tow_FULLSET_2010-2020.zip").write_bytes(content)
    directory = taken(tmp_path)
    assert (directory / "FLX_XX-Tow_HH.csv").read_bytes() == RECORD
    record = json.loads((directory / provenance.FILENAME).read_text())
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    before = (directory / provenance.FILENAME).stat().st_mtime_ns
    assert (taken(tmp_path) / provenance.FILENAME).stat().st_mtime_ns == before


def test_a_single_file_of_one_s_own(tmp_path):
    folder = own(tmp_path, locator={"files": "tower.csv"}, members={"XX-Tow.csv": "tower.csv"})
    (folder / "tower.csv").write_bytes(RECORD)
    assert (taken(tmp_path) / "XX-Tow.csv").read_bytes() == RECORD


def test_a_file_that_is_no_archive_has_no_members(tmp_path):
    folder = tmp_path / "members"
    (tmp_path / "plain.csv").write_bytes(RECORD)
    unpack(tmp_path / "plain.csv", {"a.csv": "plain.csv"}, folder)
    assert (folder / "a.csv").read_bytes() == RECORD
    with pytest.raises(InputError, match="format: found neither tar nor zip"):
        unpack(tmp_path / "plain.csv", {"a.csv": "other.csv"}, tmp_path / "none")
