"""Laws of errors against their integrals, their derivatives and their draws."""

import numpy as np
import pytest
from concerto.assimilation.distributions import NAMES, Distribution
from scipy import stats
from scipy.integrate import quad

LAWS = [Distribution("normal"), Distribution("laplace"), *(
    Distribution("student_t", freedom) for freedom in (2.5, 4.0, 30.0)
)]  # fmt: skip
WHITE = np.array([-40.0, -3.0, -0.2, -1e-9, 0.0, 1e-9, 1e-4, 0.05, 1.0, 7.0])


def ids(law):
    return f"{law.name}{law.degrees_of_freedom:g}" if law.name == "student_t" else law.name


every = pytest.mark.parametrize("law", LAWS, ids=ids)


def moment(law, power):
    found, _ = quad(lambda w: w**power * np.exp(-law.loss(w)), 0.0, np.inf, limit=500)
    return 2.0 * found


@every
def test_variance_is_one(law):
    variance = moment(law, 2) / moment(law, 0)
    assert variance == pytest.approx(1.0, abs=0.03 if law.name == "laplace" else 1e-3)


def test_densities_are_those_of_scipy():
    for law in LAWS:
        scale = np.sqrt(1.0 - 2.0 / law.degrees_of_freedom)
        known = {
            "normal": stats.norm(),
            "student_t": stats.t(law.degrees_of_freedom, scale=scale),
            "laplace": stats.laplace(scale=np.sqrt(0.5)),
        }[law.name]
        far = WHITE[np.abs(WHITE) >= 1.0] if law.name == "laplace" else WHITE
        expected = known.logpdf(far) - known.logpdf(far[0])
        found = law.loss(far[0]) - law.loss(far)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0.01 * (law.name == "laplace"))


@every
def test_half_the_square_of_the_residual_is_the_loss(law):
    np.testing.assert_allclose(0.5 * law.residual(WHITE) ** 2, law.loss(WHITE), rtol=1e-12)
    assert (np.diff(law.residual(WHITE)) >= 0.0).all()
    assert law.loss(np.zeros(1))[0] == 0.0


@every
def test_derivatives_are_finite_differences(law):
    step = 1e-6
    for of, derivative in ((law.loss, law.pull), (law.residual, law.slope)):
        difference = (of(WHITE + step) - of(WHITE - step)) / (2.0 * step)
        np.testing.assert_allclose(derivative(WHITE), difference, rtol=1e-5, atol=1e-5)


@every
def test_draws_follow_the_law(law):
    draws = law.draw((200, 50), np.random.default_rng(1))
    assert draws.shape == (200, 50)
    whole = moment(law, 0)

    def below(w):
        return 0.5 + np.sign(w) * quad(lambda x: np.exp(-law.loss(x)), 0.0, abs(w))[0] / whole

    assert stats.kstest(draws.ravel(), np.vectorize(below)).pvalue > 1e-3


def test_what_is_no_law_is_refused():
    with pytest.raises(ValueError, match=f"'cauchy'; expected one of {', '.join(NAMES)}"):
        Distribution("cauchy")
    with pytest.raises(ValueError, match="2 degrees of freedom; expected more than 2"):
        Distribution("student_t", 2.0)
