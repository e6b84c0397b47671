"""The last lines of a run say what may be trusted."""

import pandas as pd
import xarray as xr
from concerto.evaluation.verdicts import of_calibration, of_posteriors


def posterior(converged: str, verdict: str) -> xr.Dataset:
    attributes = {"converged": converged, "verdict": verdict}
    return xr.Dataset(coords={"location": ["XX-Tow"]}, attrs=attributes)


def test_each_posterior_has_a_line_and_what_has_not_converged_a_mark():
    posteriors = {
        "esmda": posterior("yes", "misfit 1.2"),
        "hmc": posterior("no", "R-hat 1.4; 20 effective draws"),
    }
    assert of_posteriors(posteriors, "hmc").splitlines() == [
        "    XX-Tow, esmda: converged: yes; misfit 1.2",
        "!!! XX-Tow, hmc (published): converged: no; R-hat 1.4; 20 effective draws",
    ]


def test_a_method_of_the_twin_run_is_marked_unless_all_is_well():
    columns = ["method", "truths", "quantities", "passed", "converged"]
    rows = [("hmc", 200, 31, 31, 1.0), ("esmda", 200, 31, 12, 1.0), ("demcz", 200, 31, 31, 0.97)]
    lines = of_calibration(pd.DataFrame(rows, columns=columns)).splitlines()
    assert lines[0] == (
        "    hmc: converged: 100 % of 200 posteriors; calibrated: yes; "
        "ranks of truths are uniform for 31 of 31 quantities"
    )
    assert lines[1].startswith("!!! esmda: converged: 100 % of 200 posteriors; calibrated: no;")
    assert lines[2].startswith("!!! demcz: converged: 97 % of 200 posteriors; calibrated: yes;")
