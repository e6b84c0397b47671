"""The page to explore a run in: its data, and what a real browser makes of it."""

from __future__ import annotations

import base64
import json

import geopandas
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from browser import CHROMIUM, Browser
from concerto.products.explorer import (
    LONGEST_BYTES,
    STATISTICS,
    background,
    cells_of,
    countries_of,
    render_explorer,
    tower_of,
)
from shapely.geometry import box
from synthetic_map import TRANSECT, make_map, years_of

STATS = list(STATISTICS)
BORDERS = geopandas.GeoDataFrame(
    {"name": ["Northland", "Southland"]},
    geometry=[box(5, 40, 40, 72), box(5, -35, 40, 30)],
    crs="EPSG:4326",
)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


def unpacked(group, step, variable):
    """Return values (time, place, statistic) as the page has them."""
    part = group["steps"][step]
    flat = np.frombuffer(base64.b64decode(part["values"][variable]), "<f4")
    return flat.reshape(len(part["times"]), len(group["places"]), len(STATS))


@pytest.fixture(scope="module")
def months():
    ds = make_map(TRANSECT)
    north = ds["lat"] > 40
    ds["country"] = (
        ("lat", "lon"),
        np.where(north.to_numpy()[:, None], 1, 2),
        {"flag_values": np.array([1, 2], "int16"), "flag_names": "Northland; Southland"},
    )
    return ds


@pytest.fixture(scope="module")
def tower():
    rng = np.random.default_rng(4)
    days = pd.date_range("2014-01-01", periods=40)
    shape = (1, len(days))
    ds = xr.Dataset(
        coords={
            "location": ["XX-One"],
            "lat": ("location", [50.0]),
            "lon": ("location", [6.0]),
            "time": days,
            "quantile": [0.05, 0.25, 0.5, 0.75, 0.95],
        },
        attrs={"converged": "no"},
    )
    for name, unit in (("gpp", "g m-2 d-1"), ("nee", "g m-2 d-1"), ("lai", "1")):
        members = rng.normal(3.0, 1.0, (50, *shape))
        ranks = np.quantile(members, ds["quantile"], axis=0)
        ds[name] = (("location", "time"), members.mean(0).astype("f4"), {"units": unit})
        ds[f"{name}_sd"] = (("location", "time"), members.std(0).astype("f4"))
        ds[f"{name}_quantile"] = (("quantile", "location", "time"), ranks.astype("f4"))
    return ds


@pytest.fixture(scope="module")
def sums():
    rng = np.random.default_rng(5)
    time = pd.date_range("2000-01-01", periods=24, freq="MS")
    ds = xr.Dataset(
        coords={
            "time": time,
            "kind": ("region", ["all", "country", "country", "country", "igbp"]),
            "region_name": ("region", ["all", "Northland", "Southland", "none", "ENF"]),
        }
    )
    shape = (30, 5, 24)
    dims = ("member", "region", "time")
    for name, words in (("gpp", "of the month"), ("som", "at the end of the month")):
        grams = rng.integers(1, 9, shape) * 10**12
        ds[name] = (dims, grams, {"units": "g", "comment": words})
    return ds


@pytest.fixture(scope="module")
def groups(months, tower, sums):
    return [
        cells_of("A strip", months, years_of(months)),
        countries_of("A strip", sums, BORDERS),
        tower_of("XX-One", "One", tower),
    ]


@pytest.mark.parametrize("what", STATS)
def test_cells_have_the_values_of_the_map(months, groups, what):
    values = unpacked(groups[0], "month", "nee")[..., STATS.index(what)]
    for k, place in enumerate(groups[0]["places"]):
        cell = months[f"nee_{what}"].sel(lat=place["lat"], lon=place["lon"])
        np.testing.assert_array_equal(values[:, k], cell)


def test_cells_without_values_are_left_out_and_others_say_what_became_of_them(months, groups):
    assert len(groups[0]["places"]) == int(np.isfinite(months["gpp_mean"].isel(time=0)).sum())
    notes = {place["note"] for place in groups[0]["places"]}
    assert notes <= {"converged", "not converged", "no observation"}
    assert {p["name"].rpartition(", ")[2] for p in groups[0]["places"]} == {
        "Northland",
        "Southland",
    }


def test_a_map_that_is_too_large_keeps_years_and_then_fluxes_alone(months):
    years = years_of(months)
    cells = int(np.isfinite(months["gpp_mean"].isel(time=0)).sum())
    yearly = cells * 8 * len(STATS) * 4 * 4 // 3
    less = cells_of("A strip", months, years, longest=yearly)
    assert set(less["steps"]) == {"year"}
    assert set(less["steps"]["year"]["values"]) > {"som", "gpp"}
    least = cells_of("A strip", months, years, longest=yearly - 1)
    assert set(least["steps"]["year"]["values"]) == {"gpp", "nee", "reco"}
    assert less["left_out"]
    assert least["left_out"] != less["left_out"]
    assert LONGEST_BYTES < 20e6


def test_a_tower_has_its_days_and_its_verdict(tower, groups):
    values = unpacked(groups[2], "day", "nee")
    np.testing.assert_array_equal(values[:, 0, STATS.index("mean")], tower["nee"][0])
    np.testing.assert_array_equal(values[:, 0, STATS.index("q95")], tower["nee_quantile"][-1, 0])
    assert groups[2]["places"][0]["note"] == "not converged"
    assert groups[2]["steps"]["day"]["units"] == {
        "gpp": "gC m⁻² d⁻¹", "nee": "gC m⁻² d⁻¹", "lai": "m² m⁻²",
    }  # fmt: skip


def test_years_of_countries_are_sums_within_members_and_stocks_those_at_the_end(sums, groups):
    names = [place["name"] for place in groups[1]["places"]]
    assert names == ["All cells", "Northland", "Southland"]
    year = (sums["gpp"].isel(region=1).groupby("time.year").sum() / 1e12).to_numpy()
    found = unpacked(groups[1], "year", "gpp")[:, 1]
    np.testing.assert_allclose(found[:, STATS.index("mean")], year.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found[:, STATS.index("q05")], np.quantile(year, 0.05, 0), rtol=1e-6)
    last = sums["som"].isel(region=1, time=11) / 1e12
    found = unpacked(groups[1], "year", "som")[0, 1]
    assert found[STATS.index("mean")] == pytest.approx(float(last.mean()), rel=1e-6)
    units = groups[1]["steps"]["year"]["units"]
    assert units == {"gpp": "TgC yr⁻¹", "som": "TgC"}


def test_the_view_holds_all_places_and_is_not_too_narrow(groups):
    (west, south, east, north), land = background(BORDERS, groups)
    for group in groups:
        for place in group["places"]:
            if place["lat"] is not None:
                assert west < place["lon"] < east
                assert south < place["lat"] < north
    assert east - west >= 0.54 * (north - south)
    assert all(ring[0] == ring[-1] for ring in land)


@pytest.fixture(scope="module")
def page(groups, tmp_path_factory):
    file = tmp_path_factory.mktemp("explorer") / "explorer.html"
    file.write_text(render_explorer("</script>odd", "0123456789abcdef", groups, BORDERS))
    return file


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser, page):
    browser.open(page, 1280)
    return browser


def said(browser):
    return browser.run("byId('said').textContent")


def mean(browser):
    return float(browser.run("byId('said').dataset.mean"))


def choose(browser, select, value):
    browser.run(
        f"(s => {{ s.value = {json.dumps(value)}; s.dispatchEvent(new Event('change')); }})"
        f"(byId({json.dumps(select)}))"
    )


def at(browser, lon, lat):
    """Return where a place of the map is in the window."""
    return browser.run(
        f"""(() => {{ byId('map').scrollIntoView({{block: 'center'}});
        const {{xaxis, yaxis}} = byId('map')._fullLayout, box = byId('map').getBoundingClientRect();
        return [box.left + xaxis._offset + xaxis.d2p({lon}),
        box.top + yaxis._offset + yaxis.d2p({lat})]; }})()"""
    )


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_it_loads_without_a_request_or_complaint_and_fits(browser, page, width, dark):
    browser.open(page, width, dark=dark)
    assert browser.complaints == []
    asked = [url for url in browser.requests if not url.startswith("data:")]
    assert asked == [page.as_uri()]
    assert browser.run("document.documentElement.scrollWidth") == width
    # as dark as asked
    ground = browser.run(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (sum(ground) < 3 * 128) == dark


@needs_browser
def test_a_click_on_a_cell_shows_the_numbers_of_the_product(opened, months, groups):
    place = groups[0]["places"][20]
    opened.click(*at(opened, place["lon"] + 1.0, place["lat"]))
    assert place["name"] in said(opened)
    cell = months.sel(lat=place["lat"], lon=place["lon"], time="2000-07-01")
    assert mean(opened) == float(cell["gpp_mean"])
    shown = opened.run("byId('series').data.at(-1).y")
    values = months["gpp_mean"].sel(lat=place["lat"], lon=place["lon"])
    assert shown == values.to_numpy().astype(float).tolist()
    choose(opened, "variable", "som")
    assert mean(opened) == float(cell["som_mean"])
    choose(opened, "time", "2")
    earlier = months.sel(lat=place["lat"], lon=place["lon"], time="2000-03-01")
    assert mean(opened) == float(earlier["som_mean"])


@needs_browser
def test_the_map_shows_the_chosen_statistic_in_its_place(opened, months):
    choose(opened, "statistic", "q95")
    # by row from the south, with gaps where there is no cell
    drawn = opened.run("byId('map').data.find(t => t.type === 'heatmap').z.flat()")
    wanted = months["gpp_q95"].sel(time="2000-07-01").isel(lon=0).dropna("lat").to_numpy()
    assert [z for z in drawn if z is not None] == wanted.astype(float).tolist()


@needs_browser
def test_a_click_on_a_tower_and_on_a_country_shows_theirs(opened, tower, sums):
    opened.click(*at(opened, 6.0, 50.0))
    assert "Tower XX-One, One" in said(opened)
    assert mean(opened) == float(tower["gpp"][0, 0])
    opened.click(*at(opened, 12.0, -10.0))
    assert "Country Southland" in said(opened)
    # a country has no days
    assert opened.run("byId('step').value") == "month"
    month = sums["gpp"].isel(region=2, time=6).mean() / 1e12
    assert mean(opened) == pytest.approx(float(month), rel=1e-6)


@needs_browser
def test_all_can_be_reached_and_done_with_keys(opened):
    opened.run("document.body.focus()")
    reached = []
    for _ in range(9):
        opened.press("Tab", 9)
        reached.append(opened.run("document.activeElement.id"))
    assert reached[1:7] == ["variable", "statistic", "step", "time", "place", "map"]
    opened.run("byId('map').focus()")
    assert opened.run("getComputedStyle(byId('map')).outlineStyle") == "solid"
    before = said(opened)
    opened.press("ArrowUp", 38)
    assert said(opened) != before
    opened.press("ArrowDown", 40)
    assert said(opened) == before


@needs_browser
def test_tables_are_downloaded_from_the_page_itself(opened, groups):
    text = opened.run(
        """(async () => { const link = byId('countries-csv');
        link.addEventListener('click', e => e.preventDefault()); link.click();
        return (await fetch(link.href)).text(); })()"""
    )
    header, *rows = [line.split(",") for line in text.strip().split("\r\n")]
    assert header[:5] == ["map", "country", "step", "time", "variable"]
    assert len(rows) == 3 * 2 * (24 + 2)
    found = [row for row in rows if f"{','.join(row)}".find("Northland,year,2001,gpp") >= 0]
    year = unpacked(groups[1], "year", "gpp")[1, 1, STATS.index("mean")]
    assert float(found[0][header.index("mean") + len(found[0]) - len(header)]) == pytest.approx(
        year
    )
    assert opened.run("byId('countries-table').tBodies[0].rows.length") == 3
