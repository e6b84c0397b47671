"""The record beside downloaded files notices what is no longer as downloaded."""

from __future__ import annotations

import pytest
from concerto import provenance
from concerto.errors import InputError

SOURCE = {
    "title": "A tower",
    "protocol": "package",
    "locator": {"distribution": "tower", "sha256": "0" * 64, "index": "https://private.example"},
    "members": {"flux.csv": "tower/flux.csv"},
    "licence": "CC0-1.0",
    "citation": "Nobody (2014)",
}


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "flux.csv").write_text("nee\n1\n")
    archive = tmp_path / "tower.zip"
    archive.write_bytes(b"")
    provenance.write(tmp_path, "tower", SOURCE, archive)
    return tmp_path


def test_verify_returns_the_record(directory):
    record = provenance.verify(directory)
    assert record["members"]["flux.csv"]["bytes"] == 6
    assert "index" not in record


def test_changed_member_is_named(directory):
    (directory / "flux.csv").write_text("nee\n2\n")
    with pytest.raises(InputError, match=r"flux\.csv: sha256"):
        provenance.verify(directory)


def test_missing_member_is_named(directory):
    (directory / "flux.csv").unlink()
    with pytest.raises(InputError, match=r"flux\.csv: sha256: found no file"):
        provenance.verify(directory)


def test_missing_provenance_is_named(tmp_path):
    with pytest.raises(InputError, match=r"provenance\.json"):
        provenance.verify(tmp_path)
