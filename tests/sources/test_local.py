"""Sources that lie in a folder of this machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from acquire_source import acquire_source
from concerto import provenance
from concerto.errors import InputError

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
