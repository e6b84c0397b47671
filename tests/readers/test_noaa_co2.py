from __future__ import annotations

import pandas as pd
import pytest
from concerto.errors import InputError
from concerto.readers.noaa_co2 import read

COMMENT = "# " + 68 * "-" + "\n# USE OF NOAA GML DATA\n#\n"
MAUNA_LOA = COMMENT + (
    "year,month,decimal date,average,deseasonalized,ndays,sdev,unc\n"
    "1958,3,1958.2027,315.71,314.44,-1,-9.99,-0.99\n"
    "1958,4,1958.2877,317.45,315.16,-1,-9.99,-0.99\n"
    "1958,5,1958.3699,-99.99,315.20,-1,-9.99,-0.99\n"
    "1958,6,1958.4548,317.23,315.14,-1,-9.99,-0.99\n"
)
GLOBAL = COMMENT + (
    "year,month,decimal,average,average_unc,trend,trend_unc\n"
    "1979,1,1979.042,336.56,0.11,335.92,0.09\n"
    "1979,2,1979.125,337.29,0.09,336.25,0.09\n"
)
ANNUAL = COMMENT + "year,mean,unc\n1979,336.85,0.10\n1980,338.91,0.07\n"


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "co2.csv"
        path.write_text(text)
        return path

    return to_file


def test_months_stand_in_their_middles_and_missing_ones_are_left_out(write):
    ds = read(write(MAUNA_LOA), {}, {})
    assert ds.attrs["step_minutes"] == 0
    assert ds["co2"].to_numpy().tolist() == [315.71, 317.45, 317.23]
    assert ds.indexes["time"].tolist() == [
        pd.Timestamp("1958-03-16 12:00"), pd.Timestamp("1958-04-16"), pd.Timestamp("1958-06-16"),
    ]  # fmt: skip
    assert ds["co2"].attrs["units"] == "ppm"
    assert ds["co2"].attrs["source"] == "co2.csv: average"


def test_another_column(write):
    assert read(write(GLOBAL), {}, {})["co2"].to_numpy().tolist() == [336.56, 337.29]
    trend = read(write(GLOBAL), {}, {"column": "trend"})
    assert trend["co2"].to_numpy().tolist() == [335.92, 336.25]


def test_years_stand_in_their_middles(write):
    ds = read(write(ANNUAL), {}, {})
    assert ds["co2"].to_numpy().tolist() == [336.85, 338.91]
    assert ds.indexes["time"][0] == pd.Timestamp("1979-07-02 12:00")
    assert ds.indexes["time"][1] == pd.Timestamp("1980-07-02")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (MAUNA_LOA.replace("average", "mean"), "average: found no such column"),
        (MAUNA_LOA[:-12], "file: found 7 fields in '1958,6,"),
        (MAUNA_LOA.replace("317.45", "much"), "average: found could not convert"),
        (MAUNA_LOA.replace("1958,4", "1958,3"), "year: found times out of order"),
        (MAUNA_LOA.replace("1958,4", "1957,4"), "year: found times out of order"),
        (MAUNA_LOA.replace("1958,4", "1958,13"), "month: found a month out of the year"),
        ("\n".join(GLOBAL.splitlines()[:-1]), "average: found 1 values"),
        (COMMENT, "year: found no such column"),
        ("<html><body>moved</body></html>", "year: found no such column"),
    ],
)
def test_faults_are_named(write, text, fault):
    with pytest.raises(InputError, match=fault):
        read(write(text), {}, {})


def test_absent_or_no_text(tmp_path):
    with pytest.raises(InputError, match="found nothing"):
        read(tmp_path / "none.csv", {}, {})
    (tmp_path / "z.csv").write_bytes(b"\x89\xff\x00")
    with pytest.raises(InputError, match="no text"):
        read(tmp_path / "z.csv", {}, {})
