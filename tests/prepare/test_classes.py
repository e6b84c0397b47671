"""Classes of cells follow from maps of codes, by area: made-up maps, and a cut of the real ones."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from concerto.domain import IGBP
from concerto.errors import InputError
from concerto.prepare.classes import NONE, class_shares, land_classes, largest_class
from concerto.prepare.grids import box_cells, centred_cells, zone_area
from concerto.prepare.streams import MaskCount
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_classes import FILL, LEGENDS, SOURCE, code, write_map

DATA = Path(__file__).parents[1] / "data"
MAPS = {"igbp": "igbp.nc", "koppen": "koppen.nc"}
LAT, LON = np.round(50.05 + 0.1 * np.arange(10), 2), np.round(10.05 + 0.1 * np.arange(10), 2)
CELLS = box_cells(10.0, 50.0, 11.0, 51.0, 0.5)


def by_class(shares: xr.DataArray, cell: int) -> dict[str, float]:
    """Return the shares of a cell that are not zero."""
    own = shares[:, cell].to_series()
    return own[own > 0.0].to_dict()


def test_shares_are_those_of_the_area(tmp_path):
    """A row of pixels that is nearer to the equator has more area."""
    codes = np.full((10, 10), code("igbp.nc", "GRA"))
    codes[0] = code("igbp.nc", "ENF")
    codes[1, :5] = FILL
    shares = class_shares(
        write_map(tmp_path / "igbp.nc", LAT, LON, codes), LEGENDS["igbp.nc"], CELLS
    )
    assert shares["class"].to_numpy().tolist() == [*IGBP, NONE]
    rows = zone_area(50.0 + 0.1 * np.arange(5), 50.1 + 0.1 * np.arange(5))
    rows = rows / rows.sum()
    grass = 1.0 - rows[0]
    assert by_class(shares, 1) == pytest.approx({"ENF": rows[0], "GRA": grass}, rel=1e-12)
    west = {"ENF": rows[0], "GRA": grass - rows[1], NONE: rows[1]}
    assert by_class(shares, 0) == pytest.approx(west, rel=1e-12)
    assert by_class(shares, 2) == by_class(shares, 3) == {"GRA": pytest.approx(1.0)}


def test_pixels_may_lie_across_the_sides_of_cells_and_from_north_to_south(tmp_path):
    """As those of the real climate zones, whose centres are on multiples of a tenth of a degree."""
    lat, lon = np.round(51.1 - 0.1 * np.arange(13), 1), np.round(9.9 + 0.1 * np.arange(13), 1)
    codes = np.where(lon > 10.45, code("koppen.nc", "Cfb"), code("koppen.nc", "Dfb"))
    shares = class_shares(
        write_map(tmp_path / "koppen.nc", lat, lon, codes), LEGENDS["koppen.nc"], CELLS
    )
    assert by_class(shares, 0) == pytest.approx({"Dfb": 0.9, "Cfb": 0.1}, rel=1e-9)
    assert by_class(shares, 1) == {"Cfb": pytest.approx(1.0)}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_shares_add_up_to_one_with_that_of_no_class(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    codes = rng.choice([FILL, *range(1, 18)], (8, 10))  # the northernmost cells reach beyond
    path = write_map(tmp_path_factory.mktemp("maps") / "igbp.nc", LAT[:8], LON, codes)
    shares = class_shares(path, LEGENDS["igbp.nc"], CELLS)
    np.testing.assert_allclose(shares.sum("class"), 1.0, rtol=1e-12)
    assert (shares.to_numpy() >= 0.0).all()
    assert (shares[-1, 2:] > 0.39).all()


def test_a_code_without_a_class_is_refused(tmp_path):
    codes = np.full((10, 10), 1)
    codes[7, 2] = 0
    path = write_map(tmp_path / "igbp.nc", LAT, LON, codes)
    with pytest.raises(InputError, match=r"igbp\.nc: IGBP: found codes of no class in 1 cells"):
        class_shares(path, LEGENDS["igbp.nc"], CELLS)


@pytest.mark.parametrize(
    ("shares", "largest"),
    [
        ({"ENF": 0.2, "GRA": 0.5, NONE: 0.3}, "GRA"),
        ({"WAT": 0.8, "SAV": 0.12, "EBF": 0.08}, "SAV"),
        ({"WAT": 0.1, NONE: 0.9}, "WAT"),
        ({"GRA": 0.5, "ENF": 0.5}, "ENF"),
        ({"CRO": 0.1, NONE: 0.9}, "CRO"),
        ({NONE: 1.0}, ""),
    ],
)
def test_the_largest_class_is_that_of_land(shares, largest):
    names = [*IGBP, NONE]
    values = [[shares.get(name, 0.0)] for name in names]
    found = largest_class(xr.DataArray(values, {"class": names}, ("class", "location")))
    assert found.tolist() == [largest]


def test_cells_without_a_class_are_counted(tmp_path):
    codes = np.full((10, 10), code("koppen.nc", "Cfb"))
    codes[:5, :5], codes[9, 9] = FILL, FILL
    write_map(tmp_path / "koppen.nc", LAT, LON, codes)
    count = MaskCount()
    found = land_classes(tmp_path, {"koppen": "koppen.nc"}, SOURCE, CELLS, count)
    assert set(found) == {"koppen"}
    assert found["koppen"].to_numpy().tolist() == ["", "Cfb", "Cfb", "Cfb"]
    assert count.rows == [
        ("koppen", "cell", "no class", 1, 4),
        ("koppen", "cell", "no class in a part", 1, 4),
    ]


def test_a_map_needs_a_legend(tmp_path):
    with pytest.raises(InputError, match=r"b\.nc: classes: found no legend"):
        land_classes(tmp_path, {"igbp": "b.nc"}, {}, CELLS, MaskCount())


def test_legends_have_all_classes_once():
    classes = {member: legend["classes"] for member, legend in LEGENDS.items()}
    assert list(classes["igbp.nc"]) == list(IGBP)
    for legend, number in zip(classes.values(), (17, 30), strict=True):
        assert list(legend.values()) == [[k] for k in range(1, number + 1)]
    pattern = r"A[fmw]|B[WS][hk]|C[swf][abc]|D[swf][abcd]|E[TF]"
    assert all(re.fullmatch(pattern, zone) for zone in classes["koppen.nc"])


PLACES = {
    "around Davos": (46.75, 9.75, "GRA", "ET"),
    "Congo basin": (0.25, 24.25, "EBF", "Af"),
    "Sahara": (22.25, 24.25, "BSV", "BWh"),
    "Kalahari": (-24.25, 24.25, "OSH", "BSh"),
    "lower Danube": (44.25, 24.25, "CRO", "Dfa"),
    "Lapland": (67.25, 24.25, "WSA", "Dfc"),
    "Ionian Sea": (34.25, 20.25, "WAT", ""),
}


def test_real_classes_of_known_places(tmp_path):
    for member in MAPS.values():
        shutil.copy(DATA / f"{Path(member).stem}_cut.nc", tmp_path / member)
    lat, lon, igbp, koppen = zip(*PLACES.values(), strict=True)
    cells = centred_cells(list(PLACES), lat, lon, 0.5, CELLS.polygons[0])
    found = land_classes(tmp_path, MAPS, SOURCE, cells, MaskCount())
    assert tuple(found["igbp"].to_numpy()) == igbp
    assert tuple(found["koppen"].to_numpy()) == koppen
    assert found["land_cover"].sel({"class": "EBF"})[1] == pytest.approx(1.0)
    np.testing.assert_allclose(found["land_cover"].sum("class"), 1.0, rtol=1e-12)
