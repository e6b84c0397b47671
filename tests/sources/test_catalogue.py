"""The catalogue: its table, what requests of it will bring, and that its page says what it has."""

from __future__ import annotations

import csv
import io
import re
import shutil
from itertools import pairwise

import pytest
from concerto.config import ROOT, read_source
from concerto.errors import ConcertoError, InputError
from concerto.sources import _catalogue
from concerto.sources._quantities import check_units
from hypothesis import given
from hypothesis import strategies as st
from list_sources import list_sources
from plan_downloads import plan_downloads

GUIDE = ROOT / "docs/sources.md"
VIELSALM = [5.9, 50.2, 6.1, 50.4]


@pytest.fixture(scope="module")
def catalogue() -> dict:
    return _catalogue.read_catalogue()


def made(grid: dict, request: str = "year", **more: object) -> dict:
    """Return a source of one variable of one band."""
    grid = {"crs": "EPSG:4326", "first": None, "last": None} | grid
    source = {"title": "made up", "protocol": "http", "locator": {}, "request": request}
    source |= {"grid": grid, "bytes_per_value": 2.0, "variables": {"lai": {"band": "a"}}}
    return source | more


def asked(box: list[float], start: str = "2003-01-01", end: str = "2003-12-31") -> dict:
    return {"box": box, "start": start, "end": end, "variables": ["lai"]}


# The table


def test_each_source_has_a_row_and_no_line_is_too_long(catalogue):
    rows = _catalogue.overview(catalogue)
    text = _catalogue.aligned(_catalogue.brief(rows))
    header, *lines = text.splitlines()
    assert [line.split()[0] for line in lines] == [*catalogue]
    assert max(map(len, [header, *lines])) <= 160
    place = header.index("tested")
    assert {line[place:] for line in lines} == {"archive", "protocol"}
    assert list(csv.DictReader(io.StringIO(_catalogue.as_csv(rows)))) == rows


def test_a_row_says_what_the_file_says(catalogue):
    rows = {row["name"]: row for row in _catalogue.overview(catalogue)}
    assert rows["terraclimate"]["mirrors"] == "http"
    assert rows["modis_lai"]["what"] == "lai, fapar"
    assert rows["modis_lai"]["period"] == "2002-07-04.."
    assert rows["smap_soil_moisture"]["login"] == "NASA Earthdata Login"
    assert rows["copernicus_dem_30"]["step"] == "-"
    assert rows["be_vie_2014"]["what"] == catalogue["be_vie_2014"]["title"]
    assert rows["be_vie_2014"]["period"] == "-"
    (brief,) = _catalogue.brief([rows["modis_lst"]])
    assert (brief["period"], brief["resolution"]) == ("2000-", "927 m")


def test_long_texts_are_cut_and_numbers_stand_at_the_right():
    rows = [{"name": "a", "what": "x" * 40, "size": 7}, {"name": "bb", "what": "y", "size": 100}]
    header, first, second = _catalogue.aligned(rows, {"what": 10}).splitlines()
    assert header == "name  what        size"
    assert first == "a     xxxxxxxx..     7"
    assert second == "bb    y            100"
    assert _catalogue.aligned(rows, {}, width=20).splitlines()[1] == "a     " + "x" * 12 + ".."


def test_units_of_all_variables_convert(catalogue):
    check_units(catalogue)


@pytest.mark.parametrize(
    ("variable", "stated", "right"),
    [
        ("lai", {"units": "m"}, False),
        ("rsds", {"units": "J m-2"}, False),
        ("rsds", {"units": "J m-2", "accumulated": {"reset": "step"}}, True),
        ("pr", {"units": "kg m-2 s-1"}, True),
        ("nee", {"units": "mol m-2 s-1"}, True),
        ("biomass", {"units": "Mg ha-1"}, True),
    ],
)
def test_a_unit_of_another_kind_is_named(variable, stated, right):
    sources = {"mine": {"variables": {variable: stated}}}
    if right:
        check_units(sources)
        return
    with pytest.raises(InputError, match=rf"mine\.yaml: variables\.{variable}\.units: found unit"):
        check_units(sources)


def test_all_faults_of_all_files_are_told(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    for name in ("modis_lai", "soilgrids"):
        file = tmp_path / f"config/sources/{name}.yaml"
        file.write_text(file.read_text().replace("licence:", "license:"))
    with pytest.raises(ConcertoError) as fault:
        _catalogue.read_catalogue(tmp_path)
    assert "modis_lai.yaml" in str(fault.value)
    assert "soilgrids.yaml" in str(fault.value)


# Requests


def test_bands_are_those_of_values_quality_and_error_each_once(catalogue):
    found = _catalogue.bands(catalogue["modis_lai"], ["lai", "fapar"])
    expected = ["Lai_500m", "FparLai_QC", "LaiStdDev_500m", "Fpar_500m", "FparStdDev_500m"]
    assert found == expected
    with pytest.raises(ConcertoError, match="unknown variable 'lia'; nearest valid: lai"):
        _catalogue.bands(catalogue["modis_lai"], ["lia"])


# How much


def test_values_of_a_regular_grid_are_counted():
    monthly = made({"resolution": "1 degrees", "step": "P1M"})
    found = _catalogue.estimate(monthly, asked([0, 0, 10, 5]))
    assert found == _catalogue.Estimate(folders=1, files=12, values=600, size=1200)
    halved = made({"resolution": "0.5 x 1/4 degrees", "step": "P1M"})
    assert _catalogue.estimate(halved, asked([0, 0, 10, 5])).values == 600 * 8


@pytest.mark.parametrize(
    ("step", "steps"),
    [("P8D", 46), ("P1D", 365), ("PT3H", 8 * 365), ("P1M", 12), ("P1Y", 1), (None, 1)],
)
def test_steps_of_a_year(step, steps):
    source = made({"resolution": "1 degrees", "step": step})
    assert _catalogue.estimate(source, asked([0, 0, 1, 1])).values == steps


def test_only_the_period_that_the_archive_has_counts():
    grid = {"resolution": "1 degrees", "step": "P1M", "first": "2003-07-01", "last": "2004-12-31"}
    box = [0, 0, 1, 1]
    assert _catalogue.estimate(made(grid), asked(box)).values == 6
    assert _catalogue.estimate(made(grid), asked(box, end="2009-12-31")).values == 18
    nothing = _catalogue.estimate(made(grid), asked(box, "2006-01-01", "2006-12-31"))
    assert (nothing.files, nothing.values, nothing.size) == (0, 0, 0)


def test_a_box_across_the_antimeridian_is_as_wide_as_it_is():
    source = made({"resolution": "1 degrees", "step": "P1M"})
    across = _catalogue.estimate(source, asked([170, 0, -170, 10]))
    assert across == _catalogue.estimate(source, asked([0, 0, 20, 10]))


def test_cells_of_the_globe_in_km_are_those_of_its_area():
    source = made({"resolution": "10 km", "step": None})
    found = _catalogue.estimate(source, asked([-180, -90, 180, 90])).values
    assert found == pytest.approx(510.07e6 / 100, rel=1e-3)  # km2, of the Earth


@given(
    st.floats(-180, 179),
    st.floats(-80, 70),
    st.floats(1, 60),
    st.floats(1, 10),
    st.floats(0.1, 0.9),
)
def test_parts_of_a_box_have_as_many_cells_as_the_box(west, south, width, height, share):
    for resolution in ("1/112 degrees", "500 m"):
        source = made({"resolution": resolution, "step": None})
        edges = [south, south + share * height, south + height]
        parts = [
            _catalogue.estimate(source, asked([west, low, west + width, high])).values
            for low, high in pairwise(edges)
        ]
        whole = _catalogue.estimate(source, asked([west, south, west + width, edges[2]])).values
        assert sum(parts) == pytest.approx(whole, rel=1e-6, abs=2)


def test_whole_files_come_whole():
    globe = made({"resolution": "1 degrees", "step": "P1M", "whole": True})
    found = _catalogue.estimate(globe, asked([0, 0, 1, 1]))
    assert (found.files, found.values, found.size) == (12, 12, 12 * 360 * 180 * 2)
    yearly = made({"resolution": "1 degrees", "step": "P1M", "whole": True, "file_step": "P1Y"})
    found = _catalogue.estimate(yearly, asked([0, 0, 1, 1], end="2003-02-01"))
    assert (found.files, found.values, found.size) == (1, 2, 12 * 360 * 180 * 2)
    tiles = {"resolution": "1 degrees", "step": None, "whole": True, "tile": "20 x 10 degrees"}
    found = _catalogue.estimate(made(tiles, "all"), asked([0, 0, 40, 10]))
    assert (found.files, found.size) == (6, 6 * 200 * 2)
    found = _catalogue.estimate(made(tiles, "all"), asked([-180, -90, 180, 90]))
    assert found.files == 18 * 18


def test_files_that_are_read_in_part_send_a_block_at_least():
    grid = {"resolution": "500 m", "step": "P8D", "tile": "1200 km"}
    small = _catalogue.estimate(made(grid, protocol="stac"), asked(VIELSALM))
    assert small.size == small.files * 512 * 512 * 2
    assert small.files == 46
    large = _catalogue.estimate(made(grid, protocol="stac"), asked([-11, 35, 32, 72]))
    assert large.size == pytest.approx(large.values * 2)


def test_each_source_of_fields_can_be_foreseen(catalogue):
    for name, source in catalogue.items():
        if "variables" not in source:
            continue
        first = (source["grid"]["first"] or "2016-01-01")[:4]
        request = asked(VIELSALM, f"{first}-01-01", f"{first}-12-31")
        found = _catalogue.estimate(source, request | {"variables": [*source["variables"]]})
        assert min(found.folders, found.files, found.values, found.size) > 0, name
        assert found.size < 2e11, name


def test_hosts(catalogue):
    assert _catalogue.host(catalogue["modis_lai"]) == "planetarycomputer.microsoft.com"
    assert _catalogue.host(catalogue["arco_era5"]) == "gcp-public-data-arco-era5"
    assert _catalogue.host(catalogue["era5_land_sites"]) == "arco.datastores.ecmwf.int"
    assert _catalogue.host(catalogue["oco2_sif"]) == "cmr.earthdata.nasa.gov"
    assert all(_catalogue.host(source) for source in catalogue.values())


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1.26e6, "1.3 MB"), (3.14e8, "310 MB"),
     (9.99e8, "1 GB"), (2.5e12, "2.5 TB")],
)  # fmt: skip
def test_amounts_have_two_digits(size, text):
    assert _catalogue.amount(size) == text


def test_what_a_request_brings_in_words():
    source = made(
        {"resolution": "1 degrees", "step": "P1D"},
        locator={"api": "https://planetarycomputer.microsoft.com/api/stac/v1"},
        licence="CC0",
    ) | {"bytes_per_value": 1698.6}
    assert _catalogue.foreseen(source, asked([0, 0, 25, 20])) == (
        "about 310 MB from planetarycomputer.microsoft.com; licence CC0"
    )


def requests() -> list[dict]:
    place = {"place": "vielsalm", "box": VIELSALM, "start": "2016-01-01", "end": "2016-12-31"}
    return [
        place | {"source": "modis_lai", "variables": ["lai"]},
        place | {"source": "era5_land_hourly", "variables": ["tas", "pr"]},
        place | {"source": "esa_worldcover_2021", "variables": ["land_cover"]},
    ]


def test_a_plan_has_a_row_a_request_and_the_total(catalogue):
    *rows, total = _catalogue.plan(requests(), catalogue)
    assert [row["source"] for row in rows] == [request["source"] for request in requests()]
    assert [row["period"] for row in rows] == ["2016-01-01..2016-12-31"] * 2 + ["all"]
    assert [row["login"] for row in rows] == ["-", "ECMWF data stores", "-"]
    for column in ("folders", "files", "values", "bytes"):
        assert total[column] == sum(row[column] for row in rows)
    assert [*total] == [*rows[0]]
    text = _catalogue.for_people([*rows, total])
    assert max(map(len, text.splitlines())) <= 160
    assert "estimates" in text


def test_a_plan_has_records_too_whose_size_is_not_known(catalogue):
    records = {"icos_vielsalm": ["BE-Vie"], "noaa_co2": ["europe", "africa"]}
    *rows, total = _catalogue.plan(requests(), catalogue, records)
    assert [row["source"] for row in rows[:2]] == ["icos_vielsalm", "noaa_co2"]
    assert [row["login"] for row in rows[:2]] == ["ICOS Carbon Portal", "-"]
    assert [row["bytes"] for row in rows[:2]] == [None, None]
    assert rows[1]["place"] == "europe, africa"
    assert (total["files"], total["bytes"]) == (
        2 + sum(row["files"] for row in rows[2:]),
        sum(row["bytes"] for row in rows[2:]),
    )
    text = _catalogue.for_people([*rows, total])
    assert text.splitlines()[1].split()[0] == "icos_vielsalm"
    assert " ? " in text.splitlines()[1]
    assert max(map(len, text.splitlines())) <= 160
    with pytest.raises(ConcertoError, match="unknown source of records 'modis_lai'"):
        _catalogue.plan([], catalogue, {"modis_lai": ["europe"]})


def test_a_plan_of_nothing_is_a_total_of_nothing(catalogue):
    (total,) = _catalogue.plan([], catalogue)
    assert (total["source"], total["files"], total["bytes"]) == ("total", 0, 0)
    assert "0 B" in _catalogue.for_people([total])


@pytest.mark.parametrize("name", ["modis_lia", "be_vie_2014"])
def test_a_plan_is_of_sources_of_fields(catalogue, name):
    request = requests()[0] | {"source": name}
    with pytest.raises(ConcertoError, match=f"unknown source of fields '{name}'; nearest valid"):
        _catalogue.plan([request], catalogue)


def test_the_script_that_plans_writes_both_tables(tmp_path):
    plan_downloads(requests(), tmp_path / "a.csv", tmp_path / "a.txt")
    rows = [*csv.DictReader((tmp_path / "a.csv").open())]
    assert rows[-1]["source"] == "total"
    assert int(rows[-1]["bytes"]) == sum(int(row["bytes"]) for row in rows[:-1])
    assert (tmp_path / "a.txt").read_text().splitlines()[-2].startswith("total")


# The page about the catalogue


def test_the_worked_example_is_accepted_and_listed(tmp_path):
    """One YAML file is all that a data set of a known protocol needs."""
    text = GUIDE.read_text()
    name = re.search(r"`config/sources/(\w+)\.yaml`:\n\n```yaml", text)[1]
    example = re.search(r"\.yaml`:\n\n```yaml\n(.*?)```", text, flags=re.S)[1]
    assert not (ROOT / f"config/sources/{name}.yaml").exists()
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / f"config/sources/{name}.yaml").write_text(example)
    source = read_source(name, tmp_path)
    list_sources(tmp_path / "a.csv", tmp_path / "a.txt", tmp_path)
    row = next(row for row in csv.DictReader((tmp_path / "a.csv").open()) if row["name"] == name)
    assert row["what"] == ", ".join(source["variables"])
    plan_downloads(
        [requests()[0] | {"source": name, "variables": [*source["variables"]]}],
        tmp_path / "b.csv",
        tmp_path / "b.txt",
        root=tmp_path,
    )
    assert name in (tmp_path / "b.txt").read_text()


def test_the_page_has_each_source_and_how_it_was_tested(catalogue):
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \|", GUIDE.read_text(), flags=re.M)
    expected = {(name, said["protocol"], said["tested"]) for name, said in catalogue.items()}
    assert set(rows) == expected
    assert len(rows) == len(expected)


def test_what_was_run_against_an_archive_is_what_the_default_run_takes(catalogue):
    archives = {
        source["protocol"] for source in catalogue.values() if source["tested"] == "archive"
    }
    assert archives == {"package", "local"}


def test_the_page_names_each_service_and_its_places(catalogue):
    text = GUIDE.read_text()
    for source in catalogue.values():
        login = source.get("login", {})
        names = [part for item in login.get("environment", []) for part in item.split("+")]
        for said in [login.get("service"), login.get("netrc"), login.get("file"), *names]:
            assert said is None or said in text, said


def test_what_is_compared_with_a_model_has_an_error_and_codes_are_of_one_class(catalogue):
    for name, source in catalogue.items():
        for variable, field in source.get("variables", {}).items():
            codes = [code for group in field.get("classes", {}).values() for code in group]
            assert len(codes) == len(set(codes)), (name, variable)
            assert field.get("operator", "none") == "none" or "uncertainty" in field, name
