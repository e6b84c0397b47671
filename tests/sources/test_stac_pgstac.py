"""The same items behind pgstac, as large archives have it, and rustac lead to the same files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pgstac
import pytest
import stac_archive
from concerto.errors import InputError
from concerto.sources import stac
from concerto.sources._http import MissingError
from stac_archive import Archive, mod15a2h, modis_tile

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("pgstac")]

COLLECTION = "modis-15A2H-061"
# Two columns of tiles that meet at 50 degrees north, and one at the equator by the antimeridian.
PLACES = {
    (18, 3): (slice(2300, 2400), slice(800, 900)),
    (18, 4): (slice(0, 100), slice(800, 900)),
    (35, 9): (slice(0, 100), slice(2300, 2400)),
    (0, 9): (slice(0, 100), slice(0, 100)),
}
COMPOSITES = 16
AREA = {"west": 5.0, "south": 49.7, "east": 5.5, "north": 50.3}


@dataclass(frozen=True)
class Pair:
    """Two archives with the same items."""

    rustac: Archive
    pgstac: Archive


def contents() -> list[tuple[str, dict[str, stac_archive.Raster], dict[str, Any]]]:
    """Return the composites of half a year, four tiles each, some of them produced twice."""
    made = []
    for step in range(COMPOSITES):
        first = date(2003, 1, 1) + timedelta(days=8 * step)
        last = first + timedelta(days=7)
        stamps = {
            "start_datetime": f"{first}T00:00:00Z", "end_datetime": f"{last}T23:59:59Z",
            "eo:cloud_cover": 5.0 * step,
        }  # fmt: skip
        for seed, ((column, row), part) in enumerate(PLACES.items()):
            rasters = mod15a2h(*modis_tile(column, row, *part), 10 * step + seed)
            stem = f"MOD15A2H.A{first:%Y%j}.h{column:02d}v{row:02d}.061"
            for production in ("2020053164455", "2021053164455")[: 1 + (seed == step)]:
                made.append((f"{stem}.{production}", rasters, stamps))
    return made


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> pgstac.Programs:
    try:
        return pgstac.install(tmp_path_factory.mktemp("programs"))
    except pgstac.MissingPartError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def archives(tmp_path_factory, programs) -> Iterator[Pair]:
    with ExitStack() as stack:
        try:
            variables = stack.enter_context(pgstac.database(programs))
        except pgstac.MissingPartError as missing:
            pytest.skip(str(missing))
        backends = {"rustac": stac_archive.rustac, "pgstac": pgstac.Backend(programs, variables)}
        served = {}
        for name, backend in backends.items():
            folder = tmp_path_factory.mktemp(name)
            archive = stac_archive.serve(folder, COLLECTION, contents(), backend=backend)
            served[name] = stack.enter_context(archive)
        yield Pair(**served)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")


def asked(archive: Archive, **changes: Any) -> dict[str, Any]:
    request = {
        "api": archive.api, "collection": COLLECTION, "items": "MOD15A2H.*",
        "version": r"\.\d{13}$", "start": "2003-01-01", "end": "2003-03-31",
        "bands": ["Lai_500m", "FparLai_QC"], "page": 7,
    }  # fmt: skip
    return request | AREA | changes


def files(archive: Archive, folder: Path, **changes: Any) -> dict[str, tuple[str, str, bytes]]:
    """Fetch what a request leads to; return begin, end and content by name."""
    found = {}
    for asset in stac.discover(asked(archive, **changes)):
        stac.fetch(asset, folder / asset.filename)
        content = (folder / asset.filename).read_bytes()
        found[asset.filename] = asset.start, asset.end, content
    return found


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 24),
        ({"start": "2003-01-08", "end": "2003-01-09"}, 4),
        ({"start": "2003-01-09", "end": "2003-01-09"}, 2),
        ({"start": None, "end": None}, 32),
        ({"south": 50.05}, 12),
        ({"north": 49.95, "version": None}, 13),
        ({"west": 179.0, "east": -179.0, "south": -0.5, "north": 0.5}, 24),
    ],
    ids=["quarter", "two composites", "a day", "all", "north", "each production", "antimeridian"],
)
def test_the_same_files(archives, tmp_path, changes, count):
    found = []
    for name in ("rustac", "pgstac"):
        (tmp_path / name).mkdir()
        found.append(files(getattr(archives, name), tmp_path / name, **changes))
    assert len(found[0]) == count
    assert found[0] == found[1]


def test_all_pages_are_read(archives):
    archive = archives.pgstac
    everything = asked(archive, start=None, end=None, version=None, west=-180.0, east=180.0)
    everything |= {"south": -90.0, "north": 90.0}
    ids = sorted(id_ for id_, _, _ in contents())
    assert len(ids) == 68
    for page, most in ((250, 1), (7, 10), (1, 69)):
        archive.forget()
        assets = stac.discover(everything | {"page": page})
        assert [asset.filename for asset in assets] == [f"{id_}.tif" for id_ in ids]
        assert most - 1 <= archive.requests.count("/search") <= most


def test_nothing_is_found_where_nothing_is(archives):
    for archive in (archives.rustac, archives.pgstac):
        for nothing in ({"start": "1999-01-01", "end": "1999-12-31"}, {"south": 60, "north": 61}):
            assert stac.discover(asked(archive, **nothing, may_be_empty=True)) == []
            with pytest.raises(InputError, match=f"collection {COLLECTION}: found none"):
                stac.discover(asked(archive, **nothing))


def test_unknown_collection_is_an_error(archives):
    with pytest.raises(MissingError, match="collections/modis-15A2H-062"):
        stac.discover(asked(archives.pgstac, collection="modis-15A2H-062", may_be_empty=True))


def test_query_chooses_items(archives):
    """Rustac has no queries: here the API itself chooses."""
    clear = asked(archives.pgstac, query={"eo:cloud_cover": {"lt": 11.0}})
    starts = {asset.start[:10] for asset in stac.discover(clear)}
    assert starts == {"2003-01-01", "2003-01-09", "2003-01-17"}
