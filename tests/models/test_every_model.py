"""What holds for every model: it conserves, and no parameters make it fail."""

import numpy as np
import pytest
from real_drivers import repeated
from synthetic_dalec import MONTH, draw_parameters, model_named

MODELS = ("dalec2", "dalec_water", "dalec_cn")
STEPS = {"daily": 1.0, "monthly": MONTH}


@pytest.fixture(scope="module", params=[(m, s) for m in MODELS for s in STEPS], ids="-".join)
def runs(request):
    """A thousand draws from the prior under real weather."""
    name, step = request.param
    model = model_named(name)
    weather = repeated(model, 365, STEPS[step])
    parameters = draw_parameters(model, 1000, seed=1)
    first = tuple(range(len(weather)))
    return model, STEPS[step], model.simulate(parameters, weather, model.outputs, (), first)


def test_no_parameters_fail(runs):
    model, _, found = runs
    assert np.isfinite(found.record).all()
    for pool in model.pools:
        assert found.series(pool).min() >= 0.0, pool


def test_balances_close_on_every_step(runs):
    model, step, found = runs
    before = {pool: found.snapshots[:, :, k] for k, pool in enumerate(model.pools)}
    column = {name: found.record[:, :, k] for k, name in enumerate(found.names)}
    assert model.balances
    for quantity, (pools, inflows, outflows) in model.balances.items():
        change = sum(column[pool] - before[pool] for pool in pools)
        moved = step * (sum(column[n] for n in inflows) - sum(column[n] for n in outflows))
        turnover = step * sum(np.abs(column[name]) for name in (*inflows, *outflows))
        held = sum(column[pool] + before[pool] for pool in pools)
        # a balance is as good as the pools are stored
        allowed = 1e-9 * turnover + 8.0 * np.finfo(float).eps * held
        assert (np.abs(change - moved) <= allowed).all(), quantity
        assert np.median(np.abs(change - moved) / (turnover + 1e-300)) < 1e-9, quantity
