"""Each constraint on made-up runs: nil where it holds, growing the further it is broken."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml
from concerto.assimilation import constraints
from concerto.assimilation.constraints import NAMES, Constraints
from concerto.errors import ConcertoError
from concerto.models import Trajectories
from concerto.models.kernels.lanes import Placement
from synthetic_dalec import model_named

STEPS, STEP, YEARS = 730, 1.0, 2
TERM = ["run", "return"]  # a constraint is a function of a run alone
HOW_FAR = np.array([1.0, 1.5, 3.0, 20.0])  # by what factor a member fails
LN = np.log(1.1)


def parameters(model, **values):
    """Members of sound parameters, changed as said."""
    sound = {
        "soil_respiration": 1e-5, "litter_respiration": 1e-3, "litter_decomposition": 1e-3,
        "leaf_life_span": 2.0, "wood_turnover": 1e-4, "root_turnover": 5e-3,
        "temperature_sensitivity": 0.05, "leaf_allocation": 0.2, "labile_allocation": 0.2,
        "root_allocation": 0.4,
    }  # fmt: skip
    described = [sound.get(name, 1.0) for name in model.parameter_names]
    out = np.tile(described, (len(HOW_FAR), 1))
    for name, value in values.items():
        out[:, model.parameter_names.index(name)] = value
    return out


def run(model, values=None, inflow=1.0, means=None, sizes=None, finals=None):
    """A run in steady state of pools of 100 gC m-2 that gain and lose 1 gC m-2 d-1.

    Its leaf area is 3 m2 m-2.
    """
    members = len(HOW_FAR)
    place = Placement(members)
    needed = constraints_of(model).summed
    sound = {"c_leaf": 100.0, "c_root": 100.0, "lai": 3.0}
    totals = {name: np.full(members, mean * STEPS) for name, mean in sound.items()}
    for names in model.inflows.values():
        totals |= {name: inflow * np.ones(members) * STEPS / len(names) for name in names}
    totals |= {name: value * np.ones(members) * STEPS for name, value in (means or {}).items()}
    snapshots = np.full((members, YEARS, len(model.pools)), 100.0)
    if sizes is not None:
        snapshots[:, 1:] = np.reshape(sizes, (-1, 1, 1))
    final = np.full((members, len(model.pools)), 100.0)
    if finals is not None:
        final[:] = np.reshape(finals, (-1, 1))
    lanes = [place.lay_out(snapshots[:, year]) for year in range(YEARS)]
    return Trajectories(
        placement=place,
        names=(),
        summed=needed,
        dates=tuple(range(len(lanes))),
        record=np.empty((1, STEPS, 0, 16)),
        totals=place.lay_out(np.stack([totals[name] for name in needed], axis=1)),
        snapshots=np.stack(lanes, axis=1),
        pools=place.lay_out(final),
        path=np.empty((1, 0, len(model.pools), 16)),
        parameters=place.lay_out(parameters(model, **(values or {}))),
        constants=np.empty((1, 0, 16)),
    )


def residuals(of, runs):
    return runs.placement.collect(of.residuals(runs))


def constraints_of(model, names=NAMES):
    return Constraints(model, names, STEP, STEPS, mean_temperature=10.0)


@pytest.fixture(scope="module")
def columns(dalec2):
    each = {name: constraints_of(dalec2, [name]) for name in NAMES}
    return lambda name, made: residuals(each[name], made)


def test_names_are_those_of_schema_and_default_run():
    config = Path(__file__).parents[2] / "config"
    schema = yaml.safe_load((config / "schema.yaml").read_text())
    known = schema["properties"]["constraints"]["items"]["enum"]
    assert set(NAMES) == set(known)
    default = yaml.safe_load((config / "config.yaml").read_text())["constraints"]
    assert set(NAMES) == set(default)


def test_names_are_complete():
    terms = [
        name
        for name, value in vars(constraints).items()
        if not name.startswith("_") and list(getattr(value, "__annotations__", ())) == TERM
    ]
    assert set(NAMES) == set(terms)


@pytest.mark.parametrize("name", NAMES)
def test_nil_where_satisfied(dalec2, columns, name):
    found = columns(name, run(dalec2))
    assert found.shape[0] == len(HOW_FAR)
    assert found.shape[1] > 0
    np.testing.assert_allclose(found, 0.0, atol=1e-12)


WARMTH = np.exp(0.05 * 10.0)
BROKEN = {  # constraint: what breaks it by a factor HOW_FAR, and the columns that then show it
    "soil above litter respiration": (
        "turnover_order", {"values": {"litter_respiration": 1e-5 / HOW_FAR}}, [0]
    ),
    "soil respiration above decomposition": (
        "turnover_order", {"values": {"litter_decomposition": 1e-5 / HOW_FAR}}, [1]
    ),
    "wood faster than leaves": (
        "leaf_wood_order", {"values": {"wood_turnover": HOW_FAR / 2.0 / 365.25}}, [0]
    ),
    "soil faster than roots, when warm": (
        "root_som_order", {"values": {"root_turnover": 1e-5 * WARMTH / HOW_FAR}}, [0]
    ),
    "more leaf area than was ever measured": (
        "leaf_area", {"means": {"lai": 18.0 * HOW_FAR}}, [0]
    ),
    "too few leaves": (
        "leaf_root_balance", {"means": {"c_leaf": 20.0 / HOW_FAR}}, [0]
    ),
    "too many leaves": (
        "leaf_root_balance", {"means": {"c_leaf": 500.0 * HOW_FAR}}, [0]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_grows_as_it_fails(dalec2, columns, case):
    name, changes, shown = BROKEN[case]
    found = columns(name, run(dalec2, **changes))
    np.testing.assert_allclose(found[:, shown[0]], np.log(HOW_FAR) / LN, atol=1e-9)
    others = [k for k in range(found.shape[1]) if k not in shown]
    np.testing.assert_allclose(found[:, others], 0.0, atol=1e-12)


@pytest.mark.parametrize("wanted", [5.0, 0.2])
def test_shares_of_leaves_and_roots_are_within_a_factor_of_five(dalec2, columns, wanted):
    root = 0.3
    # a share x for leaves, half of it by labile carbon, leaves roots 0.3 (1 - x)
    ratio = wanted * HOW_FAR if wanted > 1.0 else wanted / HOW_FAR
    share = root * ratio / (1.0 + root * ratio)
    labile = share / 2.0
    made = run(
        dalec2,
        {
            "leaf_allocation": (share - labile) / (1.0 - labile),
            "labile_allocation": labile,
            "root_allocation": root,
        },
    )
    found = columns("allocation_balance", made)[:, 0]
    np.testing.assert_allclose(found, np.log(HOW_FAR) / LN, atol=1e-9)


def test_growth_is_inflow_over_outflow_times_drift(dalec2, columns):
    # sizes stay, but more comes in than goes out: 100 + in - out = final
    final = 100.0 * HOW_FAR
    found = columns("pool_growth", run(dalec2, inflow=10.0, finals=final))
    inflow = 10.0 * STEPS
    expected = np.log(inflow / (inflow - (final - 100.0))) / np.log(2.0)
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 6, axis=1), rtol=1e-9)
    assert (np.diff(found[:, 0]) > 0.0).all()
    # sizes shrink to a half, a third: drift below one, and as much out of it again
    shrunk = columns("pool_growth", run(dalec2, sizes=100.0 / HOW_FAR))[:, 0]
    np.testing.assert_allclose(shrunk, np.log((1.0 + 1.0 / HOW_FAR) / 2.0) / np.log(2.0))


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_transient_is_the_logarithm_of_mean_over_first_size(dalec2, columns, direction):
    found = columns("pool_equilibrium", run(dalec2, sizes=100.0 * HOW_FAR**direction))
    expected = np.log((1.0 + HOW_FAR**direction) / 2.0) / LN
    np.testing.assert_allclose(found, np.repeat(expected[:, None], 6, axis=1), atol=1e-12)
    assert (np.diff(np.abs(found[:, 0])) > 0.0).all()


def test_pools_are_bounded_by_the_prior_of_their_start(dalec2, columns):
    limits = {p.name: p.max for p in dalec2.parameters}
    for k, pool in enumerate(dalec2.pools):
        limit = limits[pool.replace("c_", "initial_")]
        found = columns("pool_bounds", run(dalec2, finals=limit * HOW_FAR))
        np.testing.assert_allclose(found[:, k], np.log(HOW_FAR) / LN, atol=1e-9)
        assert (columns("pool_bounds", run(dalec2, finals=limit / 2.0))[:, k] == 0.0).all()


def test_columns_follow_the_names(dalec2, columns):
    made = run(dalec2, sizes=100.0 * HOW_FAR)
    parts = {name: columns(name, made) for name in NAMES}
    every = constraints_of(dalec2)
    np.testing.assert_array_equal(
        residuals(every, made), np.concatenate(list(parts.values()), axis=1)
    )
    for name, found in every.named(made).items():
        np.testing.assert_array_equal(made.placement.collect(found), parts[name], err_msg=name)
    chosen = ("pool_bounds", "turnover_order")
    np.testing.assert_array_equal(
        residuals(constraints_of(dalec2, chosen), made),
        np.concatenate([parts[name] for name in chosen], axis=1),
    )


def test_needed_outputs_are_those_that_fill_pools(dalec2):
    needed = constraints_of(dalec2).summed
    assert len(set(needed)) == len(needed)
    assert set(needed) <= set(dalec2.outputs)
    for names in dalec2.inflows.values():
        assert set(names) <= set(needed)


def test_slopes_are_finite_differences(dalec2):
    """Of the log-density, where each constraint is broken."""
    runs = run(dalec2, sizes=100.0 * HOW_FAR, finals=30.0 * HOW_FAR, inflow=3.0)
    far = np.exp(np.random.default_rng(1).uniform(-2.0, 0.1, runs.parameters.shape))
    runs = dataclasses.replace(runs, parameters=runs.parameters * far)
    every = constraints_of(dalec2)
    terms, *slopes = every.slopes(runs)
    np.testing.assert_array_equal(terms, every.residuals(runs))
    assert np.isfinite(terms).all()
    assert (np.abs(terms).max(axis=(0, 2)) > 0.1).sum() > 10

    def density(field, factor):
        moved = dataclasses.replace(runs, **{field: getattr(runs, field) * factor})
        return -0.5 * (every.residuals(moved) ** 2).sum(axis=1)

    step = 1e-6
    for field, slope in zip(("parameters", "totals", "snapshots", "pools"), slopes, strict=True):
        change = (density(field, 1.0 + step) - density(field, 1.0 - step)) / (2.0 * step)
        along = slope * getattr(runs, field)
        inner = tuple(range(1, along.ndim - 1))
        assert np.abs(change).max() > 0.1, field
        np.testing.assert_allclose(change, along.sum(axis=inner), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("member", range(len(HOW_FAR)))
def test_changes_along_directions_are_finite_differences(dalec2, member):
    made = run(dalec2, sizes=100.0 * HOW_FAR, finals=30.0 * HOW_FAR, inflow=3.0)
    fields = ("parameters", "totals", "snapshots", "pools")
    one = {name: np.repeat(getattr(made, name)[..., [member]], 16, axis=-1) for name in fields}
    rng, h = np.random.default_rng(3), 1e-6
    along = {name: part * rng.uniform(-1.0, 1.0, part.shape) for name, part in one.items()}
    alone, changes = (dataclasses.replace(made, **parts) for parts in (one, along))
    every = constraints_of(dalec2)
    ahead, behind = (
        every.residuals(
            dataclasses.replace(made, **{name: one[name] + s * h * along[name] for name in fields})
        )
        for s in (1.0, -1.0)
    )
    found = every.push_forward(alone, changes)
    assert np.abs(found).max() > 1.0
    np.testing.assert_allclose(found, (ahead - behind) / (2.0 * h), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["dalec_water", "dalec_cn"])
def test_pools_of_water_and_nitrogen_are_left_alone(name):
    model = model_named(name)
    found = constraints_of(model)
    assert set(found.summed) <= set(model.outputs)


def test_a_constraint_on_what_the_model_has_not(dalec2):
    other = dataclasses.replace(
        dalec2, parameters=tuple(p for p in dalec2.parameters if p.name != "leaf_life_span")
    )
    with pytest.raises(ConcertoError, match="leaf_wood_order is on leaf_life_span, which dalec2"):
        constraints_of(other, ["leaf_wood_order"])
