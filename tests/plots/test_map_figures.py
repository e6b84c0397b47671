"""Figures of maps: what cells, colours and intervals stand for, for strips and boxes anywhere."""

from __future__ import annotations

import json
from itertools import pairwise

import geopandas
import matplotlib
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from concerto.cubes import OBSERVATIONS_DAILY, write_cube
from concerto.errors import InputError
from concerto.plots import cells, hovmoller, maps, regions, status, style
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import to_rgb
from plot_fapar import plot_fapar
from plot_hovmoller import plot_hovmoller
from plot_map import plot_map
from plot_regions import plot_regions
from plot_status import plot_status
from synthetic_map import (
    DATELINE,
    EUROPE,
    TRANSECT,
    make_map,
    make_observations,
    make_regions,
    write_map,
    years_of,
)

GRIDS = {"transect": TRANSECT, "europe": EUROPE, "dateline": DATELINE}
BORDERS = geopandas.GeoDataFrame(
    {"name": ["East of 180", "West of 180", "Middle"]},
    geometry=[
        shapely.box(170, 60, 180, 68), shapely.box(-180, 60, -172, 68), shapely.box(0, -30, 30, 60),
    ],
    crs="EPSG:4326",
)  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A map of each shape, in a folder of its own, and borders."""
    folder = tmp_path_factory.mktemp("maps")
    BORDERS.to_file(folder / "borders.geojson")
    for name, grid in GRIDS.items():
        months = make_map(grid)
        write_map(months, folder / name / "map.nc")
        write_map(years_of(months), folder / name / "annual.nc")
    return folder


def read(files, name, variables=(), kind="map"):
    return cells.read_map(files / name / f"{kind}.nc", variables)


def words_of(path):
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size > 10_000
    words = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(words) == {"title", "caption", "alternative"}
    assert all(words.values())
    return words


def nothing_is_cut_off(figure):
    with matplotlib.rc_context(style.SETTINGS):
        figure.draw_without_rendering()
    inside = figure.bbox
    for axes in figure.axes:
        labels = [*axes.get_xticklabels(), *axes.get_yticklabels()] if axes.axison else []
        low, high = sorted(axes.get_xlim())
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label, axes._left_title, *labels):
            shown = text not in axes.get_xticklabels() or low <= text.get_position()[0] <= high
            if text.get_text() and text.get_visible() and shown:
                box = text.get_window_extent()
                assert box.x0 >= -1, text
                assert box.x1 <= inside.x1 + 1, text
                assert box.y0 >= -1, text


def test_a_map_across_the_antimeridian_goes_on(files):
    ds = read(files, "dateline")
    np.testing.assert_allclose(cells.edges(ds, "lon")[[0, -1]], [170.0, 190.0])
    frame = cells.frame_of(ds)
    countries = cells.land_in(BORDERS, frame)
    assert countries.total_bounds == pytest.approx([170.0, 60.0, 188.0, 68.0])
    assert [cells.longitude_text(x) for x in (170, 180, 190, -5, 0)] == [
        "170°\N{NO-BREAK SPACE}E", "180°", "170°\N{NO-BREAK SPACE}W", "5°\N{NO-BREAK SPACE}W", "0°",
    ]  # fmt: skip


def test_a_country_on_both_sides_of_the_antimeridian_has_no_line_through_it(files):
    one = geopandas.GeoDataFrame(
        geometry=[shapely.MultiPolygon(list(BORDERS.geometry[:2]))], crs="EPSG:4326"
    )
    (found,) = cells.land_in(one, cells.frame_of(read(files, "dateline")))
    assert found.geom_type == "Polygon"
    assert found.area == pytest.approx(18.0 * 8.0)


def test_cells_of_a_strip_are_widened_and_said_to_be(files):
    narrow = cells.frame_of(read(files, "transect"))
    assert narrow.shape == pytest.approx(cells.NARROWEST)
    share = (narrow.longitude[-1] - narrow.longitude[0]) / (narrow.view[1] - narrow.view[0])
    assert share == pytest.approx(cells.CELLS_SHARE)
    assert narrow.longitude.mean() == pytest.approx(24.25)
    assert f"{narrow.widened:.0f} times as wide" in cells.widened_text(narrow)
    wide = cells.frame_of(read(files, "europe"))
    assert wide.widened == 1.0
    assert cells.widened_text(wide) == ""


def test_maps_from_the_north_are_turned_and_unknown_cells_are_no_land(tmp_path):
    ds = make_map(EUROPE)
    path = write_map(ds.isel(lat=slice(None, None, -1)), tmp_path / "turned.nc")
    found = cells.read_map(path, ["gpp_mean"])
    np.testing.assert_array_equal(found["gpp_mean"], ds["gpp_mean"])
    coded = ds.assign(status=ds["status"].where(ds["lon"] > 5.0, -1).astype("int8"))
    coded["status"].attrs = ds["status"].attrs
    coded["status"].encoding["_FillValue"] = np.int8(-1)
    unknown = cells.read_map(write_map(coded, tmp_path / "coded.nc"), [])
    west = unknown["lon"].to_numpy() < 5.0
    assert (unknown["status"].to_numpy()[:, west] == cells.NOT_LAND).all()
    assert (unknown["status"].to_numpy() == "converged").any()


def test_what_is_no_map_is_refused(tmp_path):
    ds = make_map(EUROPE)
    path = write_map(ds.drop_vars("nee_sd"), tmp_path / "map.nc")
    with pytest.raises(InputError, match="nee_sd: found no such variable"):
        cells.read_map(path, maps.VARIABLES)
    ds["status"].attrs["flag_meanings"] = "good bad ugly a b not_land"
    with pytest.raises(InputError, match="flag_meanings"):
        cells.read_map(write_map(ds, tmp_path / "other.nc"), [])


def test_times_count_as_long_as_they_are():
    time = pd.date_range("2001-01-01", periods=12, freq="MS")
    ends = time + pd.DateOffset(months=1)
    bounds = np.stack([time.to_numpy(), ends.to_numpy()], axis=1)
    ds = xr.Dataset(
        {
            "x": (("time", "lat", "lon"), np.zeros((12, 1, 1))),
            "time_bnds": (("time", "bnds"), bounds),
        },
        {"time": time},
    )
    ds["x"][1] = 1.0
    assert cells.time_mean(ds, "x").item() == pytest.approx(28 / 365)
    ds["x"][3] = np.nan
    assert np.isnan(cells.time_mean(ds, "x").item())


def test_maps_are_drawn(files, tmp_path):
    path = files / "dateline" / "annual.nc"
    plot_map("Dateline", path, files / "borders.geojson", tmp_path / "maps.png")
    caption = words_of(tmp_path / "maps.png")["caption"]
    assert "standard deviation of a year's over the members. NEE" in caption
    marked = int((read(files, "dateline")["status"] == "not_converged").sum())
    assert f"Hatched: not converged, indicative only ({marked} cells)" in caption


@pytest.mark.parametrize("name", GRIDS)
def test_each_quantity_has_one_scale_and_nee_is_centred(files, name):
    ds = read(files, name, maps.VARIABLES, "annual")
    figure = maps.draw(name, ds, BORDERS).figure
    nothing_is_cut_off(figure)
    found = [mesh for axes in figure.axes for mesh in axes.findobj(QuadMesh)]
    meshes = [mesh for mesh in found if mesh.get_array().shape == ds["status"].shape]
    assert len(meshes) == 8
    ends = [mesh.norm.vmin + mesh.norm.vmax for mesh in meshes]
    assert sum(end == 0.0 for end in ends) == 1
    nee = meshes[int(np.argmin(np.abs(ends)))]
    expected = cells.DAYS_OF_YEAR * ds["nee_mean"][0].to_numpy()
    np.testing.assert_allclose(nee.get_array().filled(np.nan), expected, rtol=1e-6)
    empty = ~np.isin(ds["status"], [n for n in cells.STATUS if cells.has_values(n)])
    for mesh in meshes:
        np.testing.assert_array_equal(np.ma.getmaskarray(mesh.get_array()), empty)


def test_several_years_are_shown_in_the_mean_and_said_to_be(files, tmp_path):
    path = write_map(years_of(make_map(TRANSECT), 3), tmp_path / "annual.nc")
    caption = maps.draw("Years", cells.read_map(path, maps.VARIABLES), BORDERS).caption
    assert "Annual means of 2000 to 2002" in caption
    assert "over the members, averaged over the years." in caption
    drawing = hovmoller.draw_profile("Years", cells.read_map(path, hovmoller.PROFILES))
    assert "2000 to 2002, averaged over the years." in drawing.caption
    line = next(x for x in drawing.figure.axes[0].lines if x.get_label() == "median")
    one = read(files, "transect", hovmoller.PROFILES, "annual")["gpp_q50"][0, :, 0]
    # 366, 365 and 365 days
    factor = (366 + 1.1 * 365 + 1.2 * 365) / 1096
    np.testing.assert_allclose(line.get_ydata()[::2], cells.DAYS_OF_YEAR * factor * one, rtol=1e-5)


def test_values_beyond_the_colours_are_counted():
    shown = cells.YEARLY[0]
    values = np.append(np.linspace(0.0, 99.0, 100), [1000.0, np.nan])
    assert shown.limits(values) == (0.0, 100.0, 1)
    assert cells.YEARLY[1].limits(-values)[:2] == (-100.0, 100.0)
    assert shown.limits(np.array([np.nan])) == (0.0, 1.0, 0)
    assert shown.limits(np.zeros(3)) == (0.0, 1.0, 0)


def test_diverging_colours_are_even():
    """Steps of lightness (CIELAB) are alike on both sides of the middle, within a tenth."""
    at = np.linspace(0.0, 1.0, 11)
    rgb = np.array([to_rgb(cells.DIVERGING(x)) for x in at])
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * np.cbrt(luminance) - 16
    steps = np.diff(lightness)
    assert (steps[:5] > 0).all()
    assert (steps[5:] < 0).all()
    np.testing.assert_allclose(np.abs(steps), np.abs(steps).mean(), rtol=0.1)


@pytest.mark.parametrize("name", GRIDS)
def test_status_is_counted_and_drawn(files, name):
    drawing = status.draw(name, read(files, name), BORDERS)
    nothing_is_cut_off(drawing.figure)
    raw = make_map(GRIDS[name])["status"].to_numpy()
    assert f"{int((raw < 5).sum()):,} cells of land" in drawing.caption
    assert f"converged {int((raw == 0).sum()):,} cells" in drawing.alternative
    assert ("times as wide" in drawing.caption) == (name == "transect")
    table = status.shares(read(files, name))
    assert table.cells.tolist() == [int((raw == k).sum()) for k in range(5)]
    assert table.share.sum() == pytest.approx(1.0)


def test_a_map_without_land_is_drawn(tmp_path):
    ds = make_map(EUROPE, land=np.zeros((20, 40), bool))
    path = write_map(ds, tmp_path / "sea.nc")
    BORDERS.to_file(tmp_path / "borders.geojson")
    plot_status("Sea", path, tmp_path / "borders.geojson", tmp_path / "status.png")
    assert "no cell of land" in words_of(tmp_path / "status.png")["alternative"]
    drawing = maps.draw("Sea", cells.read_map(path, maps.VARIABLES), BORDERS)
    assert "without values" in drawing.alternative


def test_a_transect_is_drawn_over_months_and_along_latitude(files, tmp_path):
    of = files / "transect"
    seasons, profile = tmp_path / "hovmoller.png", tmp_path / "profile.png"
    plot_hovmoller("Transect", of / "map.nc", of / "annual.nc", seasons, profile)
    assert "90 %" in words_of(seasons)["caption"]
    assert "bands of each cell's year, 2000. NEE" in words_of(profile)["caption"]
    ds = read(files, "transect", hovmoller.SEASONS)
    figure = hovmoller.draw("Transect", ds).figure
    meshes = [mesh for axes in figure.axes for mesh in axes.findobj(QuadMesh)]
    grids = [m.get_array() for m in meshes if m.get_array().shape == (212, 12)]
    width = (ds["lai_q95"] - ds["lai_q05"]).isel(lon=0).transpose("lat", "time")
    np.testing.assert_allclose(grids[5].filled(np.nan), width, rtol=1e-6)
    median = ds["gpp_q50"].isel(lon=0).transpose("lat", "time")
    np.testing.assert_allclose(grids[0].filled(np.nan), median, rtol=1e-6)


def test_each_cell_of_a_profile_is_as_wide_as_it_is(files):
    ds = read(files, "transect", hovmoller.PROFILES, "annual")
    upper = hovmoller.draw_profile("Transect", ds).figure.axes[0]
    line = next(line for line in upper.lines if line.get_label() == "median")
    expected = cells.DAYS_OF_YEAR * ds["gpp_q50"].to_numpy().ravel()
    np.testing.assert_allclose(line.get_ydata()[::2], expected)
    np.testing.assert_allclose(line.get_ydata()[1::2], expected)
    np.testing.assert_allclose(line.get_xdata()[1::2] - line.get_xdata()[::2], 0.5)
    marks = next(line for line in upper.lines if line.get_label() == "not converged")
    hatched = ds["lat"].to_numpy()[ds["status"].to_numpy()[:, 0] == "not_converged"]
    np.testing.assert_allclose(marks.get_xdata(), hatched)


def test_a_box_is_no_transect(files):
    with pytest.raises(InputError, match="lon: found 40 columns"):
        hovmoller.draw("Europe", read(files, "europe", hovmoller.SEASONS))


def test_observed_and_calibrated_fapar_are_compared(files, tmp_path):
    ds = make_map(TRANSECT)
    cube = make_observations(ds)
    write_cube(
        cube, tmp_path / "observations.nc", OBSERVATIONS_DAILY, title="t", source="s", history="h"
    )
    plot_fapar(
        "Transect",
        files / "transect" / "map.nc",
        tmp_path / "observations.nc",
        tmp_path / "fapar.png",
    )
    caption = words_of(tmp_path / "fapar.png")["caption"]
    count = int(np.isfinite(cube["fapar"]).sum())
    assert f"({count:,} in all)" in caption
    assert "is \N{MINUS SIGN}0.030 in the mean" in caption
    with pytest.raises(InputError, match="fapar: found no such variable"):
        hovmoller.draw_fapar("T", read(files, "transect", hovmoller.FAPAR), cube.drop_vars("fapar"))


def test_monthly_means_are_of_the_days_and_cells_that_are_there(files):
    ds = read(files, "transect", hovmoller.FAPAR)
    values = xr.DataArray(
        [[1.0, np.nan, 3.0, 5.0], [7.0, 9.0, 9.0, 9.0]],
        dims=("location", "time"),
        coords={
            "time": pd.to_datetime(["2000-01-01", "2000-01-02", "2000-01-03", "2001-01-01"]),
            "lat": ("location", [-34.25, 80.0]),
        },
    )
    mean, count = hovmoller.monthly_on(ds, values)
    assert count == 2
    assert mean[0, 0] == 2.0
    assert np.isfinite(mean).sum() == 1


FEW = {"all": ["all"], "country": ["Finland", "Namibia", ""]}
MANY = {
    "all": ["all"],
    "country": [f"Country {k}" for k in range(40)],
    "igbp": ["ENF", "GRA"],
    "koppen": ["Cfb"],
}


@pytest.mark.parametrize(("names", "followed"), [(FEW, 3), (MANY, 7)], ids=["few", "many"])
def test_regions_are_sorted_and_readable(names, followed, tmp_path):
    make_regions(names, (1999, 2000)).to_csv(tmp_path / "regions.csv", index=False)
    table = regions.read_regions(tmp_path / "regions.csv")
    figure = regions.draw("Map", table).figure
    nothing_is_cut_off(figure)
    assert len(figure.axes) == 2 * (len(names) + followed)
    countries = figure.axes[2]
    shown = [text.get_text() for text in countries.get_yticklabels()]
    assert len(shown) == len(names["country"])
    recent = table[(table.year == 2000) & (table.kind == "country") & (table.variable == "gpp")]
    first = recent.loc[recent["mean"].idxmax()]
    assert shown[0] == f"{first.region} ({first.cells:,})"
    boxes = [text.get_window_extent() for text in countries.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))


def test_years_have_their_bands(tmp_path):
    make_regions(FEW, (1999, 2000, 2001)).to_csv(tmp_path / "regions.csv", index=False)
    table = regions.read_regions(tmp_path / "regions.csv")
    drawing = regions.draw("Map", table)
    assert "Below, the same of each year" in drawing.caption
    assert "sums of 2001" in drawing.caption
    shown = drawing.figure.axes[2 * len(FEW) :]
    titles = [axes._left_title.get_text() for axes in shown[::2]]
    assert titles[0] == "all cells"
    assert sorted(titles[1:]) == ["Finland", "Namibia"]
    nee = table[(table.kind == "all") & (table.variable == "nee")].sort_values("year")
    (line,) = shown[1].lines
    np.testing.assert_array_equal(line.get_xdata(), [1999, 2000, 2001])
    np.testing.assert_array_equal(line.get_ydata(), nee.q50)
    widest = shown[1].collections[0].get_paths()[0].vertices
    assert {*nee.q05, *nee.q95} <= {*widest[:, 1]}
    once = regions.draw("Map", table[table.year == 2001])
    assert "Below" not in once.caption
    assert len(once.figure.axes) == 2 * len(FEW)


def test_intervals_of_independent_cells_are_beside_the_true_ones(tmp_path):
    make_regions(FEW).to_csv(tmp_path / "regions.csv", index=False)
    plot_regions("Map", tmp_path / "regions.csv", tmp_path / "regions.png")
    words_of(tmp_path / "regions.png")
    table = regions.read_regions(tmp_path / "regions.csv")
    whole = table[(table.kind == "all") & (table.variable == "gpp")].iloc[0]
    axes = regions.draw("Map", table).figure.axes[0]
    spans = {
        lines.get_label(): np.diff(lines.get_segments()[0][:, 0]).item()
        for lines in axes.findobj(LineCollection)
        if len(lines.get_segments()) == 1
    }
    assert spans["90 %"] == pytest.approx(whole.q95 - whole.q05)
    assert spans["50 %"] == pytest.approx(whole.q75 - whole.q25)
    assert spans["90 % if cells were independent"] == pytest.approx(
        2 * 1.6449 * whole.sd_independent, rel=1e-4
    )
    assert regions.gain(table[table.kind == "all"], "gpp") == pytest.approx(np.sqrt(450.0))
    assert np.isnan(regions.gain(table.assign(cells=1), "gpp"))


def test_codes_are_named_and_namibia_is_not_missing(tmp_path):
    make_regions({"country": ["NA", ""], "igbp": ["ENF"]}).to_csv(tmp_path / "r.csv", index=False)
    table = regions.read_regions(tmp_path / "r.csv")
    assert set(table[table.kind == "country"].region) == {"NA", ""}
    assert regions.region_words("country", "") == "not classified"
    assert regions.region_words("igbp", "ENF") == "evergreen needleleaf forest (ENF)"
    assert regions.region_words("koppen", "Cfb") == "Cfb"


def test_a_table_at_fault_is_refused(tmp_path):
    table = make_regions(FEW)
    for change, what in (
        (table.drop(columns="sd_independent"), "sd_independent: found no such column"),
        (table.assign(kind="planet"), "kind: found planet"),
    ):
        change.to_csv(tmp_path / "r.csv", index=False)
        with pytest.raises(InputError, match=what):
            regions.read_regions(tmp_path / "r.csv")
    with pytest.raises(InputError, match="variable"):
        regions.draw("Map", table[table.variable == "live_biomass"])
