import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.products.budget import (
    COLUMNS,
    MEAN_COLUMNS,
    annual,
    budget_tables,
    threshold_shifts,
)
from write_budget import write_budget

SITE = "CH-Dav"
SEED = 7


@pytest.fixture(scope="module")
def inputs(run):
    return (
        xr.load_dataset(run / "projection" / SITE / "demcz.nc"),
        xr.load_dataset(run / "cubes" / SITE / "observations.nc"),
    )


@pytest.fixture(scope="module")
def tables(inputs):
    return budget_tables(SITE, *inputs, "no", SEED)


@pytest.fixture(scope="module")
def shifts(inputs):
    projection, observations = inputs
    return threshold_shifts(observations, projection, SEED)


def test_a_sum_is_the_members_own_moved_by_its_threshold(inputs, tables, shifts):
    projection, _ = inputs
    for year, days in ((2013, 365), (2016, 366)):
        of_year = projection["nee_total"].sel(time=str(year)).astype(float).sum("time")
        members = of_year.to_numpy()[:, 0] + days * shifts["nee"]
        row = tables[0].query("year == @year and variable == 'nee'").iloc[0]
        assert row["mean"] == pytest.approx(members.mean(), rel=1e-5)
        assert row.sd == pytest.approx(members.std(ddof=1), rel=1e-5)
        assert row.q95 == pytest.approx(np.quantile(members, 0.95), rel=1e-5)
        # Errors that last: far wider than days summed as if they were independent.
        spread = projection["nee_total"].sel(time=str(year)).std("member")
        assert row.sd > 1.5 * float(np.sqrt((spread**2).sum()))


def test_a_wrong_threshold_is_wrong_on_all_days_alike(inputs, shifts):
    projection, observations = inputs
    draw = shifts["nee"] / float(observations["nee_systematic"].mean())
    assert draw.shape == (projection.sizes["member"],)
    assert abs(draw.mean()) < 0.3
    assert draw.std() == pytest.approx(1, abs=0.2)
    assert shifts["reco"] == pytest.approx(draw * float(observations["reco_systematic"].mean()))


def test_a_wrong_threshold_keeps_carbon_closed(inputs, shifts):
    projection, _ = inputs
    assert shifts["gpp"] == pytest.approx(shifts["reco"] - shifts["nee"])
    moved, still = (
        {(a.year, a.variable): a.members for a in annual(projection, given)}
        for given in (shifts, {})
    )
    for year in (2013, 2014, 2015, 2016):
        change = {name: moved[year, name] - still[year, name] for name in ("nee", "gpp", "reco")}
        assert change["nee"] == pytest.approx(change["reco"] - change["gpp"])
        assert np.abs(change["nee"]).max() > 10
        assert (moved[year, "change_of_c_soil"] == still[year, "change_of_c_soil"]).all()


def test_the_threshold_widens_the_budget_and_leaves_its_middle(inputs, tables):
    projection, observations = inputs
    without = observations.drop_vars([n for n in observations if str(n).endswith("_systematic")])
    plain, _ = budget_tables(SITE, projection, without, "no", SEED)
    rows = tables[0].merge(plain, on=["year", "variable"], suffixes=("", "_plain"))
    fluxes = rows[rows.variable.isin(["nee", "reco"])]
    assert (fluxes.sd > fluxes.sd_plain).all()
    # The mean of a hundred draws is a tenth of their spread.
    assert ((fluxes["mean"] - fluxes.mean_plain).abs() < 0.3 * fluxes.sd).all()


def test_the_seed_decides_the_thresholds(inputs, shifts):
    projection, observations = inputs
    again, other = (threshold_shifts(observations, projection, seed) for seed in (SEED, SEED + 1))
    assert (again["nee"] == shifts["nee"]).all()
    assert (other["nee"] != shifts["nee"]).all()


def test_a_change_of_stock_runs_from_year_to_year(inputs, tables):
    projection, _ = inputs
    soil = projection["c_soil"].isel(location=0).astype(float)
    change = soil.sel(time="2015-12-31") - soil.sel(time="2014-12-31")
    row = tables[0].query("year == 2015 and variable == 'change_of_c_soil'").iloc[0]
    assert row["mean"] == pytest.approx(float(change.mean()), rel=1e-4)
    assert row.days == 365
    whole = tables[0].query("variable == 'change_of_c_soil'")
    assert whole["mean"].sum() == pytest.approx(
        float((soil.isel(time=-1) - soil.isel(time=0)).mean()), rel=1e-4
    )
    assert list(whole.days) == [364, 365, 365, 366]
    assert (whole.partial == "no").all()


def test_years_know_their_period_and_the_verdict(tables):
    years, means = tables
    assert tuple(years.columns) == COLUMNS
    assert tuple(means.columns) == MEAN_COLUMNS
    assert dict(zip(years.year, years.period, strict=True)) == {
        2013: "training",
        2014: "training",
        2015: "withheld",
        2016: "withheld",
    }
    assert (years.converged == "no").all()


def test_means_are_of_members_over_whole_years(inputs, tables, shifts):
    projection, _ = inputs
    gpp = projection["gpp_total"].isel(location=0).sel(time=slice("2015", "2016")).astype(float)
    mean = gpp.groupby("time.year").sum().mean("year").to_numpy() + 365.5 * shifts["gpp"]
    row = tables[1].query("variable == 'gpp' and period == 'withheld'").iloc[0]
    assert (row.first_year, row.last_year, row.years) == (2015, 2016, 2)
    assert row["mean"] == pytest.approx(mean.mean(), rel=1e-5)
    assert row.sd == pytest.approx(mean.std(ddof=1), rel=1e-5)


def test_a_partial_year_is_marked_and_left_out_of_the_mean(inputs):
    projection, observations = inputs
    window = slice("2014-03-01", None)
    years, means = budget_tables(
        SITE, projection.sel(time=window), observations.sel(time=window), "yes", SEED
    )
    part = years.query("year == 2014 and variable == 'gpp'").iloc[0]
    assert (part.partial, part.units, part.days) == ("yes", "gC m-2", 306)
    assert means.first_year.min() == 2015


def test_blocks_within_a_year_are_mixed(run):
    projection = xr.load_dataset(run / "projection" / "BE-Vie" / "demcz.nc")
    observations = xr.load_dataset(run / "cubes" / "BE-Vie" / "observations.nc")
    years, _ = budget_tables("BE-Vie", projection, observations, "yes", SEED)
    assert set(years.period) == {"mixed"}


def test_the_script_writes_both_tables(run, tmp_path):
    write_budget(
        SITE,
        run / "projection" / SITE / "demcz.nc",
        run / "posterior" / SITE / "demcz.nc",
        run / "cubes" / SITE / "observations.nc",
        seed=SEED,
        run_id="0123456789abcdef",
        years=tmp_path / "budget.csv",
        means=tmp_path / "budget_mean.csv",
    )
    assert len(pd.read_csv(tmp_path / "budget.csv")) == 4 * 9
    means = pd.read_csv(tmp_path / "budget_mean.csv", dtype=str)
    assert len(means) == 2 * 9
    assert set(means["run_id"]) == {"0123456789abcdef"}
    assert not list(tmp_path.glob(".*"))
