import base64
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from browser import CHROMIUM, Browser
from compare_methods import compare_methods
from concerto.errors import InputError
from concerto.evaluation.scores import COLUMNS, METRICS
from concerto.products.report import fixed, number, percent, read_picture, score_summary, whole
from fit_baselines import fit_baselines
from html_page import parse
from score_forecast import score_forecast
from score_ilamb import score_ilamb
from score_site import score_site
from synthetic_run import make_config, make_forecast
from write_assimilation_page import write_assimilation_page
from write_budget import write_budget
from write_evaluation_page import write_evaluation_page
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


@pytest.fixture(scope="module")
def gathered(finished, tmp_path_factory):
    """The pages of all assimilations and evaluations, with a map of three cells."""
    config = make_config()
    for site in config["sites"]:
        folder = finished / "evaluation" / site
        score_ilamb(
            site,
            finished / "cubes" / site / "observations.nc",
            finished / "cubes" / site / "drivers.nc",
            {m: finished / "projection" / site / f"{m}.nc" for m in METHODS},
            folder / "baselines.nc",
            seed=7,
            scores=folder / "ilamb.csv",
            responses=folder / "responses.csv",
        )
        write_figure(finished / "figures" / site / "ilamb.png", f"scores of {site}")
        write_errors(finished / "posterior" / site)
    shutil.copytree(finished / "evaluation/CH-Dav", finished / "evaluation/strip")
    write_figure(finished / "figures/strip/ilamb.png", "scores of a strip")
    write_errors(finished / "posterior/strip")
    write_tile(finished / "posterior/strip/r0c0.nc")
    (finished / "benchmarks").mkdir(exist_ok=True)
    for job, seconds in {
        "assimilate_site.CH-Dav.demcz": 7.5,
        "assimilate_tile.strip.r0c0": 2.5,
    }.items():
        text = f"s\tmax_rss\tcpu_time\n9.0\t100.0\t{seconds}\n"
        (finished / "benchmarks" / f"{job}.tsv").write_text(text)
    strip = {"name": "A <strip>", "method": "rml", "parts": ["r0c0"]}
    config["maps"] = {"strip": strip}
    folder, pages = tmp_path_factory.mktemp("pages"), {"CH-Dav.html": "CH-Dav & more"}
    files = folder / "assimilation.html", folder / "evaluation.html"
    write_assimilation_page(config, {"strip": strip}, pages, run=finished, output=files[0])
    write_evaluation_page(config, pages, run=finished, output=files[1])
    return files


def write_errors(folder):
    folder.mkdir(exist_ok=True)
    error = {"sd_fast": 0.4321, "tau_fast": 5.0, "sd_slow": 0.2, "tau_slow": 100.0,
             "observation_factor": 0.9, "distribution": "student_t"}  # fmt: skip
    (folder / "errors.json").write_text(json.dumps({"stream_errors": {"nee": error}}))


def write_tile(file):
    """Write posteriors of three cells: one converged, one has not, one was not observed."""
    values = np.full((4, 3, 1), np.nan, "f4")
    values[:, 0], values[:, 1] = 1.25, 2.25
    status = ("location", np.array([0, 1, 2], "i1"), {
        "flag_values": np.arange(3, dtype="i1"),
        "flag_meanings": "converged not_converged no_observation",
    })  # fmt: skip
    xr.Dataset(
        {
            "parameters": (("member", "location", "parameter"), values),
            "status": status,
            "reason": ("location", ["good", "misfit <3>", ""]),
        },
        {"location": ["c0", "c1", "c2"], "parameter": ["inflation_fapar"]},
    ).to_netcdf(file)


def test_the_page_of_assimilations_has_every_site_method_and_cell(gathered, finished):
    page, said = parse(gathered[0].read_text(encoding="utf-8"))
    assert "A <strip>" in said
    for site in ("BE-Vie", "CH-Dav"):
        for method in METHODS:
            with xr.open_dataset(finished / f"posterior/{site}/{method}.nc") as posterior:
                assert posterior.attrs["verdict"] in said
                assert " ".join(whole(posterior.attrs["model_runs"]).split()) in said
    for text in ("7.5", "2.5", "0.432", "student_t", "misfit <3>", "constraints", "prior"):
        assert text in said
    assert "good" not in said.split()
    assert "A <strip> RML 1 1 1 0 0 2.5" in said
    assert "A <strip> RML fAPAR 1.75 1.30 to 2.20" in said
    shares = [
        float(bar["style"].split()[1].rstrip("%")) for bar in page.of("span") if "style" in bar
    ]
    assert sum(shares) == pytest.approx(100.0 * 2 * len(METHODS), abs=0.5)


def test_the_page_of_evaluations_has_scores_beside_baselines(gathered, finished):
    page, said = parse(gathered[1].read_text(encoding="utf-8"))
    scores = pd.read_csv(finished / "evaluation/CH-Dav/scores.csv")
    daily = scores[(scores.variable == "nee") & (scores.step == "daily")].set_index("predictor")
    best = daily.crps[["climatology", "regression"]].min()
    saved = number(round(100.0 * (1.0 - daily.crps["demcz"] / best)))
    row = f"DE-MCz {daily.n['demcz']} " if daily.n["demcz"] < 1000 else "DE-MCz "
    assert row in said
    assert f" {saved} {fixed(daily.coverage50['demcz'], 2)}" in said
    overall = pd.read_csv(finished / "evaluation/CH-Dav/ilamb.csv")["overall"]
    for value in overall:
        assert fixed(value, 2) in said
    assert "a fit, no test" not in said
    assert "There are no fluxes of cells to test." in said
    assert len(page.of("img")) == 3


def test_pages_of_the_run_lead_to_the_start_and_to_more(gathered):
    for file in gathered:
        page, _ = parse(file.read_text(encoding="utf-8"))
        links = {link["href"] for link in page.of("a") if link["href"][0] != "#"}
        assert links == {"index.html", "CH-Dav.html"}
        ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
        assert {link["href"][1:] for link in page.of("a") if link["href"][0] == "#"} <= ids
        assert len(page.of("caption")) == len(page.of("table"))


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_a_browser_shows_pages_of_sections_whole_and_prints_them(gathered, tmp_path):
    browser = Browser(tmp_path / "profile")
    try:
        for file in gathered:
            for width in (360, 1280, 1920):
                browser.open(file, width, dark=width == 1280)
                assert browser.complaints == []
                assert [u for u in browser.requests if not u.startswith("data:")] == [file.as_uri()]
                assert browser.run("document.documentElement.scrollWidth") == width
            printed = base64.b64decode(browser.send("Page.printToPDF")["data"])
            assert printed.startswith(b"%PDF")
    finally:
        browser.close()
