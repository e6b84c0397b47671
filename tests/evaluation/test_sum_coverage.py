"""Intervals of sums are judged by the truths that they hold; shuffled members are too sure."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.evaluation import verdicts
from concerto.evaluation.region_twins import shuffled
from concerto.evaluation.sum_coverage import binomial_range, several, sum_coverage, summary
from concerto.plots.sums import draw

TRUTHS, MEMBERS = 60, 99
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def placed(truths=TRUTHS):
    """Sums of truths among those of members: independent ones are a third as wide as errors."""
    rng, rows = np.random.default_rng(4), []
    for truth in range(truths):
        for region, cells in (("A", 9), ("B", 1)):
            for arrangement in ("coherent", "independent"):
                narrow = cells > 1 and arrangement == "independent"
                members = rng.standard_normal(MEMBERS) / (3.0 if narrow else 1.0)
                true = rng.standard_normal()
                rows.append(
                    {
                        "kind": "country", "region": region, "variable": "gpp", "year": 2000,
                        "units": "TgC yr-1", "area_km2": 1.0, "cells": cells,
                        "mean": members.mean(), "sd": members.std(ddof=1),
                        **{q: np.quantile(members, share) for q, share in QUANTILES.items()},
                        "true": true, "rank": int((members < true).sum()), "members": MEMBERS,
                        "arrangement": arrangement, "truth": truth,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_narrow_intervals_are_told_from_right_ones():
    found = sum_coverage(placed()).set_index(["arrangement", "region"])
    low, high = binomial_range(90, TRUTHS)
    assert low <= found.loc[("coherent", "A"), "held_90"] <= high
    wrong = found.loc[("independent", "A")]
    assert wrong.held_90 < low
    assert not wrong.passed
    assert wrong.finding == "over-confident"
    assert wrong.sd_over_error == pytest.approx(1.0 / 3.0, rel=0.3)
    assert found.loc[("coherent", "A"), "passed"]
    # of one cell, shuffling changes nothing
    assert found.loc[("independent", "B"), "passed"]
    assert (found.truths == TRUTHS).all()


def test_what_is_said_is_of_regions_of_several_cells():
    found = sum_coverage(placed())
    assert set(several(found).region) == {"A"}
    assert (summary(found).regions == 1).all()
    right, wrong = verdicts.of_sums(found).splitlines()
    assert right.startswith("    sums over regions, coherent members: of 60 truths")
    assert wrong.startswith("!!! sums over regions, independent members")
    assert wrong.endswith("ranks are uniform for 0 of 1 sums")


def test_a_sum_that_lacks_a_cell_does_not_count():
    table = placed()
    table.loc[(table.truth == 3) & (table.region == "A"), "cells"] = 8
    found = sum_coverage(table).set_index(["arrangement", "region"])
    assert found.loc[("coherent", "A"), "truths"] == TRUTHS - 1
    assert found.loc[("coherent", "B"), "truths"] == TRUTHS


def test_binomial_range_holds_what_it_says():
    rng = np.random.default_rng(5)
    shares = rng.binomial(40, 0.9, 20000) / 40
    low, high = binomial_range(90, 40)
    assert 0.98 < np.mean((shares >= low) & (shares <= high)) < 1.0


def test_shuffled_members_keep_each_cell_and_lose_the_sum():
    rng = np.random.default_rng(6)
    same = rng.standard_normal((400, 1, 1)) + 0.1 * rng.standard_normal((400, 12, 2))
    before = xr.Dataset(
        {
            "parameters": (("member", "location", "parameter"), same),
            "status": ("location", [0] * 12),
        }
    )
    after = shuffled(before, rng)["parameters"].to_numpy()
    np.testing.assert_array_equal(np.sort(after, axis=0), np.sort(same, axis=0))
    # both parameters of a cell go together
    assert np.corrcoef(after[:, 3].T)[0, 1] > 0.95
    ratio = after.sum(axis=1).std() / same.sum(axis=1).std()
    assert ratio == pytest.approx(1.0 / np.sqrt(12.0), rel=0.2)


def test_the_figure_says_how_many_truths_are_held():
    table = placed()
    every = table[table.region == "A"].assign(kind="all", region="all")
    drawing = draw(sum_coverage(pd.concat([table, every])))
    assert f"Share of {TRUTHS} truths" in drawing.caption
    assert "independent:" in drawing.alternative
