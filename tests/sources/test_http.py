"""Fields in plain files on a web server."""

from __future__ import annotations

import hashlib
import json

import pytest
from archives import sdist, wheel
from concerto.errors import ConcertoError, InputError
from concerto.sources import http

AREA = {"west": 4.0, "south": 50.0, "east": 6.0, "north": 51.0}


def ask(locator: dict, start="2003-11-20", end="2004-01-02", bands=("agb", "sd")) -> list:
    request = AREA | {"start": start, "end": end, "bands": list(bands)}
    return http.discover(locator | request)


def test_template_by_month():
    assets = ask({"template": "https://host.org/{year}/a_{year}{month:02d}.nc", "step": "month"})
    assert [asset.url for asset in assets] == [
        "https://host.org/2003/a_200311.nc",
        "https://host.org/2003/a_200312.nc",
        "https://host.org/2004/a_200401.nc",
    ]
    assert assets[1].filename == "a_200312.nc"
    assert (assets[1].start, assets[1].end) == ("2003-12-01", "2004-01-01")
    assert assets[1].bands == ("agb", "sd")
    assert assets[1].sha256 is None


def test_template_by_year_and_day():
    years = ask({"template": "https://host.org/a{year}.nc", "step": "year"})
    assert [(a.start, a.end) for a in years] == [
        ("2003-01-01", "2004-01-01"),
        ("2004-01-01", "2005-01-01"),
    ]
    template = "https://host.org/{year}/{doy:03d}/{month}-{day}.nc"
    days = ask({"template": template, "step": "day"}, "2004-02-28", "2004-03-01")
    assert [a.url.removeprefix("https://host.org/2004/") for a in days] == [
        "059/2-28.nc",
        "060/2-29.nc",
        "061/3-1.nc",
    ]
    assert days[-1].end == "2004-03-02"


def test_template_by_band():
    locator = {"template": "https://host.org/{band}/{band}_0-5cm_mean_5000.tif"}
    assets = ask(locator, bands=["clay", "sand"])
    assert [(a.filename, a.bands) for a in assets] == [
        ("clay_0-5cm_mean_5000.tif", ("clay",)),
        ("sand_0-5cm_mean_5000.tif", ("sand",)),
    ]
    assert assets[0].start is None


TILED = {
    "template": "https://host.org/{year}/{north}{west}.tif",
    "step": "year",
    "tile_degrees": 10,
}


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        ((4.0, 50.0, 6.0, 51.0), {"N60E000"}),
        ((9.0, 49.0, 11.0, 51.0), {"N60E000", "N60E010", "N50E000", "N50E010"}),
        ((-10.0, 40.0, 10.0, 50.0), {"N50W010", "N50E000"}),
        ((175.0, -15.0, -175.0, -5.0), {"N00E170", "N00W180", "S10E170", "S10W180"}),
        ((10.0, 10.0, 10.0, 10.0), {"N20E010"}),
    ],
)
def test_tiles_that_an_area_touches_by_their_north_west_corners(area, expected):
    box = dict(zip(("west", "south", "east", "north"), area, strict=True))
    assets = http.discover(TILED | box | {"start": "2015-01-01", "end": "2015-12-31"})
    assert [asset.start for asset in assets] == ["2015-01-01"] * len(assets)
    assert {asset.filename.removesuffix(".tif") for asset in assets} == expected
    assert len(assets) == len(expected)


def test_files_that_a_sparse_archive_lacks_are_left_out(server, tmp_path):
    url = server.add("/2004/N60E000.tif", b"tile" * 100)
    template = f"{server.address}/{{year}}/{{north}}{{west}}.tif"
    (asset,) = ask(TILED | {"template": template, "sparse": True}, bands=["agb"])
    assert (asset.url, asset.size, asset.start) == (url, 400, "2004-01-01")
    http.fetch(asset, tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == b"tile" * 100
    nowhere = TILED | {"template": f"{server.address}/no{{north}}{{west}}", "sparse": True}
    with pytest.raises(InputError, match="files: found none; expected one that holds agb"):
        ask(nowhere, bands=["agb"])


def test_a_sparse_archive_that_fails_is_no_gap(server):
    server.add("/2003/N60E000.tif", b"tile", *["503"] * 6)
    template = f"{server.address}/{{year}}/{{north}}{{west}}.tif"
    with pytest.raises(ConcertoError, match="503 Service Unavailable"):
        ask(TILED | {"template": template, "sparse": True}, bands=["agb"])


def test_mirrors_and_name_are_templates_too():
    locator = {
        "template": "https://host.org/{year}/data.nc?download=1",
        "mirrors": ["https://other.org/{year}.nc"],
        "filename": "a_{year}.nc",
        "step": "year",
    }
    first, second = ask(locator)
    assert (first.filename, second.filename) == ("a_2003.nc", "a_2004.nc")
    assert second.details["mirrors"] == ["https://other.org/2004.nc"]


@pytest.mark.parametrize(
    ("locator", "message"),
    [
        ({"template": "https://h.org/{year}.nc"}, "template: found field 'year'; expected one of"),
        ({"template": "https://h.org/{hour}", "step": "day"}, "one of year, month, day, doy"),
        ({"template": "https://h.org/{year}/data.nc", "step": "year"}, "data.nc 2 times; .*name"),
    ],
)  # fmt: skip
def test_fault_of_a_template_is_named(locator, message):
    with pytest.raises(InputError, match=message):
        ask(locator)


FILES = [
    {"url": "https://h.org/a.nc", "start": "2003-01-01", "end": "2003-11-20", "bands": ["agb"]},
    {"url": "https://h.org/b.nc", "start": "2003-11-20", "end": "2004-01-02", "size": 7},
    {"url": "https://h.org/c.nc", "start": "2004-01-02", "end": "2004-02-01", "bands": ["agb"]},
    {"url": "https://h.org/d.nc", "start": "2004-01-03", "end": "2004-02-01", "md5": "0" * 32},
    {"url": "https://h.org/e.nc", "bands": ["height"]},
    {"url": "https://h.org/f.nc", "bands": ["height", "sd"], "sha256": "1" * 64},
]


def test_only_files_with_a_wanted_day_and_band_are_taken():
    assets = {asset.filename: asset for asset in ask({"files": FILES})}
    assert list(assets) == ["b.nc", "c.nc", "f.nc"]
    assert (assets["b.nc"].size, assets["b.nc"].start) == (7, "2003-11-20")
    assert assets["f.nc"].bands == ("height", "sd")
    assert assets["f.nc"].sha256 == "1" * 64
    (late,) = (a for a in ask({"files": FILES}, end="2004-01-03") if a.filename == "d.nc")
    assert late.details == {"md5": "0" * 32}


def test_band_that_no_file_holds_is_named():
    locator = {"files": FILES[2:]}
    with pytest.raises(InputError, match="holds lai in the period 2003-11-20 to 2004-01-02"):
        ask(locator, bands=["agb", "lai"])
    assert ask(locator | {"may_be_empty": True}, bands=["lai"]) == []


A, B = b"first", b"second"


def lines(algorithm: str) -> bytes:
    hashes = [hashlib.new(algorithm, content).hexdigest() for content in (A, B)]
    return f"# of {algorithm}\n{hashes[0]}  ./deep/a1.nc\n{hashes[1].upper()} *a2.nc\n".encode()


def record(form: str) -> bytes:
    """Return what Zenodo, or InvenioRDM, says of a record's files."""
    files = [
        {"key": name, "checksum": f"md5:{hashlib.md5(content).hexdigest()}", "size": len(content)}
        for name, content in {"a1.nc": A, "a2.nc": B}.items()
    ]
    answers = {
        "zenodo": {"id": 1, "files": files},
        "files": {"enabled": True, "entries": files},
        "record": {"files": {"entries": {file["key"]: file for file in files}}},
    }
    return json.dumps(answers[form]).encode()


@pytest.mark.parametrize(
    "listed",
    [lines("sha256"), lines("md5"), *map(record, ("zenodo", "files", "record"))],
    ids=["sha256", "md5", "zenodo", "files", "record"],
)
def test_published_hashes_are_verified(server, tmp_path, listed):
    for name, content in {"/a1.nc": A, "/a2.nc": b"forged"}.items():
        server.add(name, content)
    locator = {
        "files": [{"url": f"{server.address}/{name}"} for name in ("a1.nc", "a2.nc")],
        "checksums": server.add("/sums", listed),
    }
    first, second = ask(locator)
    assert http.fetch(first, tmp_path / "a1.nc") == len(A)
    assert (tmp_path / "a1.nc").read_bytes() == A
    with pytest.raises(ConcertoError):
        http.fetch(second, tmp_path / "a2.nc")
    assert not (tmp_path / "a2.nc").exists()


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (lines("md5"), "checksums: found no hash; expected that of a3.nc"),
        (b"nothing", "sums: checksums: found no hash; expected lines of SHA-256 or MD5"),
        (b'{"message": "gone"}', "sums: checksums: found other JSON"),
    ],
)
def test_list_without_a_files_hash_is_refused(server, listed, message):
    locator = {"template": "https://h.org/a3.nc", "checksums": server.add("/sums", listed)}
    with pytest.raises(InputError, match=message):
        ask(locator)


@pytest.mark.parametrize("make", [sdist, wheel])
def test_members_of_an_archive_that_is_downloaded_once(server, tmp_path, make):
    packed = make({f"x/{year}/v_{year}_v2.nc": str(year).encode() for year in (2003, 2004)})
    locator = {
        "template": server.add("/all.zip", packed, "cut 50"),
        "step": "year",
        "members": ["x/*/v_{year}_*.nc"],
        "checksums": server.add("/sums", f"{hashlib.md5(packed).hexdigest()}  all.zip".encode()),
    }
    assets = ask(locator)
    assert [asset.filename for asset in assets] == ["v_2003__.nc", "v_2004__.nc"]
    received = [http.fetch(asset, tmp_path / asset.filename) for asset in assets]
    assert received == [len(packed), 0]
    assert server.sent("/all.zip") == len(packed)
    assert [(tmp_path / asset.filename).read_bytes() for asset in assets] == [b"2003", b"2004"]
    hidden = [file.name for file in tmp_path.iterdir() if file.name.startswith(".")]
    assert len(hidden) == 1  # the archive


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("*.nc", "found 2 members; expected one member"),
        ("x/c.nc", "found no such member; expected .* such as x/"),
        ("../a.nc", "such member"),
    ],
)
def test_member_that_is_not_one_is_named(server, tmp_path, pattern, message):
    url = server.add("/all.zip", wheel({"x/a.nc": A, "x/b.nc": B}))
    (asset,) = ask({"template": url, "members": [pattern], "filename": "a.nc"})
    with pytest.raises(InputError, match=message):
        http.fetch(asset, tmp_path / asset.filename)
    assert not (tmp_path / asset.filename).exists()


def test_damaged_archive_is_fetched_anew_the_next_time(server, tmp_path):
    packed = wheel({"a.nc": bytes(range(256)) * 9})
    url = server.add("/all.zip", packed[: len(packed) // 2])
    (asset,) = ask({"template": url, "members": ["a.nc"]})
    with pytest.raises(InputError, match=r"all\.zip: (content|format)"):
        http.fetch(asset, tmp_path / "a.nc")
    server.add("/all.zip", packed)
    http.fetch(asset, tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == bytes(range(256)) * 9


def test_mirror_of_a_file(server, mirror, tmp_path):
    locator = {"template": server.add("/a.nc", A, "404"), "mirrors": [mirror.add("/b.nc", A)]}
    (asset,) = ask(locator)
    assert http.fetch(asset, tmp_path / "a.nc") == len(A)
    assert (tmp_path / "a.nc").read_bytes() == A
