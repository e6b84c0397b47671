"""Made-up tower records in each of the formats that the readers know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from concerto.domain import Location
from concerto.prepare.checks import cosine_of_zenith

TOWER = Location("XX-Tow", 48.0, 8.0, 500.0, "MF", 1.0)
SITE = {
    "name": "Tower",
    "latitude": TOWER.latitude,
    "longitude": TOWER.longitude,
    "elevation_m": TOWER.elevation_m,
    "igbp": TOWER.igbp,
    "utc_offset_hours": TOWER.utc_offset_hours,
    "disturbance": {"burned_area_fraction": 0.0, "harvested_area_fraction": 0.0},
    "streams": ["nee", "gpp"],
}
QUALITY = {
    "minimum_measured_fraction": 0.2,
    "minimum_good_fraction": 0.8,
    "gap_correlation_halfhours": 12,
}


def fluxnet(start: str = "2014-06-01", days: int = 12, step_minutes: int = 30) -> pd.DataFrame:
    """A FULLSET record, columns as in the format, in which a third of NEE was measured."""
    rng = np.random.default_rng(7)
    steps = days * 1440 // step_minutes
    step = pd.Timedelta(minutes=step_minutes)
    starts = pd.date_range(start, periods=steps, freq=step)
    sun = np.maximum(cosine_of_zenith(starts + step / 2, TOWER), 0)
    gpp = 25 * sun + rng.normal(0, 1, steps)
    reco = 3 + rng.normal(0, 0.2, steps)
    frame = pd.DataFrame(
        {
            "TA_F": 12 + 8 * sun + rng.normal(0, 0.5, steps),
            "TA_F_QC": 0,
            "SW_IN_F": 900 * sun * rng.uniform(0.6, 1, steps),
            "SW_IN_F_QC": 0,
            "VPD_F": 10 * sun,
            "P_F": rng.exponential(0.05, steps),
            "CO2_F_MDS": 400 + rng.normal(0, 2, steps),
            "NEE_VUT_REF": reco - gpp,
            "NEE_VUT_REF_QC": rng.choice([0, 1, 2], steps, p=[0.34, 0.56, 0.1]),
            "NEE_VUT_REF_RANDUNC": rng.uniform(1, 2, steps),
            "GPP_NT_VUT_REF": gpp,
            "RECO_NT_VUT_REF": reco,
            "LE_F_MDS": 200 * sun + rng.normal(0, 5, steps),
            "LE_F_MDS_QC": rng.choice([0, 1], steps),
            "LE_RANDUNC": 10.0,
        }
    )
    for base in ("NEE_VUT", "GPP_NT_VUT", "RECO_NT_VUT"):
        frame[f"{base}_16"] = frame[f"{base}_REF"] - 0.4
        frame[f"{base}_25"] = frame[f"{base}_REF"] - 0.27
        frame[f"{base}_75"] = frame[f"{base}_REF"] + 0.27
        frame[f"{base}_84"] = frame[f"{base}_REF"] + 0.4
    frame.insert(0, "TIMESTAMP_START", starts.strftime("%Y%m%d%H%M"))
    frame.insert(1, "TIMESTAMP_END", (starts + step).strftime("%Y%m%d%H%M"))
    return frame


def subset(frame: pd.DataFrame) -> pd.DataFrame:
    """The SUBSET flavour of a FULLSET record: quartiles only."""
    return frame.drop(columns=[name for name in frame if name.endswith(("_16", "_84"))])


def fluxnet_daily(start: str = "2014-06-01", days: int = 12) -> pd.DataFrame:
    """A FULLSET record of days (DD)."""
    rng = np.random.default_rng(8)
    times = pd.date_range(start, periods=days, freq="D")
    gpp, reco = rng.uniform(4, 9, days), rng.uniform(2, 5, days)
    frame = pd.DataFrame(
        {
            "TIMESTAMP": times.strftime("%Y%m%d"),
            "TA_F": rng.uniform(5, 20, days),
            "TA_F_QC": 1.0,
            "SW_IN_F": rng.uniform(50, 300, days),
            "VPD_F": rng.uniform(0, 10, days),
            "P_F": rng.exponential(2, days),
            "CO2_F_MDS": 400.0,
            "NEE_VUT_REF": reco - gpp,
            "NEE_VUT_REF_QC": rng.uniform(0.85, 1, days),
            "NEE_VUT_REF_RANDUNC": 0.3,
            "GPP_NT_VUT_REF": gpp,
            "RECO_NT_VUT_REF": reco,
            "LE_F_MDS": rng.uniform(20, 90, days),
            "LE_F_MDS_QC": 0.9,
            "LE_RANDUNC": 3.0,
        }
    )
    for base in ("NEE_VUT", "GPP_NT_VUT", "RECO_NT_VUT"):
        frame[f"{base}_16"] = frame[f"{base}_REF"] - 0.2
        frame[f"{base}_84"] = frame[f"{base}_REF"] + 0.2
    return frame


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write a record as the format has it: -9999 where a value is missing."""
    frame.to_csv(path, index=False, na_rep="-9999")
    return path
