"""Runs beside each other: what is compared, and with what."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.errors import ConcertoError, InputError
from concerto.evaluation.runs import Run, compare_scores, compare_sums, shared_places
from concerto.plots.runs import draw
from concerto.products.report import Picture
from concerto.products.runs_page import read_run, render_runs
from html_page import parse


def scores_of(site="XX-One", method="hmc", crps=0.5, n=40):
    rows = [(method, crps), ("climatology", 1.0), ("regression", 0.8), ("other", 9.0)]
    return pd.DataFrame(
        [
            (site, "nee", "daily", name, n, 0.1, 1.0, 0.5, 0.4, value, 0.5, 0.9)
            for name, value in rows
        ],
        columns=[
            "site", "variable", "step", "predictor", "n", "bias", "rmse", "r2", "nse", "crps",
            "coverage50", "coverage90",
        ],
    )  # fmt: skip


def sums_of(place="XX-One", mean=-300.0, sd=30.0, units="gC m-2 yr-1", kind="tower"):
    columns = ["kind", "place", "period", "variable", "units", "mean", "sd", "q05", "q95"]
    row = (kind, place, "2014", "nee", units, mean, sd, mean - 2.0 * sd, mean + 2.0 * sd)
    return pd.DataFrame([row], columns=columns)


def run(sums=None, method="hmc", **scores):
    return Run(
        scores_of(method=method, **scores),
        {"XX-One": method},
        {"XX-One": ("no", "R-hat 1.3 & more")},
        sums_of() if sums is None else sums,
    )


def test_skill_is_what_is_saved_of_the_better_baseline():
    found = compare_scores({"a": run(crps=0.4), "b": run(method="rml", crps=1.2)})
    assert found.run.to_list() == ["a", "b"]
    assert found.method.to_list() == ["hmc", "rml"]
    np.testing.assert_allclose(found.skill, [0.5, -0.5])
    assert found.comparable.all()


def test_other_numbers_of_values_are_noticed():
    assert not compare_scores({"a": run(n=40), "b": run(n=41)}).comparable.any()


def test_sums_are_apart_by_the_deviation_of_their_difference():
    runs = {"a": run(), "b": run(sums_of(mean=-250.0, sd=40.0)), "c": run(sums_of(sd=0.0))}
    found = compare_sums(runs).set_index("run")
    np.testing.assert_allclose(found.apart[["a", "b", "c"]], [0.0, 1.0, 0.0])


def test_sums_that_one_run_alone_has_are_left_out_and_named():
    more = pd.concat([sums_of(), sums_of("strip, all cells", kind="map")])
    runs = {"a": run(more), "b": run()}
    assert set(compare_sums(runs).place) == {"XX-One"}
    assert shared_places(runs) == (["XX-One"], {"a": ["strip, all cells"]})


def test_runs_of_other_places_or_units_are_refused():
    with pytest.raises(ConcertoError, match="found the places a: XX-One; b: YY-Two; expected one"):
        shared_places({"a": run(), "b": run(sums_of("YY-Two"))})
    with pytest.raises(ConcertoError, match="XX-One, 2014, nee: found the units TgC yr-1, gC m-2"):
        compare_sums({"a": run(), "b": run(sums_of(units="TgC yr-1"))})


@pytest.fixture
def folder(tmp_path):
    """The results of a run of one tower and a map, as far as they are compared."""
    site = tmp_path / "products/XX-One"
    site.mkdir(parents=True)
    attributes = {"method": "hmc", "converged": "yes", "verdict": "R-hat 1.001"}
    xr.Dataset(attrs=attributes).to_netcdf(site / "fluxes.nc")
    means = {
        "site": "XX-One", "variable": ["nee", "change_of_c_leaf"], "period": "training",
        "first_year": 2014, "last_year": [2014, 2015], "mean": 1.5, "sd": 0.5, "q05": 0.5,
        "q95": 2.5, "units": "gC m-2 yr-1",
    }  # fmt: skip
    pd.DataFrame(means).to_csv(site / "budget_mean.csv", index=False)
    (tmp_path / "evaluation/XX-One").mkdir(parents=True)
    scores_of().to_csv(tmp_path / "evaluation/XX-One/scores.csv", index=False)
    (tmp_path / "products/strip").mkdir()
    regions = {
        "kind": ["all", "country", "igbp"], "region": ["all", "none", "ENF"], "variable": "gpp",
        "year": 2000, "units": "TgC yr-1", "mean": 3.0, "sd": 1.0, "q05": 1.0, "q95": 5.0,
    }  # fmt: skip
    pd.DataFrame(regions).to_csv(tmp_path / "products/strip/regions.csv", index=False)
    return tmp_path


def test_a_run_is_read_from_its_folder(folder):
    found = read_run(folder)
    assert found.methods == {"XX-One": "hmc"}
    assert found.verdicts == {"XX-One": ("yes", "R-hat 1.001")}
    assert found.sums[["kind", "place", "period"]].to_numpy().tolist() == [
        ["tower", "XX-One", "2014"],
        ["map", "strip, all cells", "2000"],
        ["region", "strip, no country", "2000"],
    ]


def test_a_folder_without_results_is_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"nowhere.*no products.*a finished run"):
        read_run(tmp_path / "nowhere")
    (folder / "evaluation/XX-One/scores.csv").unlink()
    with pytest.raises(InputError, match=r"scores\.csv.*no such file"):
        read_run(folder)


def test_the_page_has_every_run_and_escapes_what_it_shows():
    runs = {"a <b>": run(), "b": run(sums_of(mean=-250.0, sd=40.0), n=41)}
    scores, sums = compare_scores(runs), compare_sums(runs)
    drawing = draw(list(runs), scores, sums)
    assert len(drawing.figure.axes) == 2
    assert [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()] == ["XX-One, NEE"]
    picture = Picture("runs", drawing.title, drawing.caption, drawing.alternative, "")
    folders = {"a <b>": "results/a", "b": "results/b"}
    text = render_runs(runs, folders, scores, sums, {"b": ["elsewhere"]}, picture)
    _, words = parse(text)
    assert "a <b>" not in text
    assert "R-hat 1.3 &amp; more" in text
    assert "different numbers of values" in text
    assert "In b alone: elsewhere." in words
    assert "(1.0)" in text
