import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from compare_methods import compare_methods
from concerto.errors import InputError
from concerto.evaluation.scores import COLUMNS, METRICS
from concerto.products.report import fixed, number, percent, read_picture, score_summary, whole
from fit_baselines import fit_baselines
from html_page import parse
from score_forecast import score_forecast
from score_site import score_site
from synthetic_run import make_config, make_forecast
from write_budget import write_budget
from write_report import failed_sites, write_report

METHODS = ("demcz", "esmda")
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8ff"
    "ff3f0005fe02fe0def46b80000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def finished(run):
    """The run with its evaluation, budget and stand-ins for figures."""
    for site in ("BE-Vie", "CH-Dav"):
        cubes, out = run / "cubes" / site, run / "evaluation" / site
        projections = {m: run / "projection" / site / f"{m}.nc" for m in METHODS}
        posteriors = {m: run / "posterior" / site / f"{m}.nc" for m in METHODS}
        fit_baselines(
            cubes / "drivers.nc",
            cubes / "observations.nc",
            run / "projection" / site / "demcz.nc",
            out / "baselines.nc",
            members=100,
            seed=7,
        )
        score_site(
            site,
            cubes / "observations.nc",
            projections,
            out / "baselines.nc",
            seed=7,
            table=out / "scores.csv",
            notes=out / "notes.csv",
        )
        compare_methods(posteriors, "demcz", out / "methods.csv", out / "verdicts.txt")
        write_budget(
            site,
            projections["demcz"],
            posteriors["demcz"],
            cubes / "observations.nc",
            seed=7,
            run_id="0123456789abcdef",
            years=run / "products" / site / "budget.csv",
            means=run / "products" / site / "budget_mean.csv",
        )
        write_figure(run / "figures" / site / "pools.png", site)
    write_figure(run / "figures" / "sites.png", "map")
    return run


def write_figure(path, about):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PIXEL)
    words = {"title": about, "caption": f"Caption of {about} & more", "alternative": f"See {about}"}
    path.with_suffix(".json").write_text(json.dumps(words))


def make_page(run, page, output, config=None):
    config = config or make_config()
    write_report(
        list(config["sites"]) if page == "all" else [page],
        config,
        run=run,
        raw=[run / "raw" / "towers", run / "raw" / "borders"],
        words={
            "towers": {"licence": "CC-BY-5.0, as the source's own file says now"},
            "borders": {},
        },
        figures=["pools"],
        output=output,
    )
    return parse(output.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def index(finished, tmp_path_factory):
    return make_page(finished, "all", tmp_path_factory.mktemp("report") / "index.html")


def test_the_page_loads_nothing(index):
    page, _ = index
    assert not page.of("link")
    assert not page.of("script")
    assert page.of("img")
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.of("img"))
    assert {link["href"] for link in page.of("a") if link["href"][0] != "#"} == {"index.html"}
    assert "url(" not in " ".join(page.text)


def test_every_link_has_its_target_and_every_id_is_one(index):
    page, _ = index
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    hrefs = {link["href"] for link in page.of("a")} - {"index.html"}
    assert {href[1:] for href in hrefs} <= set(ids)


def test_it_is_accessible(index):
    page, _ = index
    assert page.of("html")[0]["lang"] == "en"
    assert all(image["alt"] for image in page.of("img"))
    assert all(head["scope"] in ("col", "row", "rowgroup") for head in page.of("th"))
    assert len(page.of("caption")) == len(page.of("table"))


def test_it_names_sites_verdicts_and_data(index):
    _, text = index
    for wanted in (
        "Carbon balance of BE-Vie, CH-Dav",
        "DE-MCz has not converged for CH-Dav: the numbers and figures of this site",
        "not converged: R-hat of initial_c_soil is 1.21, above 1.01",
        "converged: data mismatch fell from 41.2 to 1.1",
        "Annual mean of 2 whole years, 2015 to 2016 (withheld data)",
        "Sum of 2014 (training and withheld data)",
        "CC-BY-5.0, as the source's own file says now",
        "CC-BY-4.0",
        "Towers <made up>",
        "fewer measured half-hours than needed",
        "Caption of CH-Dav & more",
        "seed: 7",
        "ES-MDA agrees with DE-MCz on",
    ):
        assert wanted in text, wanted


def test_every_score_is_there(finished, index):
    _, text = index
    for site in ("BE-Vie", "CH-Dav"):
        scores = pd.read_csv(finished / "evaluation" / site / "scores.csv")
        assert all(fixed(value, 3) in text for value in scores.crps)
    assert "n/a" in text


def test_a_page_of_one_site_has_that_site_and_no_other(finished, tmp_path):
    _, text = make_page(finished, "BE-Vie", tmp_path / "BE-Vie.html")
    assert "CH-Dav" not in text.replace("sites: BE-Vie", "").split("Configuration")[0]
    assert "Not all of this may be trusted" not in text


def test_a_forecast_has_its_figure_words_and_table(finished, tmp_path):
    run, site = tmp_path / "run", "CH-Dav"
    shutil.copytree(finished, run)
    projection = run / "projection" / site / "demcz.nc"
    make_forecast(xr.load_dataset(projection), 20).to_netcdf(tmp_path / "forecast.nc")
    table = run / "evaluation" / site / "forecast.csv"
    score_forecast(
        site,
        "demcz",
        observations=run / "cubes" / site / "observations.nc",
        forecast=tmp_path / "forecast.nc",
        projection=projection,
        baselines=run / "evaluation" / site / "baselines.nc",
        seed=7,
        table=table,
    )
    write_figure(run / "figures" / site / "forecast.png", "the forecast")
    forecast = {"sites": [site], "method": "esmda", "days": 20, "members": 100}
    config = make_config() | {"forecast": forecast}
    _, text = make_page(run, "all", tmp_path / "page.html", config)
    assert text.count("Forecast from the newest data") == 1
    assert "Caption of the forecast & more" in text
    assert "NEE, all weeks (" in text
    assert "is level with DE-MCz (" in text
    scores = pd.read_csv(table)
    assert all(fixed(value, 3) in text for value in [*scores.crps, *scores.rmse])
    assert "week 3" in text
    pd.DataFrame(columns=scores.columns).to_csv(table, index=False)
    _, text = make_page(run, "all", tmp_path / "empty.html", config)
    assert "Nothing was observed on these days." in text


def test_it_says_when_the_model_loses(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    path = run / "evaluation" / "BE-Vie" / "scores.csv"
    scores = pd.read_csv(path)
    scores.loc[scores.predictor == "demcz", "crps"] = 9.87
    scores.to_csv(path, index=False)
    _, text = make_page(run, "BE-Vie", tmp_path / "page.html")
    assert re.search(r"NEE, daily \(\d+ withheld values\): DE-MCz \(CRPS 9\.87 ", text)
    assert "loses to the day-of-year climatology" in text
    assert "wins 0, loses 12 and is level in 0. It loses to the day-of-year climatology in" in text


def test_a_failed_site_is_named_with_its_reason(finished, tmp_path):
    logs = finished / "logs"
    logs.mkdir(exist_ok=True)
    (logs / "read_tower.CH-Dav.log").write_text("fine\nFAILED: towers.csv: NEE: found nothing\n")
    (logs / "read_tower.BE-Vie.log").write_text("fine\n")
    assert failed_sites(logs, ["BE-Vie", "CH-Dav", "CH-D"]) == {
        "CH-Dav": "towers.csv: NEE: found nothing"
    }
    _, text = make_page(finished, "BE-Vie", tmp_path / "page.html")
    shutil.rmtree(logs)
    assert "Without results: CH-Dav (towers.csv: NEE: found nothing)." in text


def test_text_from_outside_is_escaped(finished, tmp_path):
    config = make_config()
    config["sites"]["BE-Vie"]["name"] = "<script>alert(1)</script>"
    page, text = make_page(finished, "BE-Vie", tmp_path / "page.html", config)
    assert not page.of("script")
    assert "<script>alert(1)</script>" in text


def test_the_same_results_give_the_same_page(finished, tmp_path):
    make_page(finished, "all", tmp_path / "a.html")
    make_page(finished, "all", tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_without_values_to_judge_it_says_so():
    row = {"site": "X", "variable": "nee", "step": "annual", "predictor": "demcz", "n": 1}
    scores = pd.DataFrame([row | dict.fromkeys(METRICS, 0.1)], columns=list(COLUMNS))
    assert "too few withheld values" in score_summary(scores, "demcz")


def test_a_figure_without_words_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(PIXEL)
    with pytest.raises(InputError, match=r"a\.json: file: found nothing"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number(-1234.5), "\N{MINUS SIGN}1\N{NARROW NO-BREAK SPACE}234"),
        (number(0.000123), "1.23e\N{MINUS SIGN}04"),
        (number(12.345), "12.3"),
        (number(0.0), "0"),
        (number(np.nan), "n/a"),
        (whole(999.6), "1\N{NARROW NO-BREAK SPACE}000"),
        (fixed(-0.5, 2), "\N{MINUS SIGN}0.50"),
        (fixed(np.nan, 2), "n/a"),
        (percent(0.905), "90\N{NO-BREAK SPACE}%"),
    ],
)
def test_numbers_are_written_for_people(written, expected):
    assert written == expected
