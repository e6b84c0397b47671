"""Synthetic cells: weather and observations made up for measuring, of any number of cells.

They look like records of the satellite era: seasons by latitude, anomalies that neighbours share
and that last from month to month, noisy monthly leaf area and yearly biomass. They are of no place
on Earth, and every file of them says so. What a cell has follows from the seed and from where it
is alone, so that a larger grid adds cells and changes none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from concerto.cubes import MONTH, with_bounds
from concerto.domain import DISTURBANCES, DRIVERS, LAND, STREAMS, location_coordinates
from concerto.maps import MapGrid
from concerto.prepare.grids import zone_area
from concerto.seeds import generator

SOURCE = "synthetic: made up for measuring, of no place on Earth"
_WAVES = 24
_LENGTH_DEG = 8.0  # over which anomalies change
_LASTING = 0.3  # correlation of an anomaly with that of the month before
_OBLIQUITY = math.radians(23.44)
_SOLAR = 1361.0  # W m-2
_TRANSMITTED = 0.52  # of the radiation at the top of the atmosphere
_CO2 = (371.0, 2.2)  # ppm in January 2001, and its growth in a year: Mauna Loa, rounded
_LAI_ERROR = (0.1, 0.1)  # share of the value, and at least
_BIOMASS_ERROR = (0.15, 0.2)
_CLASSES = ("ENF", "DBF", "MF", "GRA", "CRO")
_CLIMATES = ("Cfb", "Dfb", "Csa")
_COUNTRY_DEG = 5.0  # width of a made-up country


def synthetic_cells(
    grid: MapGrid, times: pd.DatetimeIndex, seed: int
) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """Return drivers, observations and land of all cells of a grid, by month.

    Parameters
    ----------
    grid
        Its cells are all land.
    times
        First days of successive months.
    seed
        Of all that is drawn.

    Returns
    -------
    drivers, observations, land
        As the schemas of monthly cubes and of the land of an area want them. Observed are ``lai``
        in every month but those of frost, and ``biomass`` in June of each year.
    """
    lat, lon = (
        part.ravel() for part in np.meshgrid(grid.latitudes(), grid.longitudes(), indexing="ij")
    )
    names = np.array([f"synthetic {y:.2f}N {x:.2f}E" for y, x in zip(lat, lon, strict=True)])
    place = location_coordinates(names.astype(object), lat, lon)
    weather = _weather(lat, lon, times, seed)
    drivers = _cube(
        {name: (values, DRIVERS[name].attributes()) for name, values in weather.items()},
        place,
        times,
    )
    observations = _cube(_observed(weather, lat, lon, names, times, seed), place, times)
    return drivers, observations, _land(grid, lat, lon, seed).assign_coords(place)


def _weather(
    lat: np.ndarray, lon: np.ndarray, times: pd.DatetimeIndex, seed: int
) -> dict[str, np.ndarray]:
    """Return all drivers, (cell, time) float32 each."""
    warmth, cloud, wet = (
        _anomalies(lat, lon, len(times), seed, name) for name in ("warmth", "cloud", "wet")
    )
    # the warmest month is the one after the longest day
    lag = np.cos(2.0 * math.pi * (_year_fraction(times) - 0.55))
    mean, swing = 30.0 - 0.4 * np.abs(lat), 0.22 * lat
    tas = mean[:, None] + swing[:, None] * lag + 1.5 * warmth
    rsds = _TRANSMITTED * _insolation(lat, times) * np.exp(-0.12 * cloud)
    half = 4.0 + 0.012 * rsds
    vpd = 0.35 * (_saturation(tas + half) - _saturation(tas - half))
    years = times.year.to_numpy() + _year_fraction(times)
    co2 = _CO2[0] + _CO2[1] * (years - 2001.0) + 3.0 * np.cos(2.0 * math.pi * (years - 0.35))
    found = {
        "tas": tas, "tasmin": tas - half, "tasmax": tas + half, "rsds": rsds, "vpd": vpd,
        "pr": 2.2 * np.exp(0.5 * wet - 0.125), "co2": np.broadcast_to(co2, tas.shape),
        **dict.fromkeys(DISTURBANCES, np.zeros(tas.shape)),
    }  # fmt: skip
    return {name: values.astype(np.float32) for name, values in found.items()}


def _observed(
    weather: Mapping[str, np.ndarray],
    lat: np.ndarray,
    lon: np.ndarray,
    names: np.ndarray,
    times: pd.DatetimeIndex,
    seed: int,
) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
    """Return what is observed with its errors, (cell, time) and attributes by name."""
    lush = 1.0 / (1.0 + np.exp(-_anomalies(lat, lon, 1, seed, "lush")))
    evergreen = 1.0 / (1.0 + np.exp(-2.0 * _anomalies(lat, lon, 1, seed, "evergreen")))
    green = 1.0 / (1.0 + np.exp(-0.5 * (weather["tas"] - 9.0)))
    noise = _noise(names, 2 * len(times), seed)
    most = 1.0 + 5.0 * lush
    lai = most * (0.6 * evergreen + (1.0 - 0.6 * evergreen) * green)
    growth = 1.0 + 0.01 * (times.year.to_numpy() - times.year[0])
    biomass = (1.0 + 9.0 * lush * (0.4 + 0.6 * evergreen)) * growth
    june = np.broadcast_to(times.month.to_numpy() == 6, lai.shape)
    seen = {
        "lai": (lai, _LAI_ERROR, weather["tas"] > -2.0),
        "biomass": (biomass, _BIOMASS_ERROR, june),
    }
    found = {}
    for k, (name, (truth, (share, least), when)) in enumerate(seen.items()):
        error = np.maximum(share * truth, least)
        own = noise[:, k * len(times) : (k + 1) * len(times)]
        parts = {
            name: np.maximum(truth + error * own, 0.0),
            f"{name}_random": error,
            f"{name}_systematic": np.zeros(truth.shape),
            f"{name}_uncertainty": error,
        }
        units = STREAMS[name].attributes()
        for part, values in parts.items():
            found[part] = np.where(when, values, np.nan).astype(np.float32), units
        found[f"{name}_measured_fraction"] = when.astype(np.float32), {"units": "1"}
    return found


def _land(grid: MapGrid, lat: np.ndarray, lon: np.ndarray, seed: int) -> xr.Dataset:
    """Return areas, heights and classes, which are made up but for the areas."""
    half = 0.5 * grid.resolution_deg
    area = zone_area(lat - half, lat + half) * math.radians(grid.resolution_deg)
    height = 400.0 * np.exp(0.6 * _anomalies(lat, lon, 1, seed, "height")[:, 0])
    kinds = _anomalies(lat, lon, 1, seed, "kind")[:, 0]
    numbers = np.digitize(kinds, (-0.8, -0.25, 0.25, 0.8))
    country = np.floor(lon / _COUNTRY_DEG).astype(int)
    place, text = ("location",), {"comment": SOURCE}
    return xr.Dataset(
        {
            "cell_area": (place, area, {"units": "m2", "standard_name": "cell_area"}),
            "land_fraction": (place, np.ones(len(lat)), {"units": "1"}),
            "country": (place, np.array([f"synthetic {k}" for k in country], dtype=object), text),
            "igbp": (place, np.array(_CLASSES, dtype=object)[numbers], text),
            "koppen": (place, np.array(_CLIMATES, dtype=object)[numbers % 3], text),
            "elevation": (place, height, LAND["elevation"].attributes()),
        }
    )


def _anomalies(lat: np.ndarray, lon: np.ndarray, times: int, seed: int, name: str) -> np.ndarray:
    """Return standard normal anomalies (cell, time), smooth in space and lasting in time.

    Sums of plane waves whose weights are autoregressive series of the first order.
    """
    rng = generator(seed, "synthetic", name)
    waves = rng.standard_normal((2, _WAVES)) / _LENGTH_DEG
    phases = 2.0 * math.pi * rng.random(_WAVES)
    fresh = rng.standard_normal((_WAVES, 2, times))
    weights = np.empty_like(fresh)
    weights[..., 0] = fresh[..., 0]
    for t in range(1, times):
        weights[..., t] = _LASTING * weights[..., t - 1]
        weights[..., t] += math.sqrt(1.0 - _LASTING**2) * fresh[..., t]
    angle = np.outer(lat, waves[0]) + np.outer(lon, waves[1]) + phases
    # row by row of a product must not depend on how many rows there are
    series = np.einsum("cw,wt->ct", np.cos(angle), weights[:, 0])
    series += np.einsum("cw,wt->ct", np.sin(angle), weights[:, 1])
    return series / math.sqrt(_WAVES)


def _noise(names: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return standard normal noise (cell, count), of each cell from its name."""
    return np.stack([generator(seed, "noise", str(name)).standard_normal(count) for name in names])


def _insolation(lat: np.ndarray, times: pd.DatetimeIndex) -> np.ndarray:
    """Return the daily mean radiation at the top of the atmosphere (cell, time), W m-2.

    Hartmann (1994, Global Physical Climatology, equation 2.17), on a circular orbit.
    """
    declination = -_OBLIQUITY * np.cos(2.0 * math.pi * (_year_fraction(times) + 10.0 / 365.25))
    phi = np.radians(lat)[:, None]
    cosine = -np.tan(phi) * np.tan(declination)
    hour = np.arccos(np.clip(cosine, -1.0, 1.0))  # polar day and night
    return (_SOLAR / math.pi) * (
        hour * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(hour)
    )


def _saturation(temperature: np.ndarray) -> np.ndarray:
    """Return the saturation vapour pressure (hPa) over water at degrees Celsius.

    Tetens' formula (Allen et al. 1998, FAO Irrigation and Drainage Paper 56, equation 11).
    """
    return 6.108 * np.exp(17.27 * temperature / (temperature + 237.3))


def _year_fraction(times: pd.DatetimeIndex) -> np.ndarray:
    """Return how much of the year is over (time,) in the middle of each month."""
    return (times.month.to_numpy() - 0.5) / 12.0


def _cube(
    variables: Mapping[str, tuple[np.ndarray, dict[str, str]]],
    place: Mapping[str, tuple],
    times: pd.DatetimeIndex,
) -> xr.Dataset:
    described = {
        name: (("location", "time"), values, attributes)
        for name, (values, attributes) in variables.items()
    }
    cube = with_bounds(xr.Dataset(described, {**place, "time": times}), MONTH, 0.0)
    return cube.assign_attrs(featureType="timeSeries", utc_offset_hours=0.0, synthetic=SOURCE)
