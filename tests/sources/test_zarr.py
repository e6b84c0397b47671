"""Windows of Zarr stores on real servers, against xarray on the same stores."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path

import boto3
import h5netcdf
import numpy as np
import pytest
import xarray as xr
import zarr as library
from concerto.errors import ConcertoError, InputError
from concerto.sources import zarr
from concerto.sources._zarr_store import objects_of
from fault_server import FaultServer, serve
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem
from zarr_archive import write_cmip6, write_era5, write_terraclimate

NAME, CHUNK = "v2", "tp/1.0.0"
EUROPE = {"west": -24.0, "east": 34.0, "south": 21.0, "north": 62.0}
PACIFIC = {"west": 163.0, "east": -171.0, "south": -44.0, "north": -41.0}
BRAZIL = {"west": -61.0, "east": -48.0, "south": -12.0, "north": 2.0}
TOWER = {"west": 5.99, "east": 5.99, "south": 50.3, "north": 50.3}
SUMMER = {"start": "2003-06-11", "end": "2003-07-05"}
DAYS = {"start": "2003-06-03", "end": "2003-06-05"}
ERA5 = {"v2": (2, False), "v3": (3, False), "sharded": (3, True)}


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """A folder with a store of each kind."""
    folder = tmp_path_factory.mktemp("stores")
    for name, kind in ERA5.items():
        write_era5(folder / name, *kind)
    write_terraclimate(folder / "terraclimate")
    for calendar in ("noleap", "360_day", "standard"):
        write_cmip6(folder / calendar, calendar)
    return folder


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    for name, value in {"FIRST_WAIT_S": "0.001", "LONGEST_WAIT_S": "0.01"}.items():
        monkeypatch.setenv(f"CONCERTO_HTTP_{name}", value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def site(stores):
    with serve(stores) as served:
        yield served


@pytest.fixture
def own(stores, tmp_path):
    """A copy of the first store that a test may damage, on a server of its own."""
    shutil.copytree(stores / "v2", tmp_path / "site/v2")
    with serve(tmp_path / "site") as served:
        yield served


def sent(served: FaultServer) -> int:
    """Return the bytes of all objects so far."""
    there = [one for one in served.requests if served.content(one.path) is not None]
    return sum(request.sent for request in there)


def chunks(served: FaultServer) -> list[str]:
    """Return the chunks of bands that were asked for, in order of their names."""
    paths = [request.path for request in served.requests]
    return sorted(path for path in paths if re.search(r"/(t2m|tp)/(c/)?\d", path))


def request_of(site, name: str, area=EUROPE, period=SUMMER, bands=("t2m", "tp"), **more) -> dict:
    return {"store": f"{site.address}/{name}", "bands": list(bands), **area, **period, **more}


def obtain(request: dict, folder: Path) -> dict[str, Path]:
    """Return the files of a request by name."""
    paths = {}
    for asset in zarr.discover(request):
        paths[asset.filename] = folder / asset.filename
        assert zarr.fetch(asset, paths[asset.filename]) > 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(paths)
    return paths


def joined(paths: dict[str, Path], **options) -> xr.Dataset:
    """Return the files of a request one after the other in time."""
    parts = [xr.load_dataset(path, engine="h5netcdf", **options) for path in paths.values()]
    return xr.concat(parts, "time", data_vars="minimal", coords="minimal", compat="override")


def expected(store: Path, area: dict, period: dict, **options) -> xr.Dataset:
    """Return what xarray has of a store on cells that an area overlaps, by its centres."""
    data = xr.open_zarr(store, consolidated=True, **options)
    rows, columns = (next(n for n in data.dims if n.startswith(part)) for part in ("lat", "lon"))
    east = area["east"] + 360 * (area["east"] < area["west"])
    size = {name: abs(float(data[name][1] - data[name][0])) for name in (rows, columns)}
    low = area["west"] - size[columns] / 2 + 1e-9
    turned = low + (data[columns].values - low) % 360
    order = np.argsort(turned)
    order = order[turned[order] < east + size[columns] / 2]
    inside = (data[rows] > area["south"] - size[rows] / 2) & (
        data[rows] < area["north"] + size[rows] / 2
    )
    decoded = xr.decode_cf(data[["time"]]).time
    times = decoded.sel(time=slice(period["start"], period["end"])).time
    chosen = np.isin(decoded.values, times.values)
    return data.isel({rows: inside.values, columns: order, "time": chosen})


def plain(attributes: dict) -> dict:
    """Return attributes in which NaN equals NaN."""
    return {name: str(value) for name, value in attributes.items()}


@pytest.mark.parametrize(
    ("kind", "area"),
    [
        *((kind, EUROPE) for kind in ERA5),
        *(("v2", area) for area in (PACIFIC, BRAZIL, TOWER)),
        ("sharded", PACIFIC),
    ],
)
def test_numbers_are_those_of_the_store(site, stores, tmp_path, kind, area):
    paths = obtain(request_of(site, kind, area), tmp_path)
    assert list(paths) == ["2003-06.nc", "2003-07.nc"]
    for options in ({"mask_and_scale": False, "decode_times": False}, {}):
        found, wanted = joined(paths, **options), expected(stores / kind, area, SUMMER, **options)
        assert found.sizes == wanted.sizes
        assert found.sizes["time"] == 25 * 24
        for name in ("t2m", "tp", "time", "latitude"):
            assert found[name].dtype == wanted[name].dtype
            np.testing.assert_array_equal(found[name].values, wanted[name].values)
            kept = dict(wanted[name].attrs)
            if name == "latitude":  # a coordinate has no fill value
                kept.pop("_FillValue", None)
            assert plain(found[name].attrs) == plain(kept)
    assert found.t2m.encoding["scale_factor"] == 0.01
    assert found.attrs == {"institution": "ECMWF"}
    found, wanted = found.longitude.values, wanted.longitude.values
    assert (np.diff(found) == 10).all()
    np.testing.assert_array_equal(found % 360, wanted % 360)


def test_added_turns_of_longitudes_are_said(site, tmp_path):
    data = joined(obtain(request_of(site, "v2"), tmp_path))
    assert data.longitude.values.tolist() == [340, 350, 360, 370, 380, 390]
    assert data.longitude.comment == (
        "whole turns are added to the last 4, which the archive has from 0 to 30"
    )


def test_same_request_same_file(site, tmp_path):
    request = request_of(site, "v3", bands=["tp"])
    first, second = (obtain(request, tmp_path / name) for name in "ab")
    for name in first:
        assert first[name].read_bytes() == second[name].read_bytes()


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard"])
def test_calendars_of_climate_models(site, stores, tmp_path, calendar):
    period = {"start": "2003-01-15", "end": "2004-02-29"}
    paths = obtain(request_of(site, calendar, BRAZIL, period, ["pr"]), tmp_path)
    assert list(paths) == ["2003-01-15_2004-02-29.nc"]
    found = joined(paths, decode_times=xr.coders.CFDatetimeCoder(use_cftime=True))
    days = {"noleap": 365 + 45, "360_day": 360 + 46, "standard": 365 + 46}
    assert found.sizes["time"] == days[calendar]
    assert str(found.time.values[0]) == "2003-01-15 12:00:00"
    last = {"noleap": "2004-02-28", "360_day": "2004-02-30", "standard": "2004-02-29"}[calendar]
    assert str(found.time.values[-1]) == f"{last} 12:00:00"
    found = joined(paths, decode_times=False)
    wanted = xr.open_zarr(stores / calendar, decode_times=False)
    first = int(np.flatnonzero(wanted.time.values == found.time_bnds.values[0, 0] + 0.5)[0])
    steps = slice(first, first + days[calendar])
    wanted = wanted.isel(time=steps).sel(lat=slice(-15, 5), lon=slice(297, 313))
    np.testing.assert_array_equal(found.pr.values, wanted.pr.values)
    np.testing.assert_array_equal(found.time_bnds.values, wanted.time_bnds.values)


def test_months_of_a_year_in_a_chunk_are_one_file(site, stores, tmp_path):
    period = {"start": "2002-01-01", "end": "2003-06-30"}
    paths = obtain(request_of(site, "terraclimate", EUROPE, period, ["ppt"]), tmp_path)
    assert list(paths) == ["2002.nc", "2003.nc"]
    np.testing.assert_array_equal(
        joined(paths).ppt.values, expected(stores / "terraclimate", EUROPE, period).ppt.values
    )


def test_asset_says_what_it_covers(site):
    first, second = zarr.discover(request_of(site, "v2"))
    assert (first.start, first.end) == ("2003-06-11T00:00:00Z", "2003-07-01T00:00:00Z")
    assert (second.start, second.end) == ("2003-07-01T00:00:00Z", "2003-07-06T00:00:00Z")
    assert first.bands == ("t2m", "tp")
    assert first.url == f"{site.address}/v2"
    json.dumps(first.details)


@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_only_chunks_of_the_window_come(site, stores, tmp_path, kind):
    request = request_of(site, kind, BRAZIL, {"start": "2003-06-11", "end": "2003-06-20"})
    (asset,) = zarr.discover(request)
    assert chunks(site) == []
    before = sent(site)
    received = zarr.fetch(asset, tmp_path / "a.nc")
    assert received == sent(site) - before
    # Steps 240 to 480 are the chunk 1; latitudes 10 to -20 the rows 8 to 11, longitudes 290 to
    # 320 the columns 30 to 31.
    separator = "/" if kind == "v3" else "."
    key = ("c/" if kind == "v3" else "") + separator.join(["1", "1", "2"])
    wanted = [f"/{kind}/{band}/{key}" for band in ("t2m", "tp")]
    assert chunks(site) == wanted
    needed = sum((stores / chunk.strip("/")).stat().st_size for chunk in wanted)
    assert needed < received < needed + 20_000
    assert asset.details["chunk_bytes"] == 240 * 7 * 12 * (2 + 4)
    assert asset.details["window_bytes"] == 240 * 2 * 2 * (2 + 4)


def test_parts_of_shards_come(site, stores, tmp_path):
    request = request_of(site, "sharded", BRAZIL, {"start": "2003-06-11", "end": "2003-06-20"})
    (asset,) = zarr.discover(request)
    received = zarr.fetch(asset, tmp_path / "a.nc")
    whole = sum((stores / f"sharded/{band}/c/0/1/0").stat().st_size for band in ("t2m", "tp"))
    assert received < whole / 4


def test_blocks_are_joined(site, stores, tmp_path, monkeypatch):
    monkeypatch.setattr(zarr, "BLOCK_BYTES", 1)
    found = joined(obtain(request_of(site, "v2"), tmp_path))
    np.testing.assert_array_equal(found.tp, expected(stores / "v2", EUROPE, SUMMER).tp)


def test_much_larger_chunks_are_said_before(site, caplog):
    caplog.set_level(logging.WARNING, "concerto")
    zarr.discover(request_of(site, "v2", EUROPE))
    assert not caplog.messages
    zarr.discover(request_of(site, "v2", TOWER))
    (message,) = caplog.messages
    assert "for a window of 0.0 MB its chunks of 0.4 MB have to be received, 101 times" in message


def test_received_is_said_beside_all_there_is(site, tmp_path, caplog):
    caplog.set_level(logging.INFO, "concerto")
    (asset,) = zarr.discover(
        request_of(site, "v2", TOWER, {"start": "2003-06-01", "end": "2003-06-02"})
    )
    received = zarr.fetch(asset, tmp_path / "a.nc")
    assert f"received {received / 1e6:.1f} MB; all of its bands is 6 MB" in caplog.text


def test_a_store_for_each_month_and_band(site, stores, tmp_path):
    for month in ("06", "07"):
        data = xr.open_zarr(stores / "v2").sel(time=f"2003-{month}")
        for band in ("t2m", "tp"):
            data[[band]].drop_encoding().to_zarr(
                tmp_path / f"site/2003/{month}/{band}", zarr_format=2, consolidated=True
            )
    with serve(tmp_path / "site") as served:
        request = request_of(served, "{year}/{month}/{band}", BRAZIL)
        paths = obtain(request, tmp_path / "out")
    assert list(paths) == ["t2m_2003-06.nc", "tp_2003-06.nc", "t2m_2003-07.nc", "tp_2003-07.nc"]
    rain = joined({name: path for name, path in paths.items() if name.startswith("tp")})
    np.testing.assert_array_equal(rain.tp, expected(stores / "v2", BRAZIL, SUMMER).tp)


def test_dimensions_in_another_order(stores, tmp_path):
    order = ("longitude", "time", "latitude")
    data = xr.open_zarr(stores / "v2").sel(time="2003-06").transpose(*order)
    data.drop_encoding().to_zarr(tmp_path / "site/turned", zarr_format=2, consolidated=True)
    with serve(tmp_path / "site") as served:
        request = request_of(served, "turned", period={"start": "2003-06-11", "end": "2003-06-30"})
        found = joined(obtain(request, tmp_path / "out"))
    wanted = expected(stores / "v2", EUROPE, {"start": "2003-06-11", "end": "2003-06-30"})
    assert found.tp.dims == order
    np.testing.assert_array_equal(found.tp.values, wanted.tp.transpose(*order).values)


def test_a_store_for_each_band_by_name(site):
    store = {"t2m": f"{site.address}/v2", "tp": f"{site.address}/v3"}
    assets = zarr.discover(request_of(site, "", TOWER, store=store))
    assert {(asset.url[-2:], asset.bands) for asset in assets} == {
        ("v2", ("t2m",)),
        ("v3", ("tp",)),
    }
    with pytest.raises(InputError, match="found ssrd; expected a band that has one: t2m, tp"):
        zarr.discover(request_of(site, "", TOWER, store=store, bands=["ssrd"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands": ["t3m"]}, "band: found t3m; expected 5 others, such as t2m"),
        ({"store": "{}/nowhere"}, "store: found no Zarr group; expected one of format 2 or 3"),
        ({"store": "ftp://a/b"}, "store: found ftp://a/b; expected an address of http"),
        (
            {"start": "2003-05-01"},
            "found 2003-06-01T00:00:00 to 2003-07-31T23:00:00; expected 2003-05-01 to",
        ),
        ({"end": "2003-08-01"}, "to 2003-07-31T23:00:00; expected 2003-06-11 to 2003-08-01"),
        ({"start": "1999-01-01", "end": "1999-12-31"}, "expected 1999-01-01 to 1999-12-31"),
        (
            {"dimensions": {"time": "t"}, "bands": ["latitude"]},
            "dimensions of latitude: found latitude",
        ),
        ({"signing": "nobody"}, "signing: found nobody; expected planetary_computer"),
    ],
)
def test_what_a_store_has_not(site, changes, message):
    request = request_of(site, "v2") | changes
    request["store"] = request["store"].format(site.address)
    with pytest.raises(InputError, match=message):
        zarr.discover(request)


def test_nothing_of_a_period_may_be_no_error(site):
    request = request_of(site, "v2", period={"start": "1999-01-01", "end": "1999-12-31"})
    assert zarr.discover(request | {"may_be_empty": True}) == []


def change(store: Path, name: str, values=None, **attributes) -> None:
    """Change a coordinate or attributes of a store."""
    group = library.open_group(store, mode="r+", use_consolidated=False)
    target = group[name] if name else group
    if values is not None:
        target[:] = values(target[:])
    target.attrs.update(attributes)
    library.consolidate_metadata(store, zarr_format=2)


def twice(times):
    times[700] = times[699]
    return times


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (twice, "instants that do not ascend; expected each once, in order"),
        (lambda times: times[::-1], "instants that do not ascend"),
        (
            lambda times: times + 30 * (np.arange(times.size) >= 500),
            "no step for 31.0 steps after 2003-06-21T19",
        ),
    ],
    ids=["twice", "backwards", "gap"],
)
def test_times_without_order_or_with_gaps(own, values, message):
    change(own.folder / NAME, "time", values)
    with pytest.raises(InputError, match=message):
        zarr.discover(request_of(own, "v2"))


def test_an_axis_beyond_what_is_there(own, tmp_path):
    change(own.folder / NAME, "", valid_time_start="2003-06-05", valid_time_stop="2003-07-10")
    assert obtain(request_of(own, "v2"), tmp_path / "out")
    for period in ({"start": "2003-06-04"}, {"end": "2003-07-11"}):
        with pytest.raises(InputError, match="2003-06-05T00:00:00 to 2003-07-10T23:00:00"):
            zarr.discover(request_of(own, "v2") | period)


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("time", {"units": "hours"}, "time: found units 'hours'"),
        ("time", {"calendar": "lunar"}, "calendar 'lunar'"),
        ("latitude", {"scale_factor": 0.1}, "latitude: found packed numbers; expected plain ones"),
    ],
)
def test_coordinates_that_say_too_little(own, name, attributes, message):
    change(own.folder / NAME, name, **attributes)
    with pytest.raises(InputError, match=message):
        zarr.discover(request_of(own, "v2"))


def test_dimensions_can_be_named(own):
    group = library.open_group(own.folder / NAME, mode="r+", use_consolidated=False)
    del group["longitude"].attrs["units"]
    for name in ("t2m", "tp"):
        group[name].attrs["_ARRAY_DIMENSIONS"] = ["time", "latitude", "x"]
    shutil.move(own.folder / NAME / "longitude", own.folder / NAME / "x")
    library.consolidate_metadata(own.folder / NAME, zarr_format=2)
    request = request_of(own, "v2")
    with pytest.raises(InputError, match="found time, latitude, x; expected time, latitude and"):
        zarr.discover(request)
    assert zarr.discover(request | {"dimensions": {"longitude": "x"}})


def test_metadata_need_not_be_in_one_object(own, tmp_path):
    (own.folder / NAME / ".zmetadata").unlink()
    assert obtain(request_of(own, "v2", TOWER), tmp_path / "out")
    with pytest.raises(InputError, match="band: found t3m; expected another"):
        zarr.discover(request_of(own, "v2", bands=["t3m"]))


def test_a_missing_chunk_is_an_error(own, tmp_path):
    (own.folder / NAME / CHUNK).unlink()
    first = zarr.discover(request_of(own, "v2"))[0]
    with pytest.raises(
        InputError, match=f"chunk {CHUNK}: found no such object; expected every chunk"
    ):
        zarr.fetch(first, tmp_path / "out/a.nc")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_chunk_may_be_left_out_where_that_is_known(own, stores, tmp_path, caplog):
    (own.folder / NAME / CHUNK).unlink()
    found = joined(obtain(request_of(own, "v2", sparse=True), tmp_path / "out"))
    wanted = expected(stores / "v2", EUROPE, SUMMER).tp.values.copy()
    wanted[:240, :4, 2:] = np.nan
    np.testing.assert_array_equal(found.tp.values, wanted)
    assert f"2003-06.nc: 1 chunks are not in the store: fill; one is {CHUNK}" in caplog.text


def test_fill_that_is_a_value_fills_no_chunk(own, tmp_path):
    (own.folder / NAME / CHUNK).unlink()
    array = json.loads((own.folder / NAME / "tp/.zarray").read_text())
    (own.folder / NAME / "tp/.zarray").write_text(json.dumps(array | {"fill_value": None}))
    library.consolidate_metadata(own.folder / NAME, zarr_format=2)
    first = zarr.discover(request_of(own, "v2", sparse=True))[0]
    with pytest.raises(InputError, match=f"chunk {CHUNK}: found no such object"):
        zarr.fetch(first, tmp_path / "a.nc")


def test_a_coordinate_may_not_be_left_out(own):
    (own.folder / NAME / "latitude/0").unlink()
    with pytest.raises(InputError, match="chunk latitude/0: found no such object"):
        zarr.discover(request_of(own, "v2", sparse=True))


@pytest.mark.parametrize("kind", ["v2", "v3"])
@pytest.mark.parametrize("kept", [0, 0.5, 0.999, None], ids=["empty", "half", "most", "garbage"])
def test_a_damaged_chunk_is_named(stores, tmp_path, kind, kept):
    shutil.copytree(stores / kind, tmp_path / "site" / kind)
    chunk = tmp_path / "site" / kind / {"v2": CHUNK, "v3": "tp/c/1/0/0"}[kind]
    whole = chunk.read_bytes()
    chunk.write_bytes(b"x" * len(whole) if kept is None else whole[: int(kept * len(whole))])
    with serve(tmp_path / "site") as served:
        first = zarr.discover(request_of(served, kind))[0]
        with pytest.raises(InputError, match=r"chunk.*tp.*: found damaged"):
            zarr.fetch(first, tmp_path / "out/a.nc")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("fault", ["503", "429 0", "cut 500", "reset", "chunked 500"])
def test_faults_that_pass(own, stores, tmp_path, fault):
    own.faults = {f"/v2/{CHUNK}": [fault, fault], "/v2/.zmetadata": [fault]}
    found = joined(obtain(request_of(own, "v2"), tmp_path / "out"))
    np.testing.assert_array_equal(found.tp, expected(stores / "v2", EUROPE, SUMMER).tp)


@pytest.mark.parametrize(
    ("where", "fault", "message"),
    [
        (CHUNK, "html", "page"),
        (CHUNK, "hidden html", "page"),
        (".zmetadata", "html", "page"),
        (CHUNK, "403", "403 Forbidden; a login"),
        (CHUNK, "503", "503"),
        (CHUNK, "short 5", "found damaged"),
        ("time/0", "401", "401"),
        (".zmetadata", "empty", "metadata: found"),
    ],
)
def test_faults_that_stay(own, tmp_path, where, fault, message):
    own.faults = {f"/v2/{where}": [fault] * 99}
    with pytest.raises(ConcertoError, match=message):
        obtain(request_of(own, "v2"), tmp_path / "out")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def logins(served: FaultServer) -> set[str | None]:
    return {request.headers.get("Authorization") for request in served.requests}


def test_a_key_is_sent(site, tmp_path, monkeypatch):
    (tmp_path / "rc").write_text("url: https://a.b\nkey: secret-1\n")
    where = {"environment": "STORE_KEY", "file": str(tmp_path / "rc")}
    zarr.discover(request_of(site, "v2", key=where))
    assert logins(site) == {"Bearer secret-1"}
    site.requests.clear()
    monkeypatch.setenv("STORE_KEY", "secret-2")
    (asset, _) = zarr.discover(request_of(site, "v2", key=where))
    zarr.fetch(asset, tmp_path / "a.nc")
    assert logins(site) == {"Bearer secret-2"}
    assert "secret" not in repr(asset)


def test_no_key_is_said(site, tmp_path):
    where = {"environment": "STORE_KEY", "file": str(tmp_path / "rc")}
    with pytest.raises(InputError, match=r"login: STORE_KEY: found no key; .* line `key:` in"):
        zarr.discover(request_of(site, "v2", key=where))


@pytest.fixture
def signer(monkeypatch):
    """A service that gives one token."""
    with serve() as served:
        monkeypatch.setenv("PC_SDK_SAS_URL", f"{served.address}/token")
        monkeypatch.setattr("concerto.sources._signing._tokens", {})
        token = {"token": "sig=secret", "msft:expiry": "2999-01-01T00:00:00Z"}
        served.add("/token/account/v2", json.dumps(token).encode())
        yield served


def test_addresses_are_signed(site, signer, stores, tmp_path, monkeypatch):
    # As a proxy, the server stands for the archive whatever host is asked for.
    monkeypatch.setenv("HTTP_PROXY", site.address)
    site.signature = "secret"
    request = request_of(site, "v2", TOWER, signing="planetary_computer")
    request["store"] = "http://account.blob.core.windows.net/v2"
    paths = obtain(request, tmp_path)
    assert len(signer.requests) == 1
    np.testing.assert_array_equal(joined(paths).tp, expected(stores / "v2", TOWER, SUMMER).tp)
    site.signature = "another"
    with pytest.raises(ConcertoError, match="403") as raised:
        zarr.discover(request)
    assert "secret" not in str(raised.value)


@pytest.fixture(scope="session")
def service(stores):
    """A service like S3 with a public and a private bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    login = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **login)
    buckets = {"open": ("public-read", "v2", "sharded"), "closed": ("private", "v2")}
    for bucket, (acl, *names) in buckets.items():
        client.create_bucket(Bucket=bucket, ACL=acl)
        for file in (file for name in names for file in (stores / name).rglob("*")):
            # Of the chunks only those of the first steps.
            if file.is_file() and not re.search(r"(t2m|tp)/(c/)?[1-9]", file.as_posix()):
                key = file.relative_to(stores).as_posix()
                client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes(), ACL=acl)
    yield endpoint
    server.stop()


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """No login to AWS, wherever the tests run."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    S3FileSystem.clear_instance_cache()


def in_bucket(endpoint: str, path: str, **more) -> dict:
    locator = {"store": f"s3://{path}", "endpoint": endpoint, "bands": ["t2m", "tp"], **more}
    return locator | PACIFIC | DAYS


@pytest.mark.parametrize("kind", ["v2", "sharded"])
def test_a_public_bucket(service, nobody, stores, tmp_path, kind):
    paths = obtain(in_bucket(service, f"open/{kind}", anonymous=True), tmp_path / "out")
    wanted = expected(stores / kind, PACIFIC, DAYS)
    np.testing.assert_array_equal(joined(paths).t2m, wanted.t2m)
    np.testing.assert_array_equal(joined(paths).tp, wanted.tp)


def test_a_private_bucket(service, nobody, stores, tmp_path, monkeypatch):
    request = in_bucket(service, "closed/v2")
    with pytest.raises(ConcertoError, match="no login to AWS was found; set AWS_ACCESS_KEY_ID"):
        zarr.discover(request)
    with pytest.raises(ConcertoError, match=r"refused \(.*\); expected a login"):
        zarr.discover(request | {"anonymous": True})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    S3FileSystem.clear_instance_cache()
    found = joined(obtain(request, tmp_path / "out"))
    np.testing.assert_array_equal(found.tp, expected(stores / "v2", PACIFIC, DAYS).tp)


def test_what_signs_requests_for_a_private_bucket_is_in_no_log(
    service, nobody, tmp_path, monkeypatch, caplog
):
    login = {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "s3cret", "SESSION_TOKEN": "s3ss10n"}
    for name, value in login.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in (None, "s3fs", "botocore.auth", "botocore.endpoint", "aiobotocore"):
        caplog.set_level(logging.DEBUG, name)
    obtain(in_bucket(service, "closed/v2"), tmp_path / "out")
    for secret in ("s3cret", "s3ss10n", "Signature"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/v2", "bucket: found no bucket nowhere"),
        ("open/nothing", "store: found no Zarr group"),
    ],
)
def test_what_a_service_has_not(service, nobody, path, message):
    with pytest.raises(InputError, match=message):
        zarr.discover(in_bucket(service, path, anonymous=True))


def test_a_service_that_is_not_there(nobody, monkeypatch):
    monkeypatch.setattr("concerto.sources._zarr_store.S3_ATTEMPTS", 1)
    with pytest.raises(ConcertoError, match=r"s3://open/v2/.*: no complete answer"):
        zarr.discover(in_bucket("http://127.0.0.1:9", "open/v2", anonymous=True))


def test_buckets_of_google_are_web_addresses(site):
    class Recorder:
        def whole(self, url):
            return url

    assert objects_of("gs://bucket/a/b.zarr/", Recorder()).whole("x/.zarray") == (
        "https://storage.googleapis.com/bucket/a/b.zarr/x/.zarray"
    )


@settings(deadline=None)
@given(
    west=st.floats(-180, 180),
    width=st.floats(0, 360),
    count=st.sampled_from([8, 36, 144]),
    origin=st.sampled_from([-180.0, -178.75, 0.0, 1.25, 20.0]),
)
def test_columns_are_those_that_an_area_overlaps(west, width, count, origin):
    size = 360 / count
    longitudes = origin + size * np.arange(count)
    east = west + width
    runs = zarr.columns(longitudes, west, east if east <= 180 or width == 360 else east - 360, "")
    order = np.concatenate([np.arange(*run) for run in runs])
    assert len(set(order.tolist())) == order.size
    assert len(runs) <= 2
    # Each longitude of the area is in the cell that has it, cells follow one another.
    for part in np.linspace(0.002, 0.998, 50) if width > 0.01 else [0.5]:
        longitude = west + part * width
        distance = np.abs((longitudes[order] - longitude + 180) % 360 - 180)
        assert distance.min() <= size / 2 * (1 + 1e-9)
    steps = np.diff(np.unwrap(longitudes[order], period=360))
    np.testing.assert_allclose(steps, size)
    assert order.size * size <= min(width + 2 * size, 360) + 1e-6


@settings(deadline=None)
@given(
    south=st.floats(-90, 90),
    height=st.floats(0, 180),
    descending=st.booleans(),
    count=st.sampled_from([7, 36, 73]),
)
def test_rows_are_those_that_an_area_overlaps(south, height, descending, count):
    north = min(south + height, 90.0)
    size = 180 / (count - 1) if count % 2 else 180 / count
    latitudes = (
        np.linspace(-90, 90, count) if count % 2 else np.arange(count) * size - 90 + size / 2
    )
    latitudes = latitudes[::-1] if descending else latitudes
    first, last = zarr.rows(latitudes, south, north, "")
    inside = latitudes[first:last]
    assert inside.min() - size / 2 <= south + 1e-3 * size
    assert inside.max() + size / 2 >= north - 1e-3 * size
    outside = np.delete(latitudes, np.arange(first, last))
    overlap = np.minimum(outside + size / 2, north) - np.maximum(outside - size / 2, south)
    assert (overlap <= 2e-3 * size).all()


@pytest.mark.parametrize(
    ("function", "centres", "area", "message"),
    [
        (zarr.columns, np.arange(10.0, 31), (-5, 20), "longitudes 9.5 to 30.5; expected -5 to 20"),
        (zarr.columns, np.arange(10.0, 31), (100, 120), "longitudes 9.5 to 30.5"),
        (zarr.columns, np.arange(10.0, 31), (20, 15), "longitudes 9.5 to 30.5"),
        (zarr.columns, np.arange(0.0, 361, 10), (0, 5), "370 degrees; expected at most 360"),
        (zarr.columns, np.arange(30.0, 9, -1), (20, 25), "expected ascending ones"),
        (zarr.rows, np.arange(60.0, 29, -1), (20, 40), "latitudes 29.5 to 60.5; expected 20 to 40"),
        (zarr.rows, np.arange(60.0, 29, -1), (-20, 10), "latitudes 29.5 to 60.5"),
        (zarr.rows, np.array([1.0, 3.0, 2.0]), (1, 2), "expected ascending or descending ones"),
    ],
)
def test_areas_that_a_store_does_not_cover(function, centres, area, message):
    with pytest.raises(InputError, match=message):
        function(centres, *area, "store")


def test_an_area_along_cells_needs_no_neighbours():
    assert zarr.rows(np.arange(89.5, -90, -1), 10, 20, "") == [70, 80]
    assert zarr.columns(np.arange(-179.5, 180), 10, 20, "") == [[190, 200]]
    assert zarr.columns(np.arange(-179.5, 180), 10, 10, "") == [[189, 191]]


def test_attributes_of_other_kinds(own, tmp_path):
    change(
        own.folder / NAME, "tp", flags=[1, 2], mixed=["a", 1], nested={"b": 1}, yes=True, none=None
    )
    obtain(request_of(own, "v2", TOWER), tmp_path / "out")
    with h5netcdf.File(tmp_path / "out/2003-06.nc") as file:
        found = dict(file["tp"].attrs)
    assert found["flags"].tolist() == [1, 2]
    assert (found["mixed"], found["nested"], found["yes"]) == ('["a", 1]', '{"b": 1}', "true")
    assert "none" not in found
