import numpy as np
import pytest
from concerto.assimilation.diagnostics import (
    ESS_MIN,
    RHAT_MAX,
    chain_diagnostics,
    judge_chains,
    judge_weights,
    smooth_weights,
    worth,
)
from scipy import stats

CHAINS, DRAWS = 4, 1500


def autoregressive(rng, correlation, shape):
    noise = rng.standard_normal(shape)
    for t in range(1, shape[1]):
        noise[:, t] = correlation * noise[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
    return noise


def rhat_by_hand(chains):
    """Rank-normalised split R-hat of Vehtari et al. (2021): the worse of bulk and folded."""

    def plain(x):
        half = x.shape[1] // 2
        split = np.concatenate([x[:, :half], x[:, -half:]])
        ranks = stats.rankdata(split).reshape(split.shape)
        z = stats.norm.ppf((ranks - 0.375) / (split.size + 0.25))
        within = z.var(axis=1, ddof=1).mean()
        between = half * z.mean(axis=1).var(ddof=1)
        return np.sqrt(((half - 1) / half * within + between / half) / within)

    return max(plain(chains), plain(np.abs(chains - np.median(chains))))


def test_linear_parameters_are_those_of_the_paper():
    rng = np.random.default_rng(1)
    chains = np.stack(
        [
            rng.random((CHAINS, DRAWS)),
            0.5 + 0.1 * autoregressive(rng, 0.95, (CHAINS, DRAWS)),
            0.2 + 0.05 * np.arange(CHAINS)[:, None] + 0.05 * rng.standard_normal((CHAINS, DRAWS)),
        ],
        axis=2,
    )
    found = chain_diagnostics(chains, np.zeros(3, dtype=bool))
    expected = [rhat_by_hand(chains[:, :, k]) for k in range(3)]
    np.testing.assert_allclose(found["rhat"], expected, rtol=1e-6)
    assert found["rhat"][0] < RHAT_MAX < found["rhat"][2]
    # of n values with correlation r, n (1 - r) / (1 + r) are worth as much as independent ones
    n = CHAINS * DRAWS
    assert found["ess_bulk"][0] == pytest.approx(n, rel=0.1)
    assert found["ess_bulk"][1] == pytest.approx(n * 0.05 / 1.95, rel=0.5)
    assert found["ess_tail"].shape == (3,)


def circular(values):
    both = np.stack([values, np.full_like(values, 0.5)], axis=2)
    both[:, :, 1] += 0.1 * np.random.default_rng(2).standard_normal(values.shape)
    found = chain_diagnostics(both, np.array([True, False]))
    return {name: series[0] for name, series in found.items()}


def test_a_circle_has_no_end():
    rng = np.random.default_rng(3)
    shift = np.array([-0.02, -0.01, 0.01, 0.02])[:, None]
    around = shift + 0.03 * autoregressive(rng, 0.9, (CHAINS, DRAWS))  # of the new year
    found = circular(around % 1.0)
    # the sine rises with the day here, and ranks are all that counts
    expected = max(rhat_by_hand(around), rhat_by_hand(np.cos(2.0 * np.pi * around)))
    assert found["rhat"] == pytest.approx(expected, rel=1e-6)
    assert abs(rhat_by_hand(around % 1.0) - expected) > 0.01


@pytest.mark.parametrize(("one", "other"), [(0.25, 0.75), (0.0, 0.5), (0.125, 0.375)])
def test_chains_apart_on_the_circle_are_seen(one, other):
    rng = np.random.default_rng(4)
    where = np.array([one, other, one, other])[:, None]
    found = circular((where + 0.01 * rng.standard_normal((CHAINS, DRAWS))) % 1.0)
    assert found["rhat"] > 1.5
    assert found["ess_bulk"] < 100


def test_the_input_is_left_alone():
    chains = np.random.default_rng(5).random((3, 50, 2))
    before = chains.copy()
    chain_diagnostics(chains, np.array([True, False]))
    np.testing.assert_array_equal(chains, before)


@pytest.mark.parametrize(
    ("rhat", "ess", "converged"),
    [
        (1.0099, 400.1, True),
        (1.01, 5000.0, False),
        (1.001, 400.0, False),
        (1.2, 20.0, False),
        (np.nan, 5000.0, False),
    ],
)
def test_verdict(rhat, ess, converged):
    diagnostics = {
        "rhat": np.array([1.0, rhat, 1.002]),
        "ess_bulk": np.array([ess, 9000.0, 8000.0]),
        "ess_tail": np.array([10.0, 10.0, 10.0]),
    }
    found, sentence = judge_chains(diagnostics)
    assert found is converged
    assert f"{ess:.0f} (above {ESS_MIN:.0f} wanted)" in sentence
    if np.isfinite(rhat):
        assert f"{max(rhat, 1.002):.4f} (below {RHAT_MAX} wanted)" in sentence


def pareto_weights(shape, count=20_000):
    return np.log(stats.genpareto(shape).rvs(count, random_state=6))


@pytest.mark.parametrize("shape", [0.2, 0.5, 1.0])
def test_k_hat_is_the_shape_of_the_tail(shape):
    smoothed, k_hat = smooth_weights(pareto_weights(shape))
    # of the 425 largest, an estimate of the shape k is wrong by about (1 + k) / sqrt(425)
    assert k_hat == pytest.approx(shape, abs=4.0 * (1.0 + shape) / np.sqrt(425))
    assert np.exp(smoothed).sum() == pytest.approx(1.0)


def test_worth_of_weights():
    assert worth(np.full(7, 3.0)) == pytest.approx(7.0)
    assert worth(np.array([0.0, 0.0, -np.inf])) == pytest.approx(2.0)


def test_weights_without_a_tail():
    assert smooth_weights(np.full(100, -3.0))[1] == -np.inf
    few = np.full(100, -np.inf)
    few[:3] = [0.0, 1.0, 2.0]
    assert smooth_weights(few)[1] == np.inf


@pytest.mark.parametrize(
    ("count", "k_hat", "converged"),
    [(401, 0.69, True), (400, 0.1, False), (5000, 0.7, False), (5000, np.inf, False)],
)
def test_verdict_on_weights(count, k_hat, converged):
    found, sentence = judge_weights(np.zeros(count), k_hat)
    assert found is converged
    assert f"effective sample size {count} (above 400 wanted)" in sentence
