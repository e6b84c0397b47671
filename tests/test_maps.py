"""Grids of maps and their tiles."""

import numpy as np
import pytest
from concerto.errors import InputError
from concerto.maps import MapGrid, map_grid
from hypothesis import given
from hypothesis import strategies as st

TRANSECT = MapGrid(24.0, -34.5, 24.5, 71.5, 0.5)
ACROSS = MapGrid(170.0, -10.0, -170.0, 10.0, 2.5)


def test_a_grid_has_the_cells_that_fill_it():
    assert (TRANSECT.rows, TRANSECT.columns) == (212, 1)
    assert TRANSECT.latitudes()[[0, -1]].tolist() == [-34.25, 71.25]
    assert TRANSECT.longitudes().tolist() == [24.25]


def test_tiles_cover_the_grid_from_the_south_west_on():
    assert TRANSECT.tiles(100) == ["r0c0", "r1c0", "r2c0"]
    assert ACROSS.tiles(5) == ["r0c0", "r0c1", "r1c0", "r1c1"]


def test_a_grid_across_the_antimeridian_counts_on_eastwards():
    rows, columns = ACROSS.position(np.array([-10.0, 9.9]), np.array([170.0, -170.1]))
    assert (rows.tolist(), columns.tolist()) == ([0, 7], [0, 7])


@given(
    size=st.integers(1, 30),
    where=st.lists(st.tuples(st.floats(-9.99, 9.99), st.floats(-9.99, 9.99)), max_size=40),
)
def test_each_location_is_in_one_tile(size, where):
    latitude = np.array([lat for lat, _ in where])
    longitude = np.array([180.0 + lon if lon < 0 else lon - 180.0 for _, lon in where])
    found = [ACROSS.cells_in(tile, size, latitude, longitude) for tile in ACROSS.tiles(size)]
    assert sorted(np.concatenate(found)) == list(range(len(where)))


def test_a_location_outside_is_named():
    with pytest.raises(InputError, match=r"71\.75 N 24\.25 E"):
        TRANSECT.position(np.array([0.25, 71.75]), np.array([24.25, 24.25]))


def test_a_grid_that_cells_do_not_fill_is_refused():
    with pytest.raises(InputError, match="north - south"):
        MapGrid(0.0, 0.0, 1.0, 1.1, 0.5).tiles(2)


def test_a_map_takes_the_grid_of_its_area():
    areas = {"here": {"box": {"west": 0, "south": 0, "east": 2, "north": 1}, "resolution_deg": 0.5}}
    assert map_grid({"cubes": "here"}, areas) == MapGrid(0, 0, 2, 1, 0.5)
