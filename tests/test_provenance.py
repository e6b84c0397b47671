"""The record beside downloaded files notices what is no longer as downloaded."""

from __future__ import annotations

import re

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


CONFIG = {"run": "default", "seed": 1, "sites": {"A": {"latitude": 50.0}}, "areas": {}}
SOURCES = {"tower": "0123456789ab"}


def test_a_run_has_the_same_name_wherever_and_whenever_it_is_run():
    name = provenance.run_id(CONFIG, "0.1.0", SOURCES)
    assert re.fullmatch("[0-9a-f]{16}", name)
    here = {"folders": {"own": "/data"}, "limits": {"read_bytes": 1}, "author": {"name": "A"}}
    turned = dict(reversed(CONFIG.items())) | here | {"reproduce": {"products": ["x"]}, "maps": {}}
    assert provenance.run_id(turned, "0.1.0", SOURCES) == name


@pytest.mark.parametrize(
    "other",
    [
        ({**CONFIG, "seed": 2}, "0.1.0", SOURCES),
        ({**CONFIG, "sites": {"A": {"latitude": 50.1}}}, "0.1.0", SOURCES),
        (CONFIG, "0.1.1", SOURCES),
        (CONFIG, "0.1.0", {"tower": "0123456789ac"}),
        (CONFIG, "0.1.0", {**SOURCES, "more": "0123456789ab"}),
    ],
)
def test_another_run_has_another_name(other):
    assert provenance.run_id(*other) != provenance.run_id(CONFIG, "0.1.0", SOURCES)
