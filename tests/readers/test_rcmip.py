import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from concerto.errors import InputError
from concerto.readers.rcmip import VARIABLE, read

CUT = Path(__file__).parents[1] / "data" / "rcmip_cut.csv"


@pytest.fixture
def rows():
    with CUT.open(newline="") as stream:
        return list(csv.reader(stream))


def write(rows, path):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def test_annual_means_stand_in_mid_year():
    ds = read(CUT, {}, {})
    assert ds.attrs["step_minutes"] == 0
    assert ds.indexes["time"][0] == pd.Timestamp("2005-07-02 12:00")
    year = ds["co2"].sel(time="2014")
    assert float(year.item()) == pytest.approx(397.547, abs=0.01)
    assert ds["co2"].attrs["units"] == "ppm"
    assert (np.diff(ds["co2"]) > 0).all()


def test_scenario_is_chosen():
    low, high = (read(CUT, {}, {"scenario": s})["co2"].to_numpy() for s in ("ssp245", "ssp585"))
    np.testing.assert_allclose(low[:10], high[:10])
    assert high[-1] > low[-1]


def test_faults_are_named(tmp_path, rows):
    with pytest.raises(InputError, match="found 0 rows of ssp999"):
        read(CUT, {}, {"scenario": "ssp999"})
    unit = rows[0].index("Unit")
    kelvin = [[*row[:unit], "K", *row[unit + 1 :]] if VARIABLE in row else row for row in rows]
    with pytest.raises(InputError, match="unit 'K'"):
        read(write(kelvin, tmp_path / "k.csv"), {}, {})
    short = [row[:-1] if "ssp245" in row else row for row in rows]
    with pytest.raises(InputError, match="another length"):
        read(write(short, tmp_path / "s.csv"), {}, {})
    text = [[*row[:-1], "much"] if "ssp245" in row else row for row in rows]
    with pytest.raises(InputError, match="much"):
        read(write(text, tmp_path / "t.csv"), {}, {})
    twice = [*rows, *rows[1:]]
    with pytest.raises(InputError, match="found 2 rows"):
        read(write(twice, tmp_path / "d.csv"), {}, {})
    headless = [row[1:] for row in rows]
    headless[0] = [name for name in rows[0] if name != "Scenario"]
    with pytest.raises(InputError, match="Scenario: found no such column"):
        read(write(headless, tmp_path / "h.csv"), {}, {})
    with pytest.raises(InputError, match="found nothing"):
        read(tmp_path / "none.csv", {}, {})
