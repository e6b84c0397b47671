import json
import struct

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.evaluation.forecasts import score_forecast as score_rows
from concerto.plots import (
    calibration,
    coverage,
    forecast,
    observed_predicted,
    parameters,
    pools,
    seasonal_cycle,
    sites,
    style,
    timeseries,
)
from fit_baselines import fit_baselines
from plot_coverage import plot_coverage
from plot_forecast import plot_forecast
from plot_observed_predicted import plot_observed_predicted
from plot_parameters import plot_parameters
from plot_pools import plot_pools
from plot_seasonal_cycle import plot_seasonal_cycle
from plot_sites import plot_sites
from plot_timeseries import plot_timeseries
from score_forecast import score_forecast
from score_site import score_site
from synthetic_run import PARAMETERS, make_config, make_forecast

METHODS = ("demcz", "esmda")
SITES = ("BE-Vie", "CH-Dav")
LARGEST = 400_000


class Files:
    """The files of one site of the run."""

    def __init__(self, run, site):
        self.site = site
        self.observations = run / "cubes" / site / "observations.nc"
        self.drivers = run / "cubes" / site / "drivers.nc"
        self.prior = run / "prior" / f"{site}.nc"
        self.projections = {m: run / "projection" / site / f"{m}.nc" for m in METHODS}
        self.posteriors = {m: run / "posterior" / site / f"{m}.nc" for m in METHODS}
        self.baselines = run / "evaluation" / site / "baselines.nc"
        self.scores = run / "evaluation" / site / "scores.csv"


@pytest.fixture(scope="module")
def files(run):
    found = {site: Files(run, site) for site in SITES}
    for site, f in found.items():
        fit_baselines(
            f.drivers, f.observations, f.projections["demcz"], f.baselines, members=100, seed=7
        )
        score_site(
            site,
            f.observations,
            f.projections,
            f.baselines,
            seed=7,
            table=f.scores,
            notes=f.scores.with_name("notes.csv"),
        )
    return found


def check(path):
    """The picture is a PNG of sensible size with words beside it; return the words."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > 600
    assert height > 300
    assert 10_000 < len(data) < LARGEST
    assert sorted(p.name for p in path.parent.iterdir()) == [f"{path.stem}.json", path.name]
    words = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(words) == {"title", "caption", "alternative"}
    assert all(words.values())
    return words


def texts(figure):
    from matplotlib.text import Text

    return [t.get_text() for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


def panels(figure):
    return figure.get_axes()


@pytest.mark.parametrize("site", SITES)
def test_timeseries(files, site, tmp_path):
    f = files[site]
    plot_timeseries(
        site,
        "demcz",
        observations=f.observations,
        projection=f.projections["demcz"],
        posterior=f.posteriors["demcz"],
        figure=tmp_path / "timeseries.png",
    )
    words = check(tmp_path / "timeseries.png")
    assert ("has not converged" in words["caption"]) == (site == "CH-Dav")


def draw_timeseries(f, **changes):
    arguments = {
        "site": f.site,
        "observations": xr.load_dataset(f.observations),
        "projection": xr.load_dataset(f.projections["demcz"]),
        "method": "demcz",
        "converged": True,
    }
    return timeseries.draw(**arguments | changes).figure


def test_a_long_record_has_months_and_days_a_short_one_days(files):
    long = draw_timeseries(files["CH-Dav"], converged=False)
    assert len(panels(long)) == 6
    assert "NOT CONVERGED" in texts(long)
    assert "NEE (gC m⁻² d⁻¹)" in texts(long)
    short = draw_timeseries(files["BE-Vie"])
    assert len(panels(short)) == 3
    assert "NOT CONVERGED" not in texts(short)
    assert "LAI (m² m⁻²)" in texts(short)


def test_points_are_the_observations_by_kind(files):
    f = files["BE-Vie"]
    figure = draw_timeseries(f)
    flags = xr.load_dataset(f.projections["demcz"])["nee_training"].to_numpy()[0]
    value = xr.load_dataset(f.observations)["nee"].to_numpy()[0]
    points = {
        line.get_label(): line.get_ydata()
        for line in panels(figure)[0].lines
        if line.get_marker() == "o"
    }
    valid = np.isfinite(value)
    assert len(points["assimilated"]) == (valid & (flags == 1)).sum()
    assert len(points["withheld"]) == (valid & (flags == 0)).sum()
    assert sorted(points["withheld"]) == pytest.approx(sorted(value[valid & (flags == 0)]))


def test_a_sparse_variable_in_a_long_record_keeps_its_points(files):
    f = files["CH-Dav"]
    cube = xr.load_dataset(f.observations)
    cube["reco"] = cube["reco"].where(cube["time"].dt.day == 15)
    axes = panels(draw_timeseries(f, observations=cube))[4]
    drawn = sum(len(line.get_ydata()) for line in axes.lines if line.get_marker() == "o")
    assert drawn == int(np.isfinite(cube["reco"]).sum())


@pytest.mark.parametrize("site", SITES)
def test_seasonal_cycle(files, site, tmp_path):
    f = files[site]
    plot_seasonal_cycle(
        site,
        "demcz",
        observations=f.observations,
        projection=f.projections["demcz"],
        posterior=f.posteriors["demcz"],
        prior=f.prior,
        baselines=f.baselines,
        figure=tmp_path / "seasonal_cycle.png",
    )
    check(tmp_path / "seasonal_cycle.png")


def test_the_season_is_of_withheld_days(files):
    f = files["CH-Dav"]
    cube = xr.load_dataset(f.observations)
    projection = xr.load_dataset(f.projections["demcz"])
    drawing = seasonal_cycle.draw(
        site="CH-Dav",
        observations=cube,
        projection=projection,
        prior=xr.load_dataset(f.prior),
        baselines=xr.load_dataset(f.baselines),
        method="demcz",
        converged=True,
    )
    axes = panels(drawing.figure)[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert set(lines) == {
        "before calibration",
        "DE-MCz",
        "day-of-year climatology",
        "regression on weather",
        "observed",
    }
    seen = np.isfinite(cube["nee"]) & (projection["nee_training"] == 0)
    withheld = cube["nee"].where(seen).groupby("time.month").mean("time")
    assert lines["observed"] == pytest.approx(withheld.to_numpy()[0])
    # Nothing is known of the model's error before calibration: parameters alone.
    prior = xr.load_dataset(f.prior)
    assert not [name for name in prior if str(name).endswith("_total")]
    free = prior["nee"].where(seen).groupby("time.month").mean("time").mean("member")
    assert lines["before calibration"] == pytest.approx(free.to_numpy()[0], rel=1e-4)
    assert "under the prior, parameters alone" in drawing.caption


def test_a_variable_without_a_season_is_left_out_and_named(files):
    f = files["BE-Vie"]
    cube = xr.load_dataset(f.observations)
    cube["lai"] = cube["lai"].where(cube["time"].dt.day == 15)
    drawing = seasonal_cycle.draw(
        site="BE-Vie",
        observations=cube,
        projection=xr.load_dataset(f.projections["demcz"]),
        prior=xr.load_dataset(f.prior),
        baselines=xr.load_dataset(f.baselines),
        method="demcz",
        converged=True,
    )
    assert len(panels(drawing.figure)) == 2
    assert "for want of withheld values: LAI" in drawing.caption


@pytest.mark.parametrize("converged", ["yes", "no"])
def test_forecast(files, tmp_path, converged):
    f = files["CH-Dav"]
    ahead = make_forecast(xr.load_dataset(f.projections["demcz"]), 40, converged)
    ahead.to_netcdf(tmp_path / "forecast.nc")
    inputs = {
        "observations": f.observations,
        "forecast": tmp_path / "forecast.nc",
        "projection": f.projections["demcz"],
        "baselines": f.baselines,
    }
    table = tmp_path / "forecast.csv"
    score_forecast("CH-Dav", "demcz", **inputs, seed=7, table=table)
    figure = tmp_path / "figure/forecast.png"
    plot_forecast("CH-Dav", "demcz", **inputs, scores=table, figure=figure)
    words = check(figure)
    assert f"Verdict on LETKF: converged: {converged}; innovations of 1.02." in words["caption"]
    assert ("has not converged" in words["caption"]) == (converged == "no")
    assert "40 days from 01 January 2015 on" in words["title"]


def test_the_fan_is_of_the_days_ahead(files):
    f = files["CH-Dav"]
    cube, projection = xr.load_dataset(f.observations), xr.load_dataset(f.projections["demcz"])
    ahead, baselines = make_forecast(projection, 40), xr.load_dataset(f.baselines)
    scores = score_rows("CH-Dav", cube, ahead, {"demcz": projection}, baselines, seed=7)
    drawing = forecast.draw(
        site="CH-Dav",
        observations=cube,
        forecast=ahead,
        projection=projection,
        baselines=baselines,
        scores=scores,
        method="demcz",
    )
    left, right, *_ = panels(drawing.figure)
    lines = {line.get_label(): line for line in left.lines}
    assert len(lines["median"].get_xdata()) == len(lines["DE-MCz"].get_xdata()) == 40
    value = cube["nee"].to_numpy()[0, 730 - forecast.BEFORE_DAYS : 770]
    drawn = [*lines["assimilated"].get_ydata(), *lines["withheld"].get_ydata()]
    assert drawn == pytest.approx(value[np.isfinite(value)])
    crps = {line.get_label(): line.get_ydata() for line in right.lines}
    weeks = scores[(scores.variable == "nee") & (scores.predictor == "forecast")].crps
    assert crps["forecast"] == pytest.approx(weeks.to_numpy()[:-1])


def test_pools(files, tmp_path):
    f = files["CH-Dav"]
    plot_pools(
        "CH-Dav",
        "demcz",
        projection=f.projections["demcz"],
        posterior=f.posteriors["demcz"],
        figure=tmp_path / "pools.png",
    )
    check(tmp_path / "pools.png")
    projection = xr.load_dataset(f.projections["demcz"])
    drawing = pools.draw(site="X", projection=projection, method="demcz", converged=True)
    assert len(panels(drawing.figure)) == 6
    median = panels(drawing.figure)[5].lines[0].get_ydata()
    assert median == pytest.approx(projection["c_soil"].median("member").to_numpy()[0])


def test_parameters(files, tmp_path):
    f = files["CH-Dav"]
    plot_parameters(
        "CH-Dav", prior=f.prior, posteriors=f.posteriors, figure=tmp_path / "parameters.png"
    )
    words = check(tmp_path / "parameters.png")
    assert "has not converged" in words["caption"]


def test_each_parameter_has_a_panel_with_its_range_and_unit(files):
    f = files["BE-Vie"]
    posteriors = {m: xr.load_dataset(path) for m, path in f.posteriors.items()}
    drawing = parameters.draw(
        site="X", prior=xr.load_dataset(f.prior), posteriors=posteriors, converged=True
    )
    assert len(panels(drawing.figure)) == len(PARAMETERS)
    first = panels(drawing.figure)[0]
    assert first.get_title(loc="left") == "decomposition rate"
    assert first.get_xlabel() == "d⁻¹"
    assert first.get_xlim() == pytest.approx((1e-5, 0.01))
    assert first.get_xscale() == "log"
    assert len(first.lines) == 2
    assert panels(drawing.figure)[1].get_xscale() == "linear"


def test_a_density_across_the_new_year_is_one_hump():
    days = np.random.default_rng(1).normal(1, 8, 800) % 365.25
    grid = np.linspace(0, 365.25, 200)
    density = parameters._density(days, grid, 365.25)
    assert density[0] == pytest.approx(density[-1], rel=0.01)
    assert (density > 0.5).mean() < 0.08
    assert density[100] < 1e-3


def test_observed_predicted(files, tmp_path):
    f = files["BE-Vie"]
    plot_observed_predicted(
        "BE-Vie",
        "demcz",
        observations=f.observations,
        projection=f.projections["demcz"],
        posterior=f.posteriors["demcz"],
        scores=f.scores,
        figure=tmp_path / "observed_predicted.png",
    )
    check(tmp_path / "observed_predicted.png")


def test_the_scores_are_written_in_and_what_has_no_withheld_value_is_named(files):
    f = files["BE-Vie"]
    cube = xr.load_dataset(f.observations)
    cube["lai"] = cube["lai"].where(cube["time"].dt.day == 15)
    scores = pd.read_csv(f.scores)
    drawing = observed_predicted.draw(
        site="BE-Vie",
        observations=cube,
        projection=xr.load_dataset(f.projections["demcz"]),
        scores=scores,
        method="demcz",
        converged=True,
    )
    written = texts(drawing.figure)
    row = scores.query("variable == 'nee' and step == 'daily' and predictor == 'demcz'").iloc[0]
    assert any(f"n {row.n}\nR² {row.r2:.2f}\nRMSE {row.rmse:.2f}" in text for text in written)
    assert not any(text.startswith("LAI") for text in written)
    assert "for want of withheld values: LAI" in drawing.caption
    assert "Observed NEE (gC m⁻² d⁻¹)" in written


def test_coverage(files, tmp_path):
    f = files["CH-Dav"]
    plot_coverage(
        "CH-Dav",
        observations=f.observations,
        projections=f.projections,
        posterior=f.posteriors["demcz"],
        baselines=f.baselines,
        seed=7,
        figure=tmp_path / "coverage.png",
    )
    check(tmp_path / "coverage.png")


def test_the_curves_agree_with_the_scores(files):
    f = files["CH-Dav"]
    drawing = coverage.draw(
        site="CH-Dav",
        observations=xr.load_dataset(f.observations),
        projections={m: xr.load_dataset(path) for m, path in f.projections.items()},
        baselines=xr.load_dataset(f.baselines),
        seed=7,
        converged=True,
    )
    curves = {line.get_label(): line.get_ydata() for line in panels(drawing.figure)[0].lines}
    scores = pd.read_csv(f.scores).query("variable == 'nee' and step == 'daily'")
    for name, row in scores.set_index("predictor").iterrows():
        at_half = np.argmin(np.abs(coverage.NOMINAL - 0.5))
        found = curves[coverage.predictor_label(name)][at_half]
        assert found == pytest.approx(100 * row.coverage50, abs=0.01)


def test_sites(run, tmp_path):
    settings = make_config()["sites"]
    plot_sites(settings, run / "raw" / "borders" / "borders.geojson", tmp_path / "sites.png")
    words = check(tmp_path / "sites.png")
    assert "BE-Vie" in words["alternative"]


def test_every_tower_is_within_the_map_and_named(run):
    import geopandas

    borders = geopandas.read_file(run / "raw" / "borders" / "borders.geojson")
    settings = make_config()["sites"]
    axes = panels(sites.draw(settings, borders).figure)[0]
    for name, site in settings.items():
        assert axes.get_xlim()[0] < site["longitude"] < axes.get_xlim()[1]
        assert axes.get_ylim()[0] < site["latitude"] < axes.get_ylim()[1]
        assert any(text.get_text().startswith(name) for text in axes.texts)


def test_a_figure_is_the_same_each_time(files, tmp_path):
    projection = xr.load_dataset(files["BE-Vie"].projections["demcz"])
    for name in ("a", "b"):
        drawing = pools.draw(site="X", projection=projection, method="demcz", converged=True)
        style.save(drawing, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_an_unknown_method_has_a_colour_of_its_own():
    assert style.colour("newmethod") in style.SPARE_COLOURS
    assert style.colour("newmethod") == style.colour("newmethod")


MADE_UP = ("leaf_mass", "root_turnover", "wood_turnover", "leaf_life_span", "fall_day", "a", "b")
WRONG = MADE_UP[2]


def made_up_ranks(draws):
    rng = np.random.default_rng(3)
    found = {name: rng.integers(0, draws + 1, 120) for name in (*MADE_UP, "nee")}
    found[WRONG] = np.floor((draws + 1) * rng.beta(0.5, 0.5, 120)).astype(int)
    return found


@pytest.mark.parametrize("draw", [calibration.draw_ecdf, calibration.draw_histograms])
def test_calibration(draw, tmp_path):
    ranks = made_up_ranks(99)
    drawing = draw(site="BE-Vie", method="hmc", ranks=ranks, draws=99, converged=False)
    style.save(drawing, tmp_path / "calibration.png")
    words = check(tmp_path / "calibration.png")
    assert "7 of 8 quantities pass, with 120 truths ranked among 99 draws" in words["caption"]
    assert "those that fail: wood turnover (over-confident)." in words["caption"]
    assert "has not converged" in words["caption"]
    named = [axes.get_title(loc="left") for axes in panels(drawing.figure)]
    assert named == [*(name.replace("_", " ") for name in MADE_UP), "NEE"]
    assert texts(drawing.figure).count("fails") == 1
    assert "HMC" in texts(drawing.figure)


def test_calibration_lines_are_the_differences_and_the_band_holds_the_good_ones():
    ranks = made_up_ranks(49)
    drawing = calibration.draw_ecdf(site="X", method="hmc", ranks=ranks, draws=49, converged=True)
    for axes, (name, values) in zip(panels(drawing.figure), ranks.items(), strict=True):
        (line,) = (line for line in axes.lines if line.get_label() == "HMC")
        x, y = line.get_data()
        assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 1.0, 0.0)
        assert y[25] == pytest.approx(np.mean(values <= 24) - 0.5)
        edge = axes.collections[0].get_paths()[0].vertices
        low, high = (
            np.array([pick(edge[np.isclose(edge[:, 0], at), 1]) for at in x])
            for pick in (np.min, np.max)
        )
        inside = ((y >= low - 1e-9) & (y <= high + 1e-9)).all()
        assert inside == (name != WRONG)


def test_calibration_bars_are_relative_to_what_is_expected():
    ranks = made_up_ranks(99)
    drawing = calibration.draw_histograms(
        site="X", method="hmc", ranks=ranks, draws=99, converged=True
    )
    for axes, values in zip(panels(drawing.figure), ranks.values(), strict=True):
        (bars,) = (patch for patch in axes.patches if patch.get_label() == "HMC")
        heights, edges, _ = bars.get_data()
        assert len(heights) == calibration.BINS
        assert np.sum(heights * np.diff(edges)) == pytest.approx(1.0)
        assert heights[0] == pytest.approx(np.sum(values < 5) / 6.0)
