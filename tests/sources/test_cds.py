"""The source of the Copernicus data stores against a server that speaks as they do."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from archives import wheel as zipped
from concerto.config import ROOT
from concerto.errors import ConcertoError, InputError
from concerto.sources import cds
from portal_servers import Store
from portal_servers import store as serve

QUERY = {
    "variable": "{variables}", "year": "{years}", "month": "{months}", "day": "{days}",
    "time": ["00:00", "12:00"], "data_format": "netcdf", "download_format": "unarchived",
}  # fmt: skip
NAMES = {"t2m": "2m_temperature", "ssrd": "surface_solar_radiation_downwards"}


@pytest.fixture
def era5(monkeypatch, tmp_path):
    """A data store on this machine, with a file ready, and a user with a key."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.001")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CDSAPI_RC", raising=False)
    with serve() as served:
        monkeypatch.setenv("CDSAPI_KEY", served.key)
        served.result = netcdf(tmp_path / "made.nc", t2m=280.0)
        yield served


def netcdf(path: Path, **values: float) -> bytes:
    """Return a NetCDF-4 file with packed fields on one grid."""
    dims = ("valid_time", "latitude", "longitude")
    packing = {"scale_factor": 0.01, "add_offset": 0.0, "_FillValue": np.int16(-1)}
    fields = {
        name: (dims, np.full((2, 2, 3), int(value * 100), "int16"), packing | {"units": "K"})
        for name, value in values.items()
    }
    coords = {"valid_time": [0, 12], "latitude": [50.0, 49.9], "longitude": [4.0, 4.1, 4.2]}
    xr.Dataset(fields, coords).to_netcdf(path, engine="h5netcdf")
    return path.read_bytes()


def request(era5: Store, **changes) -> dict:
    return {
        "url": era5.url, "dataset": "reanalysis-era5-land", "query": QUERY, "names": NAMES,
        "area": True, "poll": {"first": 0.001, "longest": 0.01, "patience": 20.0},
        "west": 4.03, "south": 49.93, "east": 5.0, "north": 51.0,
        "start": "2003-01-01", "end": "2003-12-31", "bands": ["t2m"],
    } | changes  # fmt: skip


def fetched(era5: Store, path: Path, **changes) -> int:
    (asset,) = cds.discover(request(era5, **changes))
    return cds.fetch(asset, path)


def posted(era5: Store) -> list[dict]:
    return [json.loads(asked.body)["inputs"] for asked in era5.asked if asked.method == "POST"]


def test_a_year_is_ordered_awaited_and_downloaded(era5, tmp_path):
    received = fetched(era5, tmp_path / "era5.nc")
    assert (tmp_path / "era5.nc").read_bytes() == era5.result
    assert received > len(era5.result)
    (inputs,) = posted(era5)
    assert inputs == {
        "variable": ["2m_temperature"],
        "year": ["2003"],
        "month": [f"{month:02d}" for month in range(1, 13)],
        "day": [f"{day:02d}" for day in range(1, 32)],
        "time": ["00:00", "12:00"],
        "data_format": "netcdf",
        "download_format": "unarchived",
        "area": [51.0, 4.03, 49.93, 5.0],
    }
    assert {path.name for path in tmp_path.iterdir()} == {"made.nc", "era5.nc"}


def test_discover_asks_nothing(era5, monkeypatch):
    monkeypatch.delenv("CDSAPI_KEY")
    (asset,) = cds.discover(request(era5))
    assert era5.asked == []
    assert (asset.start, asset.end) == ("2003-01-01T00:00:00Z", "2004-01-01T00:00:00Z")
    assert asset.filename == "reanalysis-era5-land_20030101-20031231_51_4.03_49.93_5.nc"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2003-02-10", "2003-02-12", [(["2003"], ["02"], ["10", "11", "12"])]),
        ("2003-02-10", "2003-03-12", [(["2003"], ["02", "03"], "all")]),
        ("2003-01-01", "2005-12-31", [(["2003", "2004", "2005"], "all", "all")]),
        (
            "2003-11-20",
            "2006-02-03",
            [
                (["2003"], ["11", "12"], "all"),
                (["2004", "2005"], "all", "all"),
                (["2006"], ["01", "02"], "all"),
            ],
        ),
    ],
)
def test_period_becomes_years_months_and_days(era5, start, end, expected):
    everything = {12: "all", 31: "all"}
    assets = cds.discover(request(era5, start=start, end=end))
    found = []
    for asset in assets:
        years, months, days = (asset.details["inputs"][key] for key in ("year", "month", "day"))
        found.append((years, everything.get(len(months), months), everything.get(len(days), days)))
    assert found == expected
    assert len({asset.filename for asset in assets}) == len(assets)
    assert assets[0].start == f"{start}T00:00:00Z"
    for before, after in pairwise(assets):
        assert before.end == after.start


def test_dates_of_other_stores(era5):
    query = {"date": ["{start}/{end}"], "leadtime_hour": 0}
    (asset,) = cds.discover(request(era5, query=query, start="2003-11-20", end="2006-02-03"))
    inputs = asset.details["inputs"]
    assert (inputs["date"], inputs["leadtime_hour"]) == (["2003-11-20/2006-02-03"], 0)


def test_area_is_widened_to_cells(era5):
    (asset,) = cds.discover(request(era5, area=0.1))
    assert asset.details["inputs"]["area"] == [51.0, 4.0, 49.9, 5.0]
    (asset,) = cds.discover(request(era5, area=0.25, north=90.0))
    assert asset.details["inputs"]["area"] == [90.0, 4.0, 49.75, 5.0]
    (asset,) = cds.discover(request(era5, area=False))
    assert "area" not in asset.details["inputs"]


def test_area_across_the_antimeridian_is_two_boxes(era5):
    assets = cds.discover(request(era5, west=178.0, east=-179.0))
    areas = [asset.details["inputs"]["area"] for asset in assets]
    assert areas == [[51.0, 178.0, 49.93, 180.0], [51.0, -180.0, 49.93, -179.0]]
    assert len({asset.filename for asset in assets}) == 2


def test_key_of_a_file_for_this_store(era5, tmp_path, monkeypatch):
    monkeypatch.delenv("CDSAPI_KEY")
    file = tmp_path / "home/.cdsapirc"
    file.parent.mkdir()
    file.write_text(f"url: {era5.url}\nkey: {era5.key}\n")
    fetched(era5, tmp_path / "era5.nc")
    file.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "elsewhere"))
    fetched(era5, tmp_path / "era5.nc")
    file.write_text(f"url: https://cds.example.org/api\nkey: {era5.key}\n")
    monkeypatch.delenv("CDSAPI_RC")
    asked = len(era5.asked)
    with pytest.raises(InputError, match=r"variable CDSAPI_KEY or the file ~/\.cdsapirc"):
        fetched(era5, tmp_path / "era5.nc")
    assert len(era5.asked) == asked


def test_key_of_another_store_has_its_own_place(era5, tmp_path, monkeypatch):
    monkeypatch.setenv("CDSAPI_KEY", "of the climate store")
    monkeypatch.setenv("ADSAPI_KEY", era5.key)
    fetched(era5, tmp_path / "era5.nc", key={"environment": "ADSAPI_KEY", "file": "~/.adsapirc"})


def test_key_goes_to_the_store_alone_and_into_no_log(era5, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    (asset,) = cds.discover(request(era5))
    cds.fetch(asset, tmp_path / "era5.nc")
    assert all(asked.headers["private-token"] == era5.key for asked in era5.asked)
    (asked,) = era5.fetched
    assert "private-token" not in asked.headers
    assert era5.key not in caplog.text + repr(asset)


def test_key_follows_no_redirect(era5, tmp_path):
    era5.moved = True
    with pytest.raises(ConcertoError, match="302"):
        fetched(era5, tmp_path / "era5.nc")
    assert era5.fetched == []


def test_wrong_key_is_refused_and_kept_secret(era5, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CDSAPI_KEY", "wr0ng")
    with pytest.raises(
        InputError, match=r"Authentication failed; expected the key of .*/profile"
    ) as f:
        fetched(era5, tmp_path / "era5.nc")
    assert "wr0ng" not in caplog.text + str(f.value)


@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (
            403,
            {"title": "required licences not accepted", "detail": "Not all the required licences"},
            r"licences.*accept at .*/datasets/reanalysis-era5-land\?tab=download#manage-licences",
        ),
        (
            403,
            {"title": "cost limits exceeded", "detail": "Your request is too large"},
            "Your request is too large; expected a smaller request: a shorter `request`",
        ),
        (
            400,
            {"title": "invalid request", "detail": "no valid combination of values"},
            "invalid request: no valid combination of values",
        ),
    ],
)
def test_refusal_is_shown_with_what_to_do(era5, tmp_path, status, said, message):
    era5.refusal = (status, said)
    with pytest.raises(InputError, match=message):
        fetched(era5, tmp_path / "era5.nc")
    assert not (tmp_path / "era5.nc.job").exists()


def test_unknown_dataset_is_named(era5, tmp_path):
    with pytest.raises(InputError, match="reanalysis-era6: found not found"):
        fetched(era5, tmp_path / "era5.nc", dataset="reanalysis-era6")


@pytest.mark.parametrize("status", [429, 503])
def test_passing_refusal_is_tried_again(era5, tmp_path, status):
    era5.busy = [status, status]
    fetched(era5, tmp_path / "era5.nc")
    assert era5.busy == []
    assert len(posted(era5)) == 1


def test_failed_job_shows_its_message_and_is_not_asked_for_again(era5, tmp_path):
    era5.states = ["accepted", "failed"]
    era5.traceback = "Traceback (most recent call last):\n  ...\nMarsNoDataError: no data found\n"
    with pytest.raises(InputError, match=r"job job-0 failed: The job has failed: MarsNoDataError"):
        fetched(era5, tmp_path / "era5.nc")
    era5.states, era5.traceback = ["successful"], ""
    fetched(era5, tmp_path / "era5.nc")
    assert len(posted(era5)) == 2


@pytest.mark.parametrize("state", ["rejected", "dismissed"])
def test_other_ends_of_a_job_are_errors(era5, tmp_path, state):
    era5.states = [state]
    with pytest.raises(InputError, match=f"job job-0 {state}"):
        fetched(era5, tmp_path / "era5.nc")


def test_patience_ends_and_the_next_run_goes_on(era5, tmp_path):
    era5.states = ["accepted"]
    poll = {"first": 0.001, "longest": 0.05, "patience": 0.4}
    with pytest.raises(ConcertoError, match=r"job job-0 is accepted after .* run again later"):
        fetched(era5, tmp_path / "era5.nc", poll=poll)
    times = [asked.at for asked in era5.asked]
    assert times[-1] - times[-2] >= 0.05
    assert len(times) > 4
    era5.states = ["successful"]
    fetched(era5, tmp_path / "era5.nc")
    assert len(posted(era5)) == 1


def test_killed_run_goes_on_with_the_same_job(era5, tmp_path):
    era5.states = ["accepted"]
    script = tmp_path / "order.py"
    script.write_text(
        "import json, sys\nfrom pathlib import Path\nfrom concerto.sources import cds\n"
        "(asset,) = cds.discover(json.loads(sys.argv[1]))\ncds.fetch(asset, Path(sys.argv[2]))\n"
    )
    path = tmp_path / "raw/era5.nc"
    command = [sys.executable, str(script), json.dumps(request(era5)), str(path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    process = subprocess.Popen(command, env=environment)
    try:
        until = time.monotonic() + 30
        while len(era5.asked) < 4 and time.monotonic() < until:
            time.sleep(0.02)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(posted(era5)) == 1
    era5.states = ["running", "successful"]
    fetched(era5, path)
    assert len(posted(era5)) == 1
    assert path.read_bytes() == era5.result
    assert [file.name for file in path.parent.iterdir()] == ["era5.nc"]


def test_job_of_another_request_is_not_taken(era5, tmp_path):
    era5.states = ["accepted"]
    poll = {"first": 0.001, "longest": 0.01, "patience": 0.01}
    with pytest.raises(ConcertoError):
        fetched(era5, tmp_path / "era5.nc", poll=poll)
    era5.states = ["successful"]
    fetched(era5, tmp_path / "era5.nc", north=52.0)
    assert [inputs["area"][0] for inputs in posted(era5)] == [51.0, 52.0]


def test_forgotten_job_is_asked_for_anew(era5, tmp_path):
    (tmp_path / "era5.nc.job").write_text(
        json.dumps(
            {"job": "of-last-year", "inputs": cds.discover(request(era5))[0].details["inputs"]}
        )
    )
    fetched(era5, tmp_path / "era5.nc")
    assert len(posted(era5)) == 1
    assert (tmp_path / "era5.nc").read_bytes() == era5.result


def test_cut_download_is_resumed(era5, tmp_path):
    era5.faults = ["cut 1000"]
    fetched(era5, tmp_path / "era5.nc")
    assert (tmp_path / "era5.nc").read_bytes() == era5.result
    assert [asked.headers.get("range") for asked in era5.fetched] == [None, "bytes=1000-"]


def test_file_that_is_gone_is_asked_for_anew_by_the_next_run(era5, tmp_path):
    era5.faults = ["404"]
    with pytest.raises(ConcertoError, match="run again to ask for it anew"):
        fetched(era5, tmp_path / "era5.nc")
    fetched(era5, tmp_path / "era5.nc")
    assert len(posted(era5)) == 2


def test_one_file_in_a_zip_archive(era5, tmp_path):
    content = era5.result
    era5.result = zipped({"data_0.nc": content})
    fetched(era5, tmp_path / "raw/era5.nc")
    assert (tmp_path / "raw/era5.nc").read_bytes() == content
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["era5.nc"]


def test_several_files_in_a_zip_archive_become_one(era5, tmp_path):
    members = {
        "data_stream-oper_stepType-instant.nc": netcdf(tmp_path / "a.nc", t2m=280.0, d2m=275.0),
        "data_stream-oper_stepType-accum.nc": netcdf(tmp_path / "b.nc", tp=1.5),
    }
    era5.result = zipped(members)
    fetched(era5, tmp_path / "raw/era5.nc", bands=["t2m", "d2m", "tp"])
    with xr.open_dataset(tmp_path / "raw/era5.nc", engine="h5netcdf", decode_cf=False) as stored:
        assert set(stored.data_vars) == {"t2m", "d2m", "tp"}
        assert stored["tp"].dtype == np.int16
        assert np.all(stored["tp"] == 150)
        attributes = {"scale_factor": 0.01, "add_offset": 0.0, "_FillValue": -1, "units": "K"}
        assert stored["tp"].attrs == attributes
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["era5.nc"]


def day(path: Path, hours: float, value: int, **changes) -> bytes:
    """Return the NetCDF-4 file of one day, as data sets of satellites have them."""
    attributes = {"units": "m3 m-3", "scale_factor": 0.01} | changes
    field = ("time", "lat", "lon"), np.full((1, 2, 3), value, "int16"), attributes
    coords = {
        "time": ("time", [hours], {"units": "hours since 2003-01-01"}),
        "lat": [50.0, 49.75], "lon": [4.0, 4.25, 4.5],
    }  # fmt: skip
    grid = xr.Variable((), np.int32(0), {"grid_mapping_name": "latitude_longitude"})
    daily = xr.Dataset({"sm": field, "crs": grid}, coords, {"title": "A", "id": path.name})
    daily.to_netcdf(path, engine="h5netcdf")
    return path.read_bytes()


def test_days_in_a_zip_archive_follow_each_other(era5, tmp_path):
    names = [f"SM-{k}.nc" for k in (3, 1, 2)]
    days = {name: day(tmp_path / name, 24.0 * int(name[3]), int(name[3])) for name in names}
    era5.result = zipped(days)
    fetched(era5, tmp_path / "raw/sm.nc")
    with xr.open_dataset(tmp_path / "raw/sm.nc", engine="h5netcdf", decode_cf=False) as stored:
        np.testing.assert_array_equal(stored["time"], [24.0, 48.0, 72.0])
        np.testing.assert_array_equal(stored["sm"][:, 0, 0], [1, 2, 3])
        assert (stored["sm"].dtype, stored["crs"].dims) == (np.int16, ())
        assert stored["sm"].attrs["scale_factor"] == 0.01


@pytest.mark.parametrize(
    "other",
    [{"scale_factor": 0.02}, {"units": "%"}],
    ids=["scale", "units"],
)
def test_days_whose_numbers_mean_other_things_are_not_joined(era5, tmp_path, other):
    days = {
        "a.nc": day(tmp_path / "a.nc", 0.0, 1),
        "b.nc": day(tmp_path / "b.nc", 24.0, 1, **other),
    }
    era5.result = zipped(days)
    with pytest.raises(InputError, match="expected one grid and time"):
        fetched(era5, tmp_path / "raw/sm.nc")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (b"GRIB" + bytes(200), "needs data_format: netcdf"),
        (zipped({"data.grib": b"GRIB"}), r"found data\.grib; expected NetCDF files"),
        (zipped({"data_0.nc": b"oops"}), r"data_0\.nc: content"),
    ],
    ids=["grib", "grib in zip", "no netcdf in zip"],
)
def test_what_is_no_netcdf_is_refused(era5, tmp_path, result, message):
    era5.result = result
    with pytest.raises(InputError, match=message):
        fetched(era5, tmp_path / "raw/era5.nc")
    assert not (tmp_path / "raw/era5.nc").exists()


def test_files_of_different_grids_are_not_merged(era5, tmp_path):
    netcdf(tmp_path / "b.nc", tp=1.5)
    with xr.open_dataset(tmp_path / "b.nc", engine="h5netcdf", decode_cf=False) as stored:
        stored.assign_coords(latitude=[60.0, 59.9]).to_netcdf(tmp_path / "c.nc", engine="h5netcdf")
    other = (tmp_path / "c.nc").read_bytes()
    era5.result = zipped({"a.nc": era5.result, "b.nc": other})
    with pytest.raises(InputError, match="expected one grid and time"):
        fetched(era5, tmp_path / "raw/era5.nc")
