import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.products.budget import COLUMNS, MEAN_COLUMNS, budget_tables
from write_budget import write_budget

SITE = "CH-Dav"


@pytest.fixture(scope="module")
def inputs(run):
    return (
        xr.load_dataset(run / "projection" / SITE / "demcz.nc"),
        xr.load_dataset(run / "cubes" / SITE / "observations.nc"),
    )


@pytest.fixture(scope="module")
def tables(inputs):
    return budget_tables(SITE, *inputs, "no")


def test_a_sum_is_the_members_own(inputs, tables):
    projection, _ = inputs
    for year in (2013, 2016):
        of_year = projection["nee_total"].sel(time=str(year)).astype(float).sum("time")
        row = tables[0].query("year == @year and variable == 'nee'").iloc[0]
        assert row["mean"] == pytest.approx(float(of_year.mean()), rel=1e-5)
        assert row.sd == pytest.approx(float(of_year.std(ddof=1)), rel=1e-5)
        assert row.q95 == pytest.approx(float(of_year.quantile(0.95)), rel=1e-5)
        # Errors that last: far wider than days summed as if they were independent.
        days = projection["nee_total"].sel(time=str(year)).std("member")
        assert row.sd > 1.5 * float(np.sqrt((days**2).sum()))


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


def test_means_are_of_members_over_whole_years(inputs, tables):
    projection, _ = inputs
    gpp = projection["gpp_total"].isel(location=0).sel(time=slice("2015", "2016")).astype(float)
    mean = gpp.groupby("time.year").sum().mean("year")
    row = tables[1].query("variable == 'gpp' and period == 'withheld'").iloc[0]
    assert (row.first_year, row.last_year, row.years) == (2015, 2016, 2)
    assert row["mean"] == pytest.approx(float(mean.mean()), rel=1e-5)
    assert row.sd == pytest.approx(float(mean.std(ddof=1)), rel=1e-5)


def test_a_partial_year_is_marked_and_left_out_of_the_mean(inputs):
    projection, observations = inputs
    window = slice("2014-03-01", None)
    years, means = budget_tables(
        SITE, projection.sel(time=window), observations.sel(time=window), "yes"
    )
    part = years.query("year == 2014 and variable == 'gpp'").iloc[0]
    assert (part.partial, part.units, part.days) == ("yes", "gC m-2", 306)
    assert means.first_year.min() == 2015


def test_blocks_within_a_year_are_mixed(run):
    projection = xr.load_dataset(run / "projection" / "BE-Vie" / "demcz.nc")
    observations = xr.load_dataset(run / "cubes" / "BE-Vie" / "observations.nc")
    years, _ = budget_tables("BE-Vie", projection, observations, "yes")
    assert set(years.period) == {"mixed"}


def test_the_script_writes_both_tables(run, tmp_path):
    write_budget(
        SITE,
        run / "projection" / SITE / "demcz.nc",
        run / "posterior" / SITE / "demcz.nc",
        run / "cubes" / SITE / "observations.nc",
        years=tmp_path / "budget.csv",
        means=tmp_path / "budget_mean.csv",
    )
    assert len(pd.read_csv(tmp_path / "budget.csv")) == 4 * 9
    assert len(pd.read_csv(tmp_path / "budget_mean.csv")) == 2 * 9
    assert not list(tmp_path.glob(".*"))
