import numpy as np
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.prepare.aggregation import (
    Accumulator,
    Fractions,
    mean_correlation,
    rectangle_correlation,
)
from concerto.prepare.grids import (
    MODIS_SINUSOIDAL,
    Grid,
    box_cells,
    footprint_cells,
    zone_area,
)
from concerto.prepare.overlap import overlap
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from scipy.ndimage import gaussian_filter

UTM = "EPSG:32632"
DEGREES = "EPSG:4326"
PIXEL = 926.62543305583381  # m, of the 1 km products of MODIS
WINDOW = Grid(MODIS_SINUSOIDAL, 1.2e6 + PIXEL * np.arange(61), 5.3e6 - PIXEL * np.arange(61))
LON, LAT = 16.317, 47.414  # degrees, in the middle of the window
CELLS = footprint_cells(
    LAT, LON, [500, 1500, 4000, 9000, 14000], name=["pixel", "few", "tens", "hundreds", "many"]
)
OVERLAP = overlap(WINDOW, CELLS)


def one_go(found, cells, values, uncertainty=0.0, **errors):
    accumulator = Accumulator(cells, **errors)
    accumulator.add(found, values, uncertainty)
    return accumulator.result()


def pairs(found, cell, valid, length, shared):
    """Weights and the whole matrix of correlations of a cell's valid pixels."""
    own = np.arange(found.start[cell], found.start[cell + 1])
    own = own[valid.ravel()[found.pixel[own]]]
    east, north = found.east[own].astype(float), found.north[own].astype(float)
    distance = np.hypot(east[:, None] - east, north[:, None] - north)
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.where(distance > 0, np.exp(-distance / length), 1.0)
    matrix = shared + (1 - shared) * alike
    np.fill_diagonal(matrix, 1.0)
    return found.pixel[own], found.area[own], matrix


def exact_error(found, cell, uncertainty, valid, length, shared):
    pixel, area, matrix = pairs(found, cell, valid, length, shared)
    weight = area * uncertainty.ravel()[pixel]
    return np.sqrt(weight @ matrix @ weight) / area.sum()


def gaps(kind, rng):
    if kind == "none":
        return np.ones(WINDOW.shape, dtype=bool)
    if kind == "random":
        return rng.random(WINDOW.shape) < 0.6
    return gaussian_filter(rng.normal(size=WINDOW.shape), 4) > -0.03


def test_constant_fields_are_kept_exactly():
    result = one_go(OVERLAP, CELLS, np.full(WINDOW.shape, 0.1))
    np.testing.assert_array_equal(result.mean, 0.1)
    np.testing.assert_array_equal(result.spread, 0)
    np.testing.assert_allclose(result.covered, 1, rtol=1e-4)
    np.testing.assert_array_equal(result.n_valid, np.diff(OVERLAP.start))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_sums_agree_with_numpy(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(1e3, 1, WINDOW.shape)
    values[rng.random(WINDOW.shape) < 0.3] = rng.choice([np.nan, np.inf])
    uncertainty = np.where(rng.random(WINDOW.shape) < 0.1, np.nan, 0.5)
    result = one_go(OVERLAP, CELLS, values, uncertainty)
    assert result.n_total.sum() == len(OVERLAP.pixel)
    for cell in range(len(CELLS)):
        own = slice(OVERLAP.start[cell], OVERLAP.start[cell + 1])
        area, value = OVERLAP.area[own], values.ravel()[OVERLAP.pixel[own]]
        kept = np.isfinite(value) & np.isfinite(uncertainty.ravel()[OVERLAP.pixel[own]])
        assert result.n_valid[cell] == kept.sum()
        assert result.covered[cell] == pytest.approx(area[kept].sum() / CELLS.area[cell], rel=1e-4)
        if kept.any():
            mean = np.average(value[kept], weights=area[kept])
            spread = np.sqrt(np.average((value[kept] - mean) ** 2, weights=area[kept]))
            assert result.mean[cell] == pytest.approx(mean, rel=1e-14)
            assert result.spread[cell] == pytest.approx(spread, rel=1e-9, abs=1e-12)


def test_cells_without_values_have_none():
    result = one_go(OVERLAP, CELLS, np.full(WINDOW.shape, np.nan), 1.0, error_length=1e3)
    np.testing.assert_array_equal(result.covered, 0)
    np.testing.assert_array_equal(result.n_valid, 0)
    for values in (result.mean, result.spread, result.error, result.sampling, result.uncertainty):
        assert np.isnan(values).all()
    far = overlap(WINDOW, footprint_cells(-40, 100, 1e3))
    nothing = one_go(far, footprint_cells(-40, 100, 1e3), np.zeros(WINDOW.shape))
    assert np.isnan(nothing.mean[0])
    assert (nothing.covered[0], nothing.n_total[0]) == (0, 0)


def test_a_single_value_that_covers_part_of_a_cell_says_nothing_of_the_rest():
    values = np.full(WINDOW.shape, np.nan)
    values.ravel()[OVERLAP.pixel[OVERLAP.start[2]]] = 5.0
    result = one_go(OVERLAP, CELLS, values, 0.5)
    assert (result.n_valid[2], result.mean[2], result.error[2]) == (1, 5, 0.5)
    assert np.isnan(result.uncertainty[2])
    coarse = Grid(UTM, np.array([0, 1e6]), np.array([5e6, 6e6]))
    small = footprint_cells(48, 9.5, 500)
    result = one_go(overlap(coarse, small), small, np.array([[5.0]]), 0.5)
    assert result.uncertainty[0] == 0.5


def test_nested_grids_agree_with_coarsening():
    grid = Grid(DEGREES, np.arange(81) / 20, 52 - np.arange(81) / 20)
    cells = box_cells(0, 48, 4, 52, 0.25)
    values = np.random.default_rng(3).normal(size=grid.shape)
    result = one_go(overlap(grid, cells), cells, values)
    area = np.abs(np.outer(zone_area(grid.y[:-1], grid.y[1:]), np.ones(grid.shape[1])))
    field = xr.DataArray(values * area, dims=("y", "x")).coarsen(x=5, y=5).sum()
    whole = xr.DataArray(area, dims=("y", "x")).coarsen(x=5, y=5).sum()
    expected = (field / whole).to_numpy()[::-1].ravel()
    np.testing.assert_allclose(result.mean, expected, rtol=1e-12, atol=1e-13)


def test_linear_fields_are_right_to_second_order():
    cells = footprint_cells([48.7, 48.72, 48.75], [9.4, 9.45, 9.5], 1e4)
    x, y = Transformer.from_crs(DEGREES, UTM, always_xy=True).transform(cells.lon, cells.lat)
    worst = []
    for size in (2000.0, 1000.0, 500.0, 250.0):
        grid = Grid(UTM, np.arange(5.0e5, 5.7e5, size), np.arange(5.44e6, 5.36e6, -size))
        east = (grid.x[1:] + grid.x[:-1]) / 2
        north = (grid.y[1:] + grid.y[:-1]) / 2
        values = 1e-3 * (east[None] - x[0]) - 2e-3 * (north[:, None] - y[0])
        result = one_go(overlap(grid, cells), cells, values)
        expected = 1e-3 * (x - x[0]) - 2e-3 * (y - y[0])
        worst.append(np.abs(result.mean - expected).max())
        assert worst[-1] < 0.25 * 2e-3 * size * (size / 1e4) + 2e-3
    assert worst[-1] < worst[0] / 16


def test_results_do_not_depend_on_windows():
    rng = np.random.default_rng(5)
    values, uncertainty = rng.normal(size=WINDOW.shape), rng.lognormal(size=WINDOW.shape)
    values = gaussian_filter(values, 2)
    values[~gaps("clouds", rng)] = np.nan
    errors = {"error_length": 3e3, "shared_fraction": 0.1}
    whole = one_go(OVERLAP, CELLS, values, uncertainty, **errors)
    parts = Accumulator(CELLS, **errors)
    for rows in (slice(0, 17), slice(17, 33), slice(33, 60)):
        for columns in (slice(0, 29), slice(29, 60)):
            window = overlap(WINDOW.window(rows, columns), CELLS)
            parts.add(window, values[rows, columns], uncertainty[rows, columns])
    parts = parts.result()
    for name in ("mean", "spread", "covered", "error"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-9)
    for name in ("n_valid", "n_total"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    # Neighbours on either side of a seam are not seen as such.
    np.testing.assert_allclose(parts.sampling[3:], whole.sampling[3:], rtol=0.1)


def test_geographic_results_do_not_depend_on_windows():
    rng = np.random.default_rng(5)
    grid = Grid(DEGREES, np.arange(81) / 10, 52 - np.arange(81) / 10)
    cells = box_cells(0, 44, 8, 52, 0.5)
    values = rng.normal(size=grid.shape)
    whole = one_go(overlap(grid, cells), cells, values)
    parts = Accumulator(cells)
    for rows in (slice(0, 33), slice(33, 80)):
        for columns in (slice(0, 17), slice(17, 80)):
            part = overlap(grid.window(rows, columns), cells)
            parts.add(part, values[rows, columns], 0.0)
    np.testing.assert_allclose(parts.result().mean, whole.mean, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(parts.result().spread, whole.spread, rtol=1e-12)


def test_overlapping_tiles_never_cover_more_than_the_cell():
    cells = box_cells(9, 48, 10, 48.5, 0.25)
    whole = Grid(UTM, np.arange(4.9e5, 5.85e5, 1e3), np.arange(5.38e6, 5.31e6, -1e3))
    first, second = (
        whole.window(slice(None), slice(0, 60)),
        whole.window(slice(None), slice(45, 94)),
    )
    accumulator = Accumulator(cells)
    accumulator.add(overlap(first, cells), np.full(first.shape, 1.0), 0.1)
    accumulator.add(overlap(second, cells), np.full(second.shape, 2.0), 0.1)
    result = accumulator.result()
    single = one_go(overlap(whole, cells), cells, np.zeros(whole.shape))
    assert (result.covered <= 1).all()
    np.testing.assert_allclose(result.covered[single.covered > 0.9999], 1, rtol=1e-4)
    assert ((result.mean >= 1) & (result.mean <= 2)).all()
    shares = [
        np.bincount(part.cell, part.area, minlength=len(cells))
        for part in (overlap(first, cells), overlap(second, cells))
    ]
    expected = (shares[0] + 2 * shares[1]) / (shares[0] + shares[1])
    np.testing.assert_allclose(result.mean, expected, rtol=1e-12)
    # Half of what was looked at is masked: half is covered, however often it was looked at.
    accumulator = Accumulator(cells)
    rng = np.random.default_rng(0)
    for tile in (first, second):
        values = np.where(rng.random(tile.shape) < 0.5, 1.0, np.nan)
        accumulator.add(overlap(tile, cells), values, 0.1)
    np.testing.assert_allclose(accumulator.result().covered, single.covered / 2, atol=0.05)


@pytest.mark.parametrize(
    ("width", "height", "length"), [(1, 1, 0.2), (1, 1, 3), (10, 1, 2), (4, 3, 1e-2), (1, 2, 1e3)]
)
def test_mean_correlation_in_a_rectangle(width, height, length):
    nodes, weights = np.polynomial.legendre.leggauss(200)
    x, y = np.meshgrid(width * (1 + nodes) / 2, height * (1 + nodes) / 2)
    # Substituted squares put nodes where the correlation is.
    u, v = x**2 / width, y**2 / height
    jacobian = 4 * x / width * y / height
    density = (width - u) * (height - v) * np.exp(-np.hypot(u, v) / length) * jacobian
    expected = 4 / (width * height) ** 2 * (density * np.outer(weights, weights)).sum()
    expected *= width * height / 4
    assert rectangle_correlation(width, height, length)[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("kind", "worst"), [("none", 0.02), ("random", 0.05), ("clouds", 0.07)])
@pytest.mark.parametrize("varied", [False, True])
def test_error_is_close_to_the_sum_over_all_pairs(kind, worst, varied):
    rng = np.random.default_rng(11)
    valid = gaps(kind, rng)
    uncertainty = rng.lognormal(0, 0.4, WINDOW.shape) if varied else np.full(WINDOW.shape, 0.3)
    for length in (0.0, 300.0, 700.0, 1500.0, 4000.0, 20e3, 1e6):
        for shared in (0.0, 0.2):
            errors = {"error_length": length, "shared_fraction": shared}
            values = np.where(valid, 0.0, np.nan)
            result = one_go(OVERLAP, CELLS, values, uncertainty, **errors)
            for cell in np.flatnonzero(result.n_valid):
                exact = exact_error(OVERLAP, cell, uncertainty, valid, length, shared)
                assert result.error[cell] == pytest.approx(exact, rel=worst)


def test_error_of_boxes_on_a_geographic_grid():
    grid = Grid(DEGREES, np.arange(31) / 10, 63 - np.arange(31) / 10)
    cells = box_cells(0, 60, 3, 63, 1.5)
    found = overlap(grid, cells)
    valid, uncertainty = np.ones(grid.shape, dtype=bool), np.full(grid.shape, 2.0)
    for length in (0.0, 4e3, 10e3, 50e3, 500e3):
        result = one_go(found, cells, np.zeros(grid.shape), uncertainty, error_length=length)
        exact = exact_error(found, 0, uncertainty, valid, length, 0.0)
        assert result.error[0] == pytest.approx(exact, rel=0.03)


def test_limits_of_the_error():
    values, ones = np.zeros(WINDOW.shape), np.ones(WINDOW.shape)
    common = one_go(OVERLAP, CELLS, values, ones, shared_fraction=1.0)
    np.testing.assert_allclose(common.error, 1, rtol=1e-12)
    alone = one_go(OVERLAP, CELLS, values, ones)
    squares = np.bincount(OVERLAP.cell, OVERLAP.area**2)
    expected = np.sqrt(squares) / np.bincount(OVERLAP.cell, OVERLAP.area)
    np.testing.assert_allclose(alone.error, expected, rtol=1e-12)
    assert (one_go(OVERLAP, CELLS, values, 0.0).error == 0).all()


@settings(deadline=None, max_examples=50)
@given(st.floats(1, 1e7), st.integers(1, 40), st.integers(1, 40))
def test_mean_correlation_is_a_share_that_grows_with_length(length, rows, columns):
    x, y = np.meshgrid(np.arange(columns) * 1e3, np.arange(rows) * 1e3)
    moments = np.array([[x.size, x.size, x.sum(), y.sum(), *map(np.sum, (x * x, y * y, x * y))]])
    found = [
        mean_correlation(moments, np.array([1e6]), np.array([reach]))[0]
        for reach in (length, 1.5 * length)
    ]
    assert 1 / x.size - 1e-12 <= found[0] <= found[1] + 1e-9
    assert found[1] <= 1 + 1e-12


def test_intervals_cover_errors_drawn_as_stated():
    rng = np.random.default_rng(20)
    valid = gaps("clouds", rng)
    uncertainty = rng.uniform(0.2, 0.6, WINDOW.shape)
    length, shared = 3e3, 0.1
    draws = 600
    one = footprint_cells(LAT, LON, [4000, 9000], name=["a", "b"])
    found = overlap(WINDOW, one)
    for cell in range(2):
        pixel, _, matrix = pairs(found, cell, valid, length, shared)
        root = np.linalg.cholesky(matrix)
        errors = uncertainty.ravel()[pixel] * (root @ rng.normal(size=(len(pixel), draws))).T
        inside = 0
        for error in errors:
            values = np.full(3600, np.nan)
            values[pixel] = error
            result = one_go(
                found,
                one,
                values.reshape(WINDOW.shape),
                uncertainty,
                error_length=length,
                shared_fraction=shared,
            )
            inside += abs(result.mean[cell]) < 1.6449 * result.error[cell]
        assert 0.86 < inside / draws < 0.94


@pytest.mark.parametrize(("smooth", "low", "high"), [(0.0, 0.82, 0.94), (2.0, 0.74, 0.98)])
@pytest.mark.parametrize("kind", ["random", "clouds"])
def test_intervals_cover_what_gaps_hide(kind, smooth, low, high):
    rng = np.random.default_rng(21)
    cells = footprint_cells(LAT, LON, [6000, 12000], name=["a", "b"])
    found = overlap(WINDOW, cells)
    inside = []
    for _ in range(150):
        values = gaussian_filter(rng.normal(size=WINDOW.shape), smooth)
        valid = gaps(kind, rng)
        whole = one_go(found, cells, values)
        part = one_go(found, cells, np.where(valid, values, np.nan))
        known = part.n_valid > 10
        inside += list(np.abs(part.mean - whole.mean)[known] < 1.6449 * part.uncertainty[known])
    assert low < np.mean(inside) < high


def test_intervals_cover_what_lies_outside_all_windows():
    rng = np.random.default_rng(22)
    cells = footprint_cells(LAT, LON, [6000, 12000], name=["a", "b"])
    found, half = overlap(WINDOW, cells), overlap(WINDOW.window(slice(None), slice(0, 28)), cells)
    inside = []
    for _ in range(200):
        values = gaussian_filter(rng.normal(size=WINDOW.shape), 1)
        whole, part = one_go(found, cells, values), one_go(half, cells, values[:, :28])
        inside += list(np.abs(part.mean - whole.mean) < 1.6449 * part.uncertainty)
    assert (part.covered < 0.6).all()
    assert 0.8 < np.mean(inside) < 0.99


def test_classes_share_the_covered_area():
    rng = np.random.default_rng(4)
    codes = rng.choice([10.0, 20.0, 30.0, 95.0, np.nan], WINDOW.shape)
    accumulator = Fractions(CELLS, {"tree": [10, 95], "shrub": [20], "crop": [40]})
    accumulator.add(OVERLAP, codes)
    result = accumulator.result()
    np.testing.assert_allclose(sum(result.fraction.values()) + result.rest, 1, rtol=1e-12)
    assert (result.fraction["crop"] == 0).all()
    for name, own in (("tree", (10, 95)), ("shrub", (20,))):
        flags = np.where(np.isnan(codes), np.nan, np.isin(codes, own).astype(float))
        indicator = one_go(OVERLAP, CELLS, flags)
        np.testing.assert_allclose(result.fraction[name], indicator.mean, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(result.covered, indicator.covered, rtol=1e-12)


def test_codes_may_be_whole_numbers_in_several_windows():
    codes = np.random.default_rng(4).choice(np.array([1, 2, 3], dtype=np.uint8), WINDOW.shape)
    whole, parts = Fractions(CELLS, {"a": [1], "b": [3]}), Fractions(CELLS, {"a": [1], "b": [3]})
    whole.add(OVERLAP, codes)
    for rows in (slice(0, 20), slice(20, 60)):
        parts.add(overlap(WINDOW.window(rows, slice(None)), CELLS), codes[rows])
    for name in ("a", "b"):
        np.testing.assert_allclose(
            parts.result().fraction[name], whole.result().fraction[name], rtol=1e-9
        )
    empty = Fractions(CELLS, {"a": [1]}).result()
    assert np.isnan(empty.rest).all()
    assert (empty.covered == 0).all()


def test_faulty_requests_are_named():
    with pytest.raises(InputError, match="one in two classes"):
        Fractions(CELLS, {"a": [1, 2], "b": [2]})
    with pytest.raises(InputError, match="length: found -1"):
        Accumulator(CELLS, error_length=-1)
    with pytest.raises(InputError, match="shared_fraction: found 2"):
        Accumulator(CELLS, shared_fraction=2)
    accumulator = Accumulator(CELLS)
    values = np.zeros(WINDOW.shape)
    with pytest.raises(InputError, match="values: found shape"):
        accumulator.add(OVERLAP, values[1:], 0.0)
    with pytest.raises(InputError, match="a negative one"):
        accumulator.add(OVERLAP, values, -1.0)
    with pytest.raises(InputError, match="overlap: found 5 cells"):
        Accumulator(CELLS.select(slice(2))).add(OVERLAP, values, 0.0)
