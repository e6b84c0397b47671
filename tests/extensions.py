"""Use the parts that the documentation adds, in the folder of a project that has their files."""

from __future__ import annotations

import json

import numpy as np
from concerto import plugins
from concerto.config import model_files
from concerto.domain import STREAMS
from concerto.evaluation.quantities import QUANTITIES
from concerto.models import load_model
from real_drivers import repeated, vielsalm
from synthetic_dalec import ROOT, draw_parameters, make_problem, model_named

DAYS = 100
LEAST = 0.001  # of the sensitivity to dry air


def of_models() -> dict[str, float]:
    """Run the model of the page under the operator of the page.

    Returns how far carbon is from closing, how far photosynthesis is from that without dry air
    times what dry air leaves, and how far NDVI stays from its bounds.
    """
    config = {"model": "dalec2_dry_air", "sites": {"A": {"streams": ["ndvi"]}}}
    model = load_model([ROOT / file for file in model_files(config)])
    parameters = draw_parameters(model, 32, seed=1)
    own = [parameter.name for parameter in model.parameters]
    column = {name: parameters[:, k].copy() for k, name in enumerate(own)}
    weather = repeated(model, DAYS)
    pools, inflows, outflows = model.balances["carbon"]
    names = tuple(dict.fromkeys(("gpp", "ndvi", *pools, *inflows, *outflows)))
    found = model.simulate(parameters, weather, names)
    change = sum(found.series(pool)[:, -1] - found.series(pool)[:, 0] for pool in pools)
    moved = sum(found.series(name)[:, 1:].sum(axis=1) for name in inflows)
    moved = moved - sum(found.series(name)[:, 1:].sum(axis=1) for name in outflows)
    parameters[:, own.index("dryness_sensitivity")] = LEAST
    moist = model.simulate(parameters, weather, names).series("gpp")[:, 0]
    kilopascals = vielsalm()[0]["vpd"][0] / 1000.0
    left = np.exp(-(column["dryness_sensitivity"] - LEAST) * kilopascals)
    ndvi = found.series("ndvi")
    return {
        "open": float(np.abs(change - moved).max()),
        "off": float(np.abs(found.series("gpp")[:, 0] / (moist * left) - 1.0).max()),
        "above_soil": float((ndvi.min(axis=1) - column["ndvi_soil"]).min()),
        "below_canopy": float((column["ndvi_canopy"] - ndvi.max(axis=1)).min()),
    }


def of_importance() -> dict[str, object]:
    """Run the method of the page on a problem, and say what it found."""
    method = plugins.load("assimilation.methods", "importance")
    problem = make_problem(model_named("dalec2"))
    found = method.assimilate(problem, {"draws": 200, "members": 50}, np.random.default_rng(1))
    return {
        "members": len(found.unit),
        "converged": found.converged,
        "effective": found.diagnostics["effective_draws"],
        "verdict": found.verdict,
    }


if __name__ == "__main__":
    found = {
        "models": of_models(),
        "ndvi": STREAMS["ndvi"].attributes(),
        "axis": QUANTITIES["ndvi"].axis,
        "importance": of_importance(),
    }
    print(json.dumps(found))
