"""The source of NASA's archives against servers that speak as they do."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
from concerto.errors import ConcertoError, InputError
from concerto.sources import earthdata
from portal_servers import Earthdata
from portal_servers import earthdata as serve

CONTENT = bytes(range(256)) * 8
TILE = "MOD15A2H.A2003001.h18v03.061.hdf"


@pytest.fixture
def nasa(monkeypatch, tmp_path):
    """Archives of NASA on this machine, and a user with a token."""
    earthdata._cookies.cache_clear()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.001")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("EARTHDATA_USERNAME", "EARTHDATA_PASSWORD", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    with serve() as served:
        monkeypatch.setenv("EARTHDATA_TOKEN", served.token)
        yield served


@pytest.fixture
def by_password(nasa, monkeypatch) -> Earthdata:
    monkeypatch.delenv("EARTHDATA_TOKEN")
    monkeypatch.setenv("EARTHDATA_USERNAME", nasa.password[0])
    monkeypatch.setenv("EARTHDATA_PASSWORD", nasa.password[1])
    return nasa


def request(nasa: Earthdata, **changes) -> dict:
    return {
        "cmr": nasa.cmr, "login": nasa.login, "short_name": "MOD15A2H", "version": "061",
        "west": 4.0, "south": 50.0, "east": 6.0, "north": 51.0,
        "start": "2003-01-01", "end": "2003-12-31", "bands": ["Lai_500m"],
    } | changes  # fmt: skip


def fetched(nasa: Earthdata, path: Path, **changes) -> int:
    (asset,) = earthdata.discover(request(nasa, **changes))
    return earthdata.fetch(asset, path)


def test_granule_becomes_an_asset(nasa):
    nasa.add(TILE, CONTENT)
    (asset,) = earthdata.discover(request(nasa))
    assert asset.filename == TILE
    assert asset.url == f"{nasa.archive}/protected/{TILE}"
    assert asset.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert asset.size == len(CONTENT)
    assert (asset.start, asset.end) == ("2003-01-01T00:00:00Z", "2003-01-09T00:00:00Z")
    assert asset.bands == ("Lai_500m",)


def test_all_pages_come_in_order_of_time(nasa):
    nasa.page_size = 2
    days = [9, 1, 25, 17, 5]
    for day in days:
        nasa.add(
            f"A{day:03d}.hdf",
            CONTENT,
            f"2003-01-{day:02d}T00:00:00Z",
            f"2003-01-{day:02d}T12:00:00Z",
        )
    names = [asset.filename for asset in earthdata.discover(request(nasa))]
    assert names == [f"A{day:03d}.hdf" for day in sorted(days)]
    assert len(nasa.of("cmr")) == 3


def test_fewer_granules_than_counted_are_an_error(nasa):
    nasa.page_size = 2
    nasa.lost = 1
    for day in (1, 2, 3):
        nasa.add(f"A{day}.hdf", CONTENT)
    with pytest.raises(ConcertoError, match="3 of 4 granules"):
        earthdata.discover(request(nasa))


@pytest.mark.parametrize(
    ("box", "found"),
    [((170, 0, 180, 20), True), ((-180, 0, -170, 20), True), ((-10, 0, 10, 20), False)],
)
def test_area_across_the_antimeridian(nasa, box, found):
    nasa.add(TILE, CONTENT, box=box)
    area = {"west": 175.0, "east": -175.0, "south": 5.0, "north": 10.0, "may_be_empty": True}
    assert bool(earthdata.discover(request(nasa, **area))) is found


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("2002-12-27T00:00:00Z", "2003-01-03T23:59:59Z", True),
        ("2002-12-31T21:00:00Z", "2003-01-01T00:00:00Z", False),
        ("2003-12-31T23:00:00Z", "2004-01-02T00:00:00Z", True),
        ("2004-01-01T00:00:00Z", "2004-01-02T00:00:00Z", False),
    ],
)
def test_period_has_its_first_instant_and_not_the_one_after_its_last(nasa, start, end, found):
    nasa.add(TILE, CONTENT, start, end)
    assert bool(earthdata.discover(request(nasa, may_be_empty=True))) is found


def test_granule_of_one_instant_at_the_start_counts(nasa):
    extent = {"TemporalExtent": {"SingleDateTime": "2003-01-01T00:00:00.000Z"}}
    nasa.add(TILE, CONTENT, **extent)
    (asset,) = earthdata.discover(request(nasa))
    assert asset.start == asset.end == "2003-01-01T00:00:00Z"


def test_nothing_found_says_what_was_asked_of_whom(nasa):
    with pytest.raises(InputError, match=r"MOD15A2H 061, 4/50/6/51 degrees, 2003-01-01") as fault:
        earthdata.discover(request(nasa))
    assert fault.value.file == nasa.cmr
    assert earthdata.discover(request(nasa, may_be_empty=True)) == []


def test_same_file_in_two_archives_needs_a_provider(nasa):
    for provider in ("LPDAAC_ECS", "LPCLOUD"):
        nasa.add(TILE, CONTENT, provider=provider)
    with pytest.raises(InputError, match="`provider` chooses"):
        earthdata.discover(request(nasa))
    assert len(earthdata.discover(request(nasa, provider="LPCLOUD"))) == 1


def test_granule_without_a_link_to_data_is_named(nasa):
    nasa.add(TILE, CONTENT, RelatedUrls=[{"URL": "s3://protected/x", "Type": "GET DATA"}])
    with pytest.raises(InputError, match=r"h18v03\.061: links to data: found none"):
        earthdata.discover(request(nasa))


def test_files_of_a_granule_are_chosen_by_name(nasa):
    bands = ["B04.tif", "Fmask.tif"]
    links = [{"URL": f"{nasa.archive}/protected/S30.{b}", "Type": "GET DATA"} for b in bands]
    nasa.add(TILE, CONTENT, RelatedUrls=links)
    assert len(earthdata.discover(request(nasa))) == 2
    (asset,) = earthdata.discover(request(nasa, files="*.Fmask.tif"))
    assert (asset.filename, asset.size) == ("S30.Fmask.tif", None)
    with pytest.raises(InputError, match=r"found S30\.B04\.tif, S30\.Fmask\.tif; .* \*\.h5"):
        earthdata.discover(request(nasa, files="*.h5"))


def of_service(nasa: Earthdata, **link: str) -> list[dict]:
    address = f"{nasa.archive}/protected/MCD12Q1.A2003001.h18v03.061"
    return [{"URL": address, "Type": "USE SERVICE API"} | link]


@pytest.mark.parametrize("subtype", [{"Subtype": "OPENDAP DATA"}, {}])
def test_bands_come_as_netcdf_from_the_service_that_metadata_name(nasa, tmp_path, subtype):
    links = of_service(nasa, **subtype)
    nasa.add(TILE, b"HDF4", RelatedUrls=links)
    nasa.files["MCD12Q1.A2003001.h18v03.061.dap.nc4"] = CONTENT
    paths = {"LC_Type1": "/MCD12Q1/Data_Fields/LC_Type1", "QC": "/MCD12Q1/Data_Fields/QC"}
    asked = request(nasa, opendap=paths, bands=["LC_Type1", "QC"])
    (asset,) = earthdata.discover(asked)
    assert asset.filename == "MCD12Q1.A2003001.h18v03.061.nc4"
    assert (asset.sha256, asset.size, asset.bands) == (None, None, ("LC_Type1", "QC"))
    assert (asset.start, asset.end) == ("2003-01-01T00:00:00Z", "2003-01-09T00:00:00Z")
    earthdata.fetch(asset, tmp_path / asset.filename)
    assert (tmp_path / asset.filename).read_bytes() == CONTENT
    (got,) = nasa.of("archive")
    assert got.query == {"dap4.ce": [";".join(paths.values())]}
    assert got.headers["authorization"] == f"Bearer {nasa.token}"


def test_what_the_service_cannot_send_is_named(nasa):
    granule = nasa.add(TILE, CONTENT)
    with pytest.raises(InputError, match="links to OPeNDAP: found none"):
        earthdata.discover(request(nasa, opendap={"Lai_500m": "/a"}))
    granule["RelatedUrls"] = of_service(nasa)
    with pytest.raises(InputError, match="no path of Lai_500m; expected one of QC"):
        earthdata.discover(request(nasa, opendap={"QC": "/QC"}))


def test_token_opens_the_archive(nasa, tmp_path):
    nasa.add(TILE, CONTENT)
    assert fetched(nasa, tmp_path / TILE) == len(CONTENT)
    assert (tmp_path / TILE).read_bytes() == CONTENT
    assert [it.headers["authorization"] for it in nasa.of("archive")] == [f"Bearer {nasa.token}"]
    assert nasa.of("login") == []
    for asked in nasa.of("cmr") + nasa.of("bucket"):
        assert "authorization" not in asked.headers


def test_password_goes_to_the_login_service_alone(by_password, tmp_path):
    by_password.add(TILE, CONTENT)
    fetched(by_password, tmp_path / TILE)
    assert (tmp_path / TILE).read_bytes() == CONTENT
    (asked,) = by_password.of("login")
    assert asked.headers["authorization"].startswith("Basic ")
    others = [asked for name, asked in by_password.asked if name != "login"]
    assert len(others) == 5
    assert all("authorization" not in asked.headers for asked in others)


def test_one_login_serves_many_files(by_password, tmp_path):
    for day in (1, 2, 3):
        by_password.add(f"A{day}.hdf", CONTENT)
    for asset in earthdata.discover(request(by_password)):
        earthdata.fetch(asset, tmp_path / asset.filename)
    assert len(by_password.of("login")) == 1
    assert len(by_password.of("archive")) == 3 + 2


def test_login_of_netrc(by_password, tmp_path, monkeypatch):
    monkeypatch.delenv("EARTHDATA_PASSWORD")
    file = tmp_path / "home/.netrc"
    file.parent.mkdir()
    user, password = by_password.password
    # Of the archive's host too: requests would send this one by itself.
    file.write_text(
        f"machine localhost login {user} password {password}\n"
        "machine 127.0.0.1 login other password for-the-archive\n"
    )
    file.chmod(0o600)
    by_password.add(TILE, CONTENT)
    fetched(by_password, tmp_path / TILE)
    assert (tmp_path / TILE).read_bytes() == CONTENT
    assert all("authorization" not in asked.headers for asked in by_password.of("archive"))


def test_token_prevails_over_netrc(nasa, tmp_path):
    (tmp_path / "home").mkdir()
    netrc = tmp_path / "home/.netrc"
    netrc.write_text("machine 127.0.0.1 login other password for-the-archive\n")
    netrc.chmod(0o600)
    nasa.add(TILE, CONTENT)
    fetched(nasa, tmp_path / TILE)
    assert nasa.of("archive")[0].headers["authorization"] == f"Bearer {nasa.token}"


def test_no_login_asks_nothing_and_names_the_ways(nasa, tmp_path, monkeypatch):
    nasa.add(TILE, CONTENT)
    monkeypatch.delenv("EARTHDATA_TOKEN")
    with pytest.raises(InputError, match=r"EARTHDATA_TOKEN, or .* localhost in ~/\.netrc"):
        fetched(nasa, tmp_path / TILE)
    assert nasa.of("archive") == []


def test_damaged_netrc_is_named_without_its_password(nasa, tmp_path, monkeypatch):
    nasa.add(TILE, CONTENT)
    monkeypatch.delenv("EARTHDATA_TOKEN")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.netrc").write_text("machine localhost login jane pasword s3cret\n")
    with pytest.raises(InputError, match=r"netrc: line 1: found not readable") as fault:
        fetched(nasa, tmp_path / TILE)
    assert "s3cret" not in str(fault.value)


def jwt(seconds: int) -> str:
    parts = [{"alg": "none"}, {"uid": "jane", "exp": seconds}]
    encoded = [
        base64.urlsafe_b64encode(json.dumps(it).encode()).decode().rstrip("=") for it in parts
    ]
    return ".".join([*encoded, "signature"])


def test_expired_token_is_seen_before_it_is_sent(nasa, tmp_path, monkeypatch):
    nasa.add(TILE, CONTENT)
    monkeypatch.setenv("EARTHDATA_TOKEN", jwt(1_000_000_000))
    with pytest.raises(InputError, match=r"expired 2001-09-09T01:46:40Z; expected a new one"):
        fetched(nasa, tmp_path / TILE)
    assert nasa.of("archive") == []
    nasa.token = jwt(4_000_000_000)
    monkeypatch.setenv("EARTHDATA_TOKEN", nasa.token)
    fetched(nasa, tmp_path / TILE)


def refuse_token(nasa, monkeypatch):
    monkeypatch.setenv("EARTHDATA_TOKEN", "t0ken-of-last-year")


def refuse_password(nasa, monkeypatch):
    monkeypatch.delenv("EARTHDATA_TOKEN")
    monkeypatch.setenv("EARTHDATA_USERNAME", "jane")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "t0ken-of-last-year")


def refuse_application(nasa, monkeypatch):
    monkeypatch.delenv("EARTHDATA_TOKEN")
    monkeypatch.setenv("EARTHDATA_USERNAME", nasa.password[0])
    monkeypatch.setenv("EARTHDATA_PASSWORD", nasa.password[1])
    nasa.approved = False


def refuse_licence(nasa, monkeypatch):
    nasa.licence = False


def send_page(nasa, monkeypatch):
    nasa.faults[TILE] = ["page"]


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        (refuse_token, r"401.*expired: make a new token at http://localhost:\d+/profile"),
        (refuse_password, r"401.*make a new token at .* or correct name and password"),
        (refuse_application, r"HTML.*approve the archive's application and its licence"),
        (refuse_licence, r"EULA Acceptance Failure: approve it at http://localhost.*client_id=app"),
        (send_page, r"HTML.*approve the archive's application and its licence"),
    ],
)
def test_refusal_says_what_to_do(nasa, tmp_path, monkeypatch, caplog, refuse, message):
    caplog.set_level(logging.DEBUG)
    nasa.add(TILE, CONTENT)
    refuse(nasa, monkeypatch)
    with pytest.raises(ConcertoError, match=message) as fault:
        fetched(nasa, tmp_path / TILE)
    assert not (tmp_path / TILE).exists()
    said = caplog.text + str(fault.value) + repr(fault.value.__cause__)
    for secret in ("t0ken", "s3cret"):
        assert secret not in said


def test_secrets_stay_secret(by_password, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    by_password.add(TILE, CONTENT)
    (asset,) = earthdata.discover(request(by_password))
    earthdata.fetch(asset, tmp_path / TILE)
    encoded = base64.b64encode(":".join(by_password.password).encode()).decode()
    for secret in ("s3cret", encoded, "session=of-jane"):
        assert secret not in caplog.text + repr(asset)


@pytest.mark.parametrize("fault", ["503", "429", "cut 300"])
def test_passing_fault_is_tried_again(nasa, tmp_path, fault):
    nasa.add(TILE, CONTENT)
    nasa.faults[TILE] = [fault, fault]
    fetched(nasa, tmp_path / TILE)
    assert (tmp_path / TILE).read_bytes() == CONTENT
    assert len(nasa.of("bucket")) == 3


@pytest.mark.parametrize("checksum", ["MD5", "SHA-256"])
def test_hash_is_compared(nasa, tmp_path, checksum):
    nasa.add(TILE, CONTENT, checksum=checksum)
    fetched(nasa, tmp_path / TILE)
    assert (tmp_path / TILE).read_bytes() == CONTENT
    nasa.files[TILE] = CONTENT[::-1]
    with pytest.raises(InputError, match=checksum.replace("-", "").lower()):
        fetched(nasa, tmp_path / "again")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [TILE]


def test_hash_of_another_kind_is_left_to_the_length(nasa, tmp_path):
    nasa.add(TILE, CONTENT, checksum="SHA-512")
    fetched(nasa, tmp_path / TILE)
    assert (tmp_path / TILE).read_bytes() == CONTENT


def test_file_of_other_length_is_refused(nasa, tmp_path):
    nasa.add(TILE, CONTENT, checksum=None)
    nasa.files[TILE] = CONTENT[:-1]
    with pytest.raises(ConcertoError, match="2047 bytes"):
        fetched(nasa, tmp_path / TILE)
    assert not (tmp_path / TILE).exists()


SUBSET = {"x": "x", "y": "y", "crs": "EPSG:6933"}
"""Cells as SMAP's are: an equal-area grid of the Earth, bands in groups."""


def globe(path: Path) -> tuple[bytes, np.ndarray]:
    """Return an HDF5 file of the globe in cells of 36 km, and its band."""
    x = (np.arange(964) - 481.5) * 36032.22
    y = (202.5 - np.arange(406)) * 36032.22
    rng = np.random.default_rng(1)
    band = rng.integers(0, 1000, (406, 964)).astype("int16")
    band[:, ::7] = -9999
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = x, y
        file["x"].attrs["units"] = "m"
        for name in ("Geophysical_Data/sm_surface", "Geophysical_Data/snow_mass"):
            stored = file.create_dataset(name, data=band, chunks=(58, 241), compression="gzip")
            stored.attrs["_FillValue"] = np.int16(-9999)
            stored.attrs["units"] = np.bytes_("m3 m-3")
            stored.attrs["scale_factor"] = 0.001
        file["waste"] = np.frombuffer(rng.bytes(2_000_000), "uint8")
    return path.read_bytes(), band


def test_window_has_the_numbers_of_the_file(nasa, tmp_path):
    content, band = globe(tmp_path / "globe.h5")
    nasa.add("SMAP.h5", content)
    path = tmp_path / "SMAP.nc"
    wanted = ["Geophysical_Data/sm_surface"]
    received = fetched(nasa, path, subset=SUBSET, bands=wanted)
    with h5netcdf.File(path) as file:
        stored = file["Geophysical_Data/sm_surface"]
        x, y = file["x"][:], file["y"][:]
        assert dict(stored.attrs) == {
            "_FillValue": -9999, "units": "m3 m-3", "scale_factor": 0.001,
        }  # fmt: skip
        assert stored.dtype == np.int16
        assert stored.dimensions == ("y", "x")
        assert "snow_mass" not in file["Geophysical_Data"]
        found = stored[...]
    # The area in cells, from the formula of the cylindrical equal-area projection (Snyder 1987,
    # eqs 10-12 to 10-15): columns 492.21 to 497.57, rows 44.42 to 46.69.
    np.testing.assert_array_equal(found, band[44:48, 492:499])
    np.testing.assert_allclose(x[[0, -1]], np.array([10.5, 16.5]) * 36032.22)
    np.testing.assert_allclose(y[[0, -1]], np.array([158.5, 155.5]) * 36032.22)
    assert received < len(content) / 4
    assert not list(tmp_path.glob("*.part"))


def test_window_across_the_antimeridian_has_both_sides(nasa, tmp_path):
    content, band = globe(tmp_path / "globe.h5")
    nasa.add("SMAP.h5", content)
    area = {"west": 178.0, "east": -178.0, "south": 0.0, "north": 10.0}
    bands = ["Geophysical_Data/sm_surface"]
    fetched(nasa, tmp_path / "SMAP.nc", subset=SUBSET, bands=bands, **area)
    with h5netcdf.File(tmp_path / "SMAP.nc") as file:
        assert file["Geophysical_Data/sm_surface"].shape[1] == band.shape[1]


def test_window_of_degrees_and_times(nasa, tmp_path):
    with h5py.File(tmp_path / "degrees.h5", "w") as file:
        file["lon"], file["lat"] = np.arange(-179.5, 180), np.arange(89.5, -90, -1)
        file["rain"] = np.arange(2 * 180 * 360, dtype="float32").reshape(2, 180, 360)
    nasa.add("rain.h5", (tmp_path / "degrees.h5").read_bytes())
    subset = {"x": "lon", "y": "lat"}
    fetched(nasa, tmp_path / "rain.nc", subset=subset, bands=["rain"])
    with h5netcdf.File(tmp_path / "rain.nc") as file:
        assert file["lon"][:].tolist() == [4.5, 5.5]
        assert file["lat"][:].tolist() == [50.5]
        first = (89 - 50) * 360 + 184
        expected = [[[first, first + 1]], [[first + 64800, first + 64801]]]
        assert file["rain"][...].tolist() == expected
        assert "_FillValue" not in file["rain"].attrs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands": ["Geophysical_Data/sm_surfce"]}, r"such as Geophysical_Data/sm_surface"),
        ({"bands": ["waste"]}, r"waste: found shape \(2000000,\); expected rows and columns"),
        ({"south": 86.0, "north": 89.0}, "cells in the area: found none"),
    ],
)
def test_window_that_cannot_be_had_leaves_nothing(nasa, tmp_path, changes, message):
    nasa.add("SMAP.h5", globe(tmp_path / "globe.h5")[0])
    asked = {"subset": SUBSET, "bands": ["Geophysical_Data/sm_surface"]} | changes
    with pytest.raises(InputError, match=message):
        fetched(nasa, tmp_path / "SMAP.nc", **asked)
    assert not list(tmp_path.glob("SMAP*"))


@pytest.mark.parametrize(
    ("changed", "message"), [(lambda it: it[:-1], "length"), (lambda it: it[::-1], "HDF5")]
)
def test_window_of_another_file_is_refused(nasa, tmp_path, changed, message):
    content = globe(tmp_path / "globe.h5")[0]
    nasa.add("SMAP.h5", content)
    nasa.files["SMAP.h5"] = changed(content)
    with pytest.raises(InputError, match=message):
        fetched(nasa, tmp_path / "SMAP.nc", subset=SUBSET, bands=["x"])


def test_refusal_during_a_window_is_not_hidden(nasa, tmp_path):
    nasa.add("SMAP.h5", globe(tmp_path / "globe.h5")[0])
    nasa.faults["SMAP.h5"] = ["", "", "404"]
    with pytest.raises(ConcertoError, match="no such file"):
        fetched(nasa, tmp_path / "SMAP.nc", subset=SUBSET, bands=["Geophysical_Data/sm_surface"])
