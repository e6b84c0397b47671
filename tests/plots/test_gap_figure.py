"""The figure of gaps: what each cell of it stands for, from one place to twenty thousand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.plots import gaps, style
from matplotlib.collections import QuadMesh

MONTHS = pd.date_range("2001-01-01", "2010-12-01", freq="MS")


def cube(latitude, times=MONTHS, share=0.7, streams=("lai",), seed=0):
    rng = np.random.default_rng(seed)
    n = len(latitude)
    ds = xr.Dataset(
        coords={
            "location": [f"P{k}" for k in range(n)],
            "time": times,
            "lat": ("location", latitude),
        }
    )
    for name in streams:
        there = rng.random((n, len(times))) < share
        ds[name] = (("location", "time"), np.where(there, 1.0, np.nan))
    return ds


def panels(drawing):
    """Cells of each stream by its label (row, column), masked where there is no record."""
    return {
        axes.get_title(loc="left").split(":")[0]: axes.findobj(QuadMesh)[0].get_array()
        for axes in drawing.figure.axes
        if axes.get_title(loc="left")
    }


def row_labels(drawing):
    return [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]


def test_a_place_has_a_row_of_its_months():
    found = cube([50.3], streams=("lai", "sif"))
    drawing = gaps.draw([found])
    cells = panels(drawing)
    assert set(cells) == {"LAI", "SIF"}
    np.testing.assert_array_equal(cells["LAI"], 100.0 * np.isfinite(found["lai"].to_numpy()))
    assert row_labels(drawing) == ["P0"]
    assert "1 location" in drawing.caption


def test_records_of_different_times_and_streams_share_the_axes():
    """The north on top; hatched before and after a record; no value of a stream it has not."""
    days = pd.date_range("2003-01-01", "2004-12-31")
    south = cube([46.8], days, share=1.0, streams=("nee",))
    north = cube([50.3], pd.date_range("2004-01-01", "2005-06-30"), share=1.0, streams=("lai",))
    drawing = gaps.draw([north.assign_coords(location=["north"]), south])
    cells = panels(drawing)
    assert row_labels(drawing) == ["P0", "north"]
    nee = cells["NEE"]
    assert nee.shape == (2, 30)
    assert (nee[0, :24] == 100).all()
    assert nee.mask[0, 24:].all()
    assert nee.mask[1, :12].all()
    assert (nee[1, 12:] == 0).all()
    assert (cells["LAI"][0, :24] == 0).all()


def test_many_places_share_bands_of_latitude():
    latitude = np.array([-12.0, -10.5, 10.0] * 20 + [63.5])
    found = cube(latitude, share=0.5)
    drawing = gaps.draw([found])
    cells = panels(drawing)["LAI"]
    edges = drawing.figure.axes[0].get_ylim()
    assert edges == (-12.0, 64.0)
    assert cells.shape == (38, 120)
    valid = 100.0 * np.isfinite(found["lai"].to_numpy())
    np.testing.assert_allclose(cells[0], valid[latitude < 0].mean(axis=0))
    np.testing.assert_allclose(cells[11], valid[latitude == 10].mean(axis=0))
    np.testing.assert_allclose(cells[37], valid[60])
    assert cells.mask[1:11].all()


@pytest.mark.parametrize(
    ("times", "columns", "word"),
    [
        (pd.date_range("2003-01-01", periods=300), 300, "day"),
        (pd.date_range("2001-01-01", "2010-12-31"), 120, "month"),
        (pd.date_range("1950-01-01", "2020-12-01", freq="MS"), 71, "year"),
        (pd.date_range("2001-01-01", periods=2, freq="MS"), 2, "month"),
    ],
)
def test_columns_are_as_short_as_there_is_room_for(times, columns, word):
    drawing = gaps.draw([cube([1.0, 2.0], times)])
    cells = panels(drawing)["LAI"]
    assert cells.shape == (2, columns)
    assert f"of each {word} and location" in drawing.caption
    total = np.isfinite(cube([1.0, 2.0], times)["lai"].to_numpy()).mean()
    assert f"LAI: {100 * total:.0f} % of steps" in drawing.alternative


def test_pictures_are_written_for_one_and_for_many(tmp_path):
    rng = np.random.default_rng(4)
    streams = ("lai", "fapar", "sif", "lst", "et")
    many = cube(rng.uniform(-55, 75, 20_000), MONTHS[:60], streams=streams)
    for name, cubes in (("one", [cube([50.3])]), ("many", [many])):
        drawing = gaps.draw(cubes)
        style.save(drawing, tmp_path / f"{name}.png")
        assert 10_000 < (tmp_path / f"{name}.png").stat().st_size < 400_000
        words = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert all(words.values())
        inside = drawing.figure.bbox
        for axes in drawing.figure.axes:
            for text in (axes.title, axes.xaxis.label, axes.yaxis.label, axes._left_title):
                if text.get_text() and text.get_visible():
                    box = text.get_window_extent()
                    assert box.x0 >= 0
                    assert box.x1 <= inside.x1
                    assert box.y0 >= 0
    assert "20,000 locations" in words["caption"]


def test_nothing_to_draw_is_said():
    with pytest.raises(InputError, match="streams: found none"):
        gaps.draw([cube([50.3], streams=())])
