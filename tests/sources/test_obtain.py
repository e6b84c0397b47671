"""The files of one request of a field source: all of them, verified, or none."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from archives import wheel
from concerto.errors import ConcertoError, InputError
from concerto.plugins import LIBRARY
from concerto.sources import Asset, http
from concerto.sources._obtain import _checked, obtain
from fault_server import Request

REQUEST = {
    **{"west": 4.0, "south": 50.0, "east": 6.0, "north": 51.0},
    **{"start": "2003-02-01", "end": "2003-05-31", "bands": ["agb"]},
}
NAMES = [f"a_2003{month:02d}.nc" for month in (2, 3, 4, 5)]
FILES = {name: random.Random(name).randbytes(40_000) for name in NAMES}


def add_files(server, *faults: str) -> dict:
    """Serve the files, the first with faults; return the place that they are at."""
    for name, content in FILES.items():
        server.add(f"/d/{name}", content, *(faults if name == NAMES[0] else ()))
    template = f"{server.address}/d/a_{{year}}{{month:02d}}.nc?download=1"
    return {"protocol": "http", "locator": {"template": template, "step": "month"}}


def source_at(*places: dict) -> dict:
    said = {"title": "Biomass", "licence": "CC0-1.0", "citation": "Nobody (2014)"}
    return places[0] | said | ({"mirrors": list(places[1:])} if places[1:] else {})


@pytest.fixture
def directory(tmp_path) -> Path:
    return tmp_path / "raw/biomass/vielsalm/2003"


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_files_and_provenance(server, directory):
    obtain("biomass", source_at(add_files(server, "cut 1000")), REQUEST, directory)
    found = content(directory)
    record = json.loads(found.pop("provenance.json"))
    assert found == FILES
    assert record.pop("retrieved").endswith("+00:00")
    files = record.pop("files")
    assert list(files) == NAMES
    assert files[NAMES[0]] == {
        "url": f"{server.address}/d/{NAMES[0]}",
        "sha256": hashlib.sha256(FILES[NAMES[0]]).hexdigest(),
        "bytes": 40_000,
        "received": 40_000,
        "start": "2003-02-01",
        "end": "2003-03-01",
        "bands": ["agb"],
    }
    assert record == {
        "source": "biomass",
        "title": "Biomass",
        "origin": "http",
        "request": REQUEST
        | {"template": f"{server.address}/d/a_{{year}}{{month:02d}}.nc", "step": "month"},
        "licence": "CC0-1.0",
        "citation": "Nobody (2014)",
    }
    assert not list((directory.parent / ".downloads").iterdir())


def test_second_call_asks_nothing(server, directory):
    source = source_at(add_files(server))
    obtain("biomass", source, REQUEST, directory)
    asked = len(server.requests)
    obtain("biomass", source, REQUEST, directory)
    assert len(server.requests) == asked == 4


def test_changed_file_or_other_request_is_obtained_anew(server, directory):
    source = source_at(add_files(server))
    obtain("biomass", source, REQUEST, directory)
    (directory / NAMES[0]).write_bytes(b"changed by hand")
    obtain("biomass", source, REQUEST, directory)
    assert (directory / NAMES[0]).read_bytes() == FILES[NAMES[0]]
    obtain("biomass", source, REQUEST | {"end": "2003-03-01"}, directory)
    assert set(content(directory)) == {*NAMES[:2], "provenance.json"}


def test_failed_request_leaves_nothing_and_the_next_one_goes_on(server, directory):
    source = source_at(add_files(server, "404"))
    with pytest.raises(ConcertoError, match="has no such file"):
        obtain("biomass", source, REQUEST, directory, connections=1)
    assert not directory.exists()
    before = {name: server.sent(f"/d/{name}") for name in NAMES}
    obtain("biomass", source, REQUEST, directory)
    assert content(directory).keys() == {*NAMES, "provenance.json"}
    for name in NAMES[1:]:
        assert server.sent(f"/d/{name}") == 40_000
    assert before[NAMES[0]] == len(b"refused")


def test_complete_file_that_was_damaged_since_is_fetched_again(server, directory):
    source = source_at(add_files(server, *["503"] * 6))
    with pytest.raises(ConcertoError):
        obtain("biomass", source, REQUEST, directory, connections=4)
    (work,) = (directory.parent / ".downloads").iterdir()
    (work / "files" / NAMES[1]).write_bytes(bytes(40_000))
    with (work / "journal").open("a") as journal:
        journal.write('{"filename": "a_2003')  # as a killed run may leave it
    obtain("biomass", source, REQUEST, directory)
    assert content(directory)[NAMES[1]] == FILES[NAMES[1]]
    assert [server.sent(f"/d/{name}") for name in NAMES[1:]] == [80_000, 40_000, 40_000]


KILLED = """
import sys, json
from pathlib import Path
from concerto.sources._obtain import obtain
obtain("biomass", *json.loads(sys.argv[1]), Path(sys.argv[2]), connections=2)
"""


def test_killed_run_goes_on_and_nothing_complete_comes_again(server, directory):
    source = source_at(add_files(server))
    for name in NAMES[2:]:
        server.faults[f"/d/{name}"] = ["stall 15000"]
    command = [sys.executable, "-c", KILLED, json.dumps([source, REQUEST]), str(directory)]
    environment = os.environ | {"PYTHONPATH": str(LIBRARY.parent)}
    with subprocess.Popen(command, env=environment) as process:
        until = time.monotonic() + 30
        parts = [f".downloads/2003.*/files/{name}.part" for name in NAMES[2:]]

        def stalled() -> bool:
            sizes = [f.stat().st_size for part in parts for f in directory.parent.glob(part)]
            return sizes == [15_000, 15_000]

        while not stalled() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not directory.exists()
    obtain("biomass", source, REQUEST, directory)
    assert {name: content(directory)[name] for name in NAMES} == FILES
    assert [len(server.asked(f"/d/{name}")) for name in NAMES] == [1, 1, 2, 2]
    assert sum(request.sent for request in server.requests) == 4 * 40_000
    assert server.asked(f"/d/{NAMES[2]}")[-1].range == "bytes=15000-"


def test_run_killed_ten_times_goes_on_where_it_was(server, directory):
    """At random moments, counted in bytes that were served: the first file comes at once."""
    source = source_at(add_files(server))
    moments = random.Random(20141)
    files = {name: moments.randbytes(400_000) for name in NAMES}
    server.files |= {f"/d/{name}": content for name, content in files.items()}
    command = [sys.executable, "-c", KILLED, json.dumps([source, REQUEST]), str(directory)]
    environment = os.environ | {"PYTHONPATH": str(LIBRARY.parent)}

    def served() -> int:
        return sum(server.sent(f"/d/{name}") for name in NAMES[1:])

    for _ in range(10):
        for name in NAMES[1:]:
            server.faults[f"/d/{name}"] = ["drip 1000 0.002"]
        here, seen = state(directory), len(server.requests)
        enough = served() + moments.randint(10_000, 90_000)
        with subprocess.Popen(command, env=environment) as process:
            while served() < enough and process.poll() is None:
                time.sleep(0.002)
            assert process.poll() is None
            process.kill()
        assert not directory.exists()
        check_resumed(server.requests[seen:], here)
    server.faults.clear()
    here, seen = state(directory), len(server.requests)
    assert here[NAMES[0]] is None
    assert max(here[name] or 0 for name in NAMES[1:]) > 0
    obtain("biomass", source, REQUEST, directory)
    check_resumed(server.requests[seen:], here)
    assert {name: content(directory)[name] for name in NAMES} == files


def state(directory: Path) -> dict[str, int | None]:
    """Return how many bytes of each file are here, None where it is complete."""
    found: dict[str, int | None] = dict.fromkeys(NAMES, 0)
    for part in directory.parent.glob(".downloads/2003.*/files/*.part"):
        found[part.stem] = part.stat().st_size
    for journal in directory.parent.glob(".downloads/2003.*/journal"):
        found |= {json.loads(line)["filename"]: None for line in journal.read_text().splitlines()}
    return found


def check_resumed(requests: list[Request], here: dict[str, int | None]) -> None:
    """Assert that no complete file was asked for, and of others only what was not here."""
    for request in requests:
        had = here[Path(request.path).name]
        assert had is not None
        assert request.range == (f"bytes={had}-" if had else None)


def test_mirror_serves_where_the_first_place_cannot(server, mirror, directory, caplog):
    first = add_files(server, "401")
    obtain("biomass", source_at(first, add_files(mirror)), REQUEST, directory)
    record = json.loads(content(directory)["provenance.json"])
    assert record["request"]["template"].startswith(mirror.address)
    assert all(file["url"].startswith(mirror.address) for file in record["files"].values())
    assert "401 Unauthorized" in caplog.text
    asked = len(mirror.requests)
    obtain("biomass", source_at(first, add_files(mirror)), REQUEST, directory)
    assert len(mirror.requests) == asked
    assert not list((directory.parent / ".downloads").iterdir())


def test_error_says_why_each_place_failed(server, mirror, directory):
    source = source_at(add_files(server, "401"), add_files(mirror, "404"))
    with pytest.raises(ConcertoError) as fault:
        obtain("biomass", source, REQUEST, directory)
    assert re.search("401 Unauthorized.*; and of its mirrors, .*no such file", str(fault.value))
    assert not directory.exists()


def test_what_comes_of_an_archive_is_kept_without_it(server, directory):
    packed = wheel({f"x/{name}": content for name, content in FILES.items()})
    locator = {
        "template": server.add("/all.zip", packed),
        "step": "month",
        "members": ["x/a_{year}{month:02d}.nc"],
    }
    obtain("biomass", source_at({"protocol": "http", "locator": locator}), REQUEST, directory)
    assert content(directory).keys() == {*NAMES, "provenance.json"}
    assert server.sent("/all.zip") == len(packed)
    record = json.loads(content(directory)["provenance.json"])
    assert sum(file["received"] for file in record["files"].values()) == len(packed)


def test_no_file_where_none_must_be(directory):
    locator = {"files": [], "may_be_empty": True}
    obtain("biomass", source_at({"protocol": "http", "locator": locator}), REQUEST, directory)
    assert json.loads(content(directory)["provenance.json"])["files"] == {}


def test_only_so_many_files_are_fetched_at_a_time(server, directory, monkeypatch):
    most, here = 0, []

    def fetch(asset: Asset, path: Path) -> int:
        nonlocal most
        here.append(asset)
        most = max(most, len(here))
        time.sleep(0.05)
        here.pop()
        path.write_bytes(b"x")
        return 1

    monkeypatch.setattr(http, "fetch", fetch)
    obtain("biomass", source_at(add_files(server)), REQUEST, directory, connections=3)
    assert most == 3


def test_progress_is_told(server, directory, caplog):
    caplog.set_level(logging.INFO, logger="concerto")
    sums = "".join(f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n" for name in NAMES)
    place = add_files(server, "drip 2000 0.1")
    place["locator"] = {
        "files": [
            {"url": f"{server.address}/d/{name}", "size": 40_000, "start": f"2003-0{n}-01"}
            for n, name in enumerate(NAMES, 2)
        ],
        "checksums": server.add("/sums", sums.encode()),
    }
    obtain("biomass", source_at(place), REQUEST, directory)
    told = [record.getMessage() for record in caplog.records if "_obtain" in record.name]
    assert told[0] == "biomass: 0 of 4 files are here already"
    assert told[-1] == f"biomass: 4 files, 0.160 MB received, {directory}"
    assert f"{NAMES[0]}: 0.040 MB" in told
    lines = [record.getMessage() for record in caplog.records if "progress" in record.name]
    under_way = [line for line in lines if re.fullmatch(
        r"biomass: [0-4] of 4 files, 0\.[012] of 0\.2 MB, \d+ %, \d\.\d\d MB/s(, 0:\d\d min left)?",
        line)]  # fmt: skip
    assert 3 <= len(under_way) <= 20


def test_secrets_stay_out_of_logs_and_provenance(server, directory, caplog):
    caplog.set_level(logging.DEBUG, logger="concerto")
    place = add_files(server, "503", "cut 100")
    secret = place["locator"]["template"].replace("//", "//me:s3cret@") + "&token=s3cret"
    place["locator"]["template"] = secret
    obtain("biomass", source_at(place), REQUEST, directory)
    assert server.requests[-1].query["token"] == "s3cret"
    assert "s3cret" not in caplog.text + (directory / "provenance.json").read_text()


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".a", "provenance.json"])
def test_file_name_that_is_no_plain_one_is_refused(name):
    with pytest.raises(InputError, match="expected a plain file name"):
        _checked("biomass", [Asset(name, "https://h.org/a")])
