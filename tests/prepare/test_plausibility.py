"""What cannot be is found by rules that know no names, and hardly anything else is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.config import ROOT, read_source
from concerto.cubes import FLAGS, flag_of
from concerto.domain import STREAMS
from concerto.prepare.network import read_towers
from concerto.prepare.plausibility import COLUMNS, check_network, flag_streams
from concerto.readers._places import read_places
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_towers import TABLE, TABLES, make_tower, write_towers

FLUXVAL = ROOT.parent / "shared/data/fluxval"
TOWERS = 40
BAD = 7  # which tower is spoilt
NAME = f"XX-T{BAD:02d}"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Drivers, observations and land of forty towers that are all right."""
    names = [f"XX-T{k:02d}.cbf" for k in range(TOWERS)]
    folder = tmp_path_factory.mktemp("plausible")
    write_towers(folder, {name: make_tower(k) for k, name in enumerate(names)})
    undisturbed = dict.fromkeys(("burned_area_fraction", "harvested_area_fraction"), 0.0)
    places = read_places(folder / "sites.csv", TABLE)
    towers = read_towers(places, "cbf", folder, names, TABLES, undisturbed)
    land = xr.Dataset({"igbp": ("location", places["igbp"].to_numpy(object))})
    return towers.drivers, towers.observations, land


def spoilt(network, stream: str, edit):
    drivers, observations, land = (cube.copy(deep=True) for cube in network)
    observations[stream][BAD] = edit(observations[stream][BAD].to_numpy(), observations)
    return check_network(drivers, observations, land)


def test_nothing_is_found_where_nothing_is_wrong(network):
    assert len(check_network(*network)) == 0


def once(values, value, months=1):
    out = values.copy()
    out[np.flatnonzero(np.isfinite(values))[:months]] = value
    return out


CASES = {
    "GPP by the light of the month": ("gpp", lambda v, o: 20.0 + 8 * v, "impossible"),
    "ET by the radiation of the month": ("et", lambda v, o: 15.0 + v, "impossible"),
    "ET by the rain of years": ("et", lambda v, o: 3.0 * v, "unlikely"),
    "NEE of a year": ("nee", lambda v, o: v - 2.0, "unlikely"),
    "NEE by GPP": ("nee", lambda v, o: -0.85 * o["gpp"][BAD].to_numpy(), "impossible"),
    "LAI by class": ("lai", lambda v, o: 0.2 * v, "unlikely"),
    "LAI by GPP": ("lai", lambda v, o: 0.2 * v, "unlikely"),
    "biomass by kind": ("total_biomass", lambda v, o: 0.02 * v, "unlikely"),
    "biomass by GPP": ("total_biomass", lambda v, o: 0.02 * v, "unlikely"),
    "amounts are not negative": ("lai", lambda v, o: -v, "impossible"),
}


@pytest.mark.parametrize("check", CASES)
def test_each_check_finds_its_fault_and_whose_it_is(network, check):
    stream, edit, severity = CASES[check]
    found = spoilt(network, stream, edit)
    assert list(found.columns) == list(COLUMNS)
    assert set(found["site"]) == {NAME}
    rows = found[found["check"] == check]
    assert set(rows["stream"]) == {stream}
    assert severity in set(rows["severity"])
    assert rows["found"].str.contains(r"\d").all()


def test_single_months_do_not_condemn_a_stream(network):
    (row,) = spoilt(network, "gpp", lambda v, o: once(v, 90.0)).to_dict("records")
    assert row["severity"] == "single"
    assert row["found"].startswith("90 g m-2 d-1 in 2001-01, 1 such of 48 months")
    many = spoilt(network, "gpp", lambda v, o: once(v, 90.0, 6))
    assert "impossible" in set(many["severity"])


def test_water_from_elsewhere_is_allowed_where_it_flows_in(network):
    drivers, observations, land = (cube.copy(deep=True) for cube in network)
    drivers["pr"][BAD] *= 0.2
    (row,) = check_network(drivers, observations, land).to_dict("records")
    assert (row["site"], row["stream"]) == (NAME, "et")
    land["igbp"][BAD] = "WET"
    assert len(check_network(drivers, observations, land)) == 0


def test_young_vegetation_that_is_no_forest_may_be_light(network):
    drivers, observations, land = (cube.copy(deep=True) for cube in network)
    observations["total_biomass"][BAD] *= 0.05
    land["igbp"][BAD] = "CRO"
    assert len(check_network(drivers, observations, land)) == 0


def test_few_towers_have_no_usual(network):
    few = [cube.isel(location=slice(0, 12)) for cube in network]
    few[1] = few[1].copy(deep=True)
    few[1]["lai"][BAD] *= 0.2
    assert len(check_network(*few)) == 0


def test_towers_and_streams_without_values_are_passed_over(network):
    drivers, observations, land = (cube.copy(deep=True) for cube in network)
    drivers = drivers.where(drivers["location"] != NAME)
    observations = observations.where(observations["location"] != NAME)
    observations = observations.drop_vars([v for v in observations if str(v).startswith("et")])
    assert len(check_network(drivers, observations, land)) == 0


@settings(deadline=None, max_examples=10)
@given(st.randoms(use_true_random=False))
def test_names_and_order_of_towers_do_not_matter(network, random):
    drivers, observations, land = (cube.copy(deep=True) for cube in network)
    observations["lai"][BAD] *= 0.2
    observations["nee"][3] -= 3.0
    order = random.sample(range(TOWERS), TOWERS)
    names = [f"ZZ-{k}" for k in range(TOWERS)]
    before = check_network(drivers, observations, land)
    mixed = [cube.isel(location=order) for cube in (drivers, observations, land)]
    after = check_network(mixed[0].assign_coords(location=names), *mixed[1:])
    renamed = {f"XX-T{old:02d}": f"ZZ-{new}" for new, old in enumerate(order)}
    expected = before.assign(site=before["site"].map(renamed))
    rows = [sorted(map(tuple, table.to_numpy())) for table in (expected, after)]
    assert rows[0] == rows[1]


def test_flags_are_of_the_worst_doubt(network):
    _, observations, _ = network
    rows = [
        ("XX-T01", "nee", "", "", "", "unlikely"),
        ("XX-T01", "nee", "", "", "", "impossible"),
        ("XX-T02", "nee", "", "", "", "single"),
        ("XX-T02", "lai", "", "", "", "unlikely"),
    ]
    flagged = flag_streams(observations, pd.DataFrame(rows, columns=list(COLUMNS)))
    nee, lai = (flagged[flag_of(name)].to_numpy() for name in ("nee", "lai"))
    assert [FLAGS[flag] for flag in nee[:4]] == ["no", "impossible", "single", "no"]
    assert [FLAGS[flag] for flag in lai[:4]] == ["no", "no", "unlikely", "no"]
    assert flagged["nee_implausible"].dtype == np.int8
    assert flagged["nee"].equals(observations["nee"])
    assert {name for name in STREAMS if flag_of(name) in flagged} == {
        "nee", "gpp", "et", "lai", "total_biomass",
    }  # fmt: skip


@pytest.mark.skipif(not FLUXVAL.exists(), reason="needs ../shared/data/fluxval")
def test_oddities_of_the_collection_are_found(tmp_path):
    source = read_source("fluxval")
    for name, path in source["members"].items():
        (tmp_path / name).symlink_to((FLUXVAL / path).resolve())
    table = "location_fluxnet.csv"
    places = read_places(tmp_path / table, source["tables"][table]["places"])
    undisturbed = dict.fromkeys(("burned_area_fraction", "harvested_area_fraction"), 0.0)
    files = [name for name in source["members"] if name != table]
    towers = read_towers(places, "cbf", tmp_path, files, source["tables"], undisturbed)
    assert len(towers.faults) == 0
    land = xr.Dataset({"igbp": ("location", places["igbp"].to_numpy(object))})
    found = check_network(towers.drivers, towers.observations, land)
    severe = found[found["severity"] != "single"]
    pairs = set(zip(severe["site"], severe["stream"], strict=True))
    assert {("US-MMS", "lai"), ("US-MMS", "total_biomass"), ("IT-Lav", "nee")} <= pairs
    assert len({site for site, _ in pairs}) <= 12  # of 204
