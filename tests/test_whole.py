"""Files and folders that are whole or not there, whatever befalls those who write them."""

from __future__ import annotations

import os
import platform
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import xarray as xr
from concerto.cubes import save
from concerto.errors import ConcertoError
from concerto.products.files import write_text
from concerto.whole import whole_directory, whole_file

WRITER = """
import sys, time
from pathlib import Path
from concerto.whole import whole_directory
with whole_directory(Path(sys.argv[1])) as folder:
    (folder / "part").write_text("of the one before")
    print("begun", flush=True)
    time.sleep(60)
"""


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """Let no file become larger than a number of bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def noise() -> xr.Dataset:
    values = np.random.default_rng(1).random(50000)
    return xr.Dataset({"a": ("x", values)})


def test_what_does_not_fit_is_told_and_leaves_the_old_file(tmp_path, noise):
    text, cube = tmp_path / "a.txt", tmp_path / "a.nc"
    write_text("old", text)
    writers = {text: lambda: write_text("x" * 9000, text), cube: lambda: save(noise, cube)}
    for path, write in writers.items():
        with no_room(8000), pytest.raises(ConcertoError) as told:
            write()
        assert str(told.value) == f"{path}: could not be written: File too large"
    assert text.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_faults_of_other_kinds_stay_what_they_are(tmp_path):
    with pytest.raises(ConnectionError, match="reset"), whole_file(tmp_path / "a"):
        raise ConnectionError("reset")
    with pytest.raises(RuntimeError, match="a bug"), whole_directory(tmp_path / "b"):
        raise RuntimeError("a bug")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_the_one_before(tmp_path):
    for name in ("first", "second"):
        with whole_directory(tmp_path / "a") as folder:
            (folder / name).touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "second"]


def test_one_who_was_killed_leaves_nothing_and_one_who_is_at_work_is_left_alone(tmp_path):
    target = tmp_path / "a"
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(2)
    ]
    killed, working = begun
    with killed, working:
        for writer in begun:
            assert writer.stdout.readline() == b"begun\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with whole_directory(target) as folder:
            (folder / "own").touch()
        left = f".a.{platform.node()}.{working.pid}.part"
        assert sorted(path.name for path in tmp_path.iterdir()) == [left, "a"]
        assert [path.name for path in target.iterdir()] == ["own"]
        working.kill()
