"""Libraries that read remote objects by their parts."""

from __future__ import annotations

import threading

import h5netcdf
import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr
from concerto.errors import ConcertoError, InputError
from concerto.sources._http import BLOCK_BYTES, Client, MissingError, RemoteFiles
from fault_server import FaultServer, serve
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from rasterio.windows import Window
from zarr.storage import FsspecStore

RNG = np.random.default_rng(0)
BAND = RNG.integers(0, 60_000, (1500, 1500), dtype="uint16")
CUBE = RNG.normal(size=(30, 80, 80))
WINDOW = Window(700, 600, 50, 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    profile = {"driver": "GTiff", "count": 1, "height": 1500, "width": 1500, "dtype": "uint16"}
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    place = {"crs": "EPSG:32631", "transform": from_origin(5e5, 5e6, 10, 10)}
    with rasterio.open(folder / "a.tif", "w", **profile, **tiles, **place) as file:
        file.write(BAND, 1)
    cube = xr.Dataset({"a": (("time", "y", "x"), CUBE)})
    chunks = {"a": {"chunksizes": (1, 80, 80)}}
    cube.to_netcdf(folder / "b.nc", engine="h5netcdf", encoding=chunks)
    for version in (2, 3):
        store = folder / f"c{version}.zarr"
        chunks = {"a": {"chunks": (1, *CUBE.shape[1:])}}
        cube.to_zarr(store, zarr_format=version, consolidated=True, encoding=chunks)
    return folder


@pytest.fixture
def archive(folder, server):
    server.folder = folder
    return server


def read_window(url: str, files: RemoteFiles) -> np.ndarray:
    with (
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
        rasterio.open(url, opener=files) as file,
    ):
        return file.read(1, window=WINDOW)


def test_only_the_tiles_of_a_window_come(archive):
    client = Client()
    found = read_window(f"{archive.address}/a.tif", RemoteFiles(client))
    np.testing.assert_array_equal(found, BAND[600:640, 700:750])
    whole = len(archive.content("/a.tif"))
    # Of 36 tiles the window touches two; the first block has the header.
    assert client.received < 0.1 * whole
    assert len(archive.requests) <= 3


def test_threads_read_the_same_folder_at_once(archive):
    files, found = RemoteFiles(Client()), []

    def read() -> None:
        for _ in range(5):
            found.append(read_window(f"{archive.address}/a.tif", files))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 15
    assert all((window == BAND[600:640, 700:750]).all() for window in found)


@pytest.mark.parametrize("fault", ["cut 10", "503", "short 9", "whole", "reset", "empty"])
def test_windows_survive_faults(archive, fault):
    archive.faults["/a.tif"] = [fault, fault]
    found = read_window(f"{archive.address}/a.tif", RemoteFiles(Client()))
    np.testing.assert_array_equal(found, BAND[600:640, 700:750])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_error_that_gdal_hides_is_kept(archive):
    files = RemoteFiles(Client())
    archive.faults["/a.tif"] = ["drip 70000 0", *["401"] * 9]
    with pytest.raises(rasterio.errors.RasterioIOError):
        read_window(f"{archive.address}/a.tif", files)
    assert "401 Unauthorized" in str(files.error)


def test_missing_file_is_named_in_the_kept_error(archive):
    files = RemoteFiles(Client())
    with pytest.raises(rasterio.errors.RasterioIOError):
        read_window(f"{archive.address}/none.tif", files)
    assert isinstance(files.error, MissingError)


def test_file_that_changes_while_it_is_read_is_an_error(archive):
    files = RemoteFiles(Client())
    with files.open(f"{archive.address}/a.tif") as file:
        file.read(10)
        archive.files["/a.tif"] = bytes(len(archive.content("/a.tif")))
        file.seek(5 * BLOCK_BYTES)
        with pytest.raises(InputError, match="another version than before"):
            file.read(10)
    assert isinstance(files.error, InputError)


def test_netcdf(archive):
    client = Client()
    with (
        RemoteFiles(client).open(f"{archive.address}/b.nc") as remote,
        h5netcdf.File(remote) as file,
    ):
        np.testing.assert_array_equal(file["a"][20], CUBE[20])
    assert client.received < 0.3 * len(archive.content("/b.nc"))


@pytest.mark.parametrize("version", [2, 3])
def test_zarr(archive, version):
    client = Client()
    files = AsyncFileSystemWrapper(RemoteFiles(client), asynchronous=True)
    store = FsspecStore(files, path=f"{archive.address}/c{version}.zarr", read_only=True)
    np.testing.assert_array_equal(zarr.open_group(store, mode="r")["a"][7], CUBE[7])
    assert client.received < 0.3 * CUBE.nbytes


def test_refused_chunk_is_no_missing_chunk(archive):
    files = AsyncFileSystemWrapper(RemoteFiles(Client()), asynchronous=True)
    store = FsspecStore(files, path=f"{archive.address}/c3.zarr", read_only=True)
    group = zarr.open_group(store, mode="r")
    archive.faults["/c3.zarr/a/c/7/0/0"] = ["401"]
    with pytest.raises(ConcertoError, match="401 Unauthorized"):
        group["a"][7]


CONTENT = RNG.bytes(3 * BLOCK_BYTES + 100)
POSITIONS = st.integers(0, len(CONTENT))


@pytest.fixture(scope="module")
def served():
    with serve() as server:
        server.add("/f", CONTENT)
        yield server


@settings(deadline=None, max_examples=60)
@example(reads=[(2 * BLOCK_BYTES, 10), (BLOCK_BYTES, 2 * BLOCK_BYTES + 10)])
@given(reads=st.lists(st.tuples(POSITIONS, POSITIONS), min_size=1, max_size=8))
def test_any_reads_give_what_the_file_has_and_no_byte_comes_twice(served: FaultServer, reads):
    client = Client()
    with RemoteFiles(client).open(f"{served.address}/f") as file:
        for start, length in reads:
            file.seek(start)
            assert file.read(length) == CONTENT[start : start + length]
    assert client.received <= len(CONTENT)


@settings(deadline=None, max_examples=60)
@given(start=st.none() | st.integers(-300_000, 300_000), end=st.none() | POSITIONS)
def test_parts_are_as_of_bytes(served, start, end):
    found = RemoteFiles(Client()).cat_file(f"{served.address}/f", start, end)
    assert found == CONTENT[start:end]


def test_refused_file_is_no_missing_file(archive):
    files, url = RemoteFiles(Client()), f"{archive.address}/a.tif"
    assert not files.exists(f"{archive.address}/none.tif")
    archive.faults["/a.tif"] = ["403"]
    with pytest.raises(ConcertoError, match="403 Forbidden"):
        files.exists(url)
    assert files.exists(url)
    assert files.isfile(url)


def test_files_are_only_read(archive):
    with pytest.raises(InputError, match="mode: found wb"):
        RemoteFiles(Client()).open(f"{archive.address}/a.tif", "wb")
