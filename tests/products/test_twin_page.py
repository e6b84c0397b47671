"""From ranks and errors of twin experiments to tables, figures and the page."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import yaml
from concerto.evaluation.information import FREE, subset_name
from judge_ranks import judge_ranks
from plot_ranks import plot_ranks
from plot_streams import plot_streams
from synthetic_dalec import ROOT
from tabulate_streams import tabulate_streams
from write_twin import write_twin

DRAWS, TRUTHS = 19, 60
METHODS = ("hmc", "esmda")
STREAMS = ("lai", "nee")
QUANTITIES = ("annual_nee", "live_biomass")


def ranks_of(method, rng):
    """Uniform ranks, but those of one method that is too sure of wood."""
    rows = []
    for truth in range(TRUTHS):
        sure = method == "esmda"
        rows.append(
            {
                "truth": truth, "method": method, "converged": truth % 2 == 0, "tries": 1,
                "effective": 150.0, "cpu_seconds": 3.5, "model_runs": 1000, "gradients": 0,
                "wood_turnover": DRAWS * rng.integers(2) if sure else rng.integers(DRAWS + 1),
                "annual_nee": rng.integers(DRAWS + 1),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def results_of(truths, rng):
    """Errors that fall with every stream, as stated."""
    rows = []
    subsets = {FREE: 1.0, "lai": 0.8, "nee": 0.4, subset_name(STREAMS): 0.3}
    for truth in truths:
        for subset, sd in subsets.items():
            for quantity in QUANTITIES:
                rows.append(
                    {
                        "truth": truth, "subset": subset, "quantity": quantity, "true": 1.0,
                        "mean": 1.0 + sd * rng.standard_normal(), "sd": sd, "converged": True,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a run with its tables, figures and page."""
    run, rng = tmp_path_factory.mktemp("twin"), np.random.default_rng(1)
    parts = [run / f"{method}.0.csv" for method in METHODS]
    for method, part in zip(METHODS, parts, strict=True):
        ranks_of(method, rng).to_csv(part, index=False)
    tables = [run / name for name in ("ranks.csv", "calibration.csv", "methods.csv")]
    judge_ranks(parts, *tables, run / "verdicts.txt", draws=DRAWS)
    figures = []
    for method in METHODS:
        figures += [run / f"{method}_ecdf.png", run / f"{method}_histogram.png"]
        plot_ranks(method, "BE-Vie", run / "ranks.csv", *figures[-2:], draws=DRAWS)
    shares = [run / "0.csv", run / "1.csv"]
    for k, share in enumerate(shares):
        results_of(range(k, 40, 2), rng).to_csv(share, index=False)
    tabulate_streams(shares, run / "error_reduction.csv", run / "stream_values.csv", seed=3)
    figures += [run / "error_reduction.png", run / "stream_values.png"]
    plot_streams(run / "error_reduction.csv", run / "stream_values.csv", *figures[-2:])
    config = yaml.safe_load((ROOT / "config/runs/twin.yaml").read_text(encoding="utf-8"))
    write_twin(
        config, run / "calibration.csv", run / "methods.csv", run / "error_reduction.csv",
        figures, run / "twin.html",
    )  # fmt: skip
    return run


def test_methods_are_judged(made):
    found = pd.read_csv(made / "methods.csv").set_index("method")
    assert found.passed.to_dict() == {"hmc": 2, "esmda": 1}
    ranks = pd.read_csv(made / "ranks.csv")
    assert len(ranks) == TRUTHS * len(METHODS)


def test_errors_fall_with_streams(made):
    found = pd.read_csv(made / "error_reduction.csv").set_index(["quantity", "subset"])
    assert (found.n == 40).all()
    joint = found.loc[("annual_nee", "lai+nee")]
    assert joint.sd_reduction == pytest.approx(70.0)
    assert joint.rmse_reduction_low > 40.0
    assert (found.converged == 1.0).all()
    values = pd.read_csv(made / "stream_values.csv")
    assert set(values.stream) == set(STREAMS)


class Text(HTMLParser):
    """What a page says, and what it would load."""

    def __init__(self):
        super().__init__()
        self.said, self.links, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


def test_the_page_says_which_uncertainty_is_true_and_loads_nothing(made):
    page = Text()
    page.feed((made / "twin.html").read_text(encoding="utf-8"))
    assert page.open == []
    text = " ".join(" ".join(page.said).split())
    assert "HMC yes 2 of 2" in text
    assert "ES-MDA no 1 of 2" in text
    assert "over-confident" in text
    assert "none: the free run" in text
    assert all(link.startswith(("#", "data:")) for link in page.links)
