"""Checks of a site's joined record that no single reader can make."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr

from concerto.domain import STREAMS, Location
from concerto.errors import InputError

log = logging.getLogger(__name__)

# What a stream is made of, where the record has not the stream itself.
ORIGINS = {"et": ("le", "tas")}

_MOST_HOURS_OFF = 0.75
_DAYS_NEEDED = 10


def check_streams(ds: xr.Dataset, streams: Iterable[str], location: Location) -> None:
    """Check that the site's records have each stream that its configuration asks for.

    Raises
    ------
    InputError
        Names the first that they lack.
    """
    available = [
        name
        for name in STREAMS
        if name in ds or all(part in ds for part in ORIGINS.get(name, (name,)))
    ]
    for name in streams:
        if name not in available:
            where = f"configuration, sites.{location.name}"
            raise InputError(where, "streams", name, f"one of {', '.join(available)}")


def check_years(ds: xr.Dataset, needed: Iterable[str]) -> None:
    """Check that no calendar year of a needed variable is without any value.

    Raises
    ------
    InputError
        Names the file and column, and the first such year.
    """
    years = ds.indexes["time"].year
    parts = (part for name in needed for part in ORIGINS.get(name, (name,)))
    for name in dict.fromkeys(parts):
        if name in ds:
            has = pd.Series(np.isfinite(ds[name].to_numpy())).groupby(years).any()
            if not has.all():
                file, _, column = ds[name].attrs["source"].partition(": ")
                year = has.index[~has][0]
                raise InputError(file, column or name, f"no value in {year}", "values in each year")


def cosine_of_zenith(times: pd.DatetimeIndex, location: Location) -> np.ndarray:
    """Return the cosine of the solar zenith angle (negative at night) at local standard times.

    Declination and equation of time by the Fourier series of Spencer (1971), as in Iqbal (1983).
    """
    angle = 2 * np.pi * (times.dayofyear.to_numpy() - 1) / 365
    declination = (
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle)
        - 0.002697 * np.cos(3 * angle)
        + 0.00148 * np.sin(3 * angle)
    )
    equation_minutes = 229.18 * (
        0.000075
        + 0.001868 * np.cos(angle)
        - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle)
        - 0.040849 * np.sin(2 * angle)
    )
    hours = ((times - times.floor("D")) / pd.Timedelta(hours=1)).to_numpy()
    solar = hours + location.longitude / 15 - location.utc_offset_hours + equation_minutes / 60
    latitude = np.deg2rad(location.latitude)
    return np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(
        np.deg2rad(15 * (solar - 12))
    )


def hours_off(ds: xr.Dataset, location: Location) -> pd.Series:
    """Return by how many hours radiation of each calendar month lags behind the sun.

    Compared are, at each time of day, the high quantile of the month's radiation (so that clouds
    do not matter) and the cosine of the zenith angle at the interval's middle: the lag with
    the highest correlation, from steps of the record, refined by a parabola.

    Returns
    -------
    pandas.Series
        Hours by month; months with less than ten days of record or without sun are left out.
    """
    times = ds.indexes["time"]
    step = pd.Timedelta(minutes=ds.attrs["step_minutes"])
    middle = times + step / 2
    frame = pd.DataFrame(
        {
            "radiation": ds["rsds"].to_numpy(),
            "sun": np.maximum(cosine_of_zenith(middle, location), 0),
            "clock": (times - times.floor("D")) // step,
            "month": times.month,
        }
    )
    steps = pd.Timedelta(days=1) // step
    lags = {}
    for month, part in frame.groupby("month"):
        of_day = part.groupby("clock")
        radiation = of_day["radiation"].quantile(0.9).to_numpy()
        sun = of_day["sun"].mean().to_numpy()
        enough = len(part) >= _DAYS_NEEDED * steps and np.isfinite(radiation).all()
        if enough and sun.max() > 0.1 and radiation.std() > 0:
            lags[month] = _lag(radiation, sun) * (step / pd.Timedelta(hours=1))
    return pd.Series(lags, dtype=float)


def _lag(found: np.ndarray, expected: np.ndarray) -> float:
    """Return by how many steps one daily cycle lags behind another."""
    n = len(found)
    match = np.array([np.corrcoef(found, np.roll(expected, k))[0, 1] for k in range(n)])
    best = int(match.argmax())
    before, at, after = match[best - 1], match[best], match[(best + 1) % n]
    return (best + n // 2) % n - n // 2 + (before - after) / (2 * (before - 2 * at + after))


def check_clock(ds: xr.Dataset, location: Location) -> None:
    """Check that time stamps are the site's local standard time, by the course of radiation.

    Radiation must follow the sun within three quarters of an hour in every calendar month, which
    lets hills and a stamp in the middle of its interval pass, but neither daylight saving nor
    UTC stamps where the offset is an hour or more. A daily record is not checked, nor is one
    without radiation, of which a warning tells.

    Raises
    ------
    InputError
        Names the month that is furthest off and by how much.
    """
    if ds.attrs["step_minutes"] >= 1440:
        return
    if "rsds" not in ds:
        log.warning("%s: no radiation, by which to check the clock", location.name)
        return
    lags = hours_off(ds, location)
    if len(lags) and lags.abs().max() > _MOST_HOURS_OFF:
        month = lags.abs().idxmax()
        file, _, _ = ds["rsds"].attrs["source"].partition(": ")
        raise InputError(
            file,
            "time",
            f"radiation {lags[month]:+.1f} h off the sun in month {month}",
            f"starts of intervals in local standard time, UTC{location.utc_offset_hours:+g} h",
        )
