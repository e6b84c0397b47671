"""A synthetic run with every file that evaluation and publication read, in the run's formats.

The truth has a season, weather and persistent noise; the ensembles scatter around it with a known
spread, so scores and intervals have an answer to be held against.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import DAY, DRIVERS_DAILY, OBSERVATIONS_DAILY, with_bounds, write_cube
from concerto.domain import DRIVERS, STREAMS

MEMBERS = 100
MODEL_SD = {"nee": 0.6, "gpp": 0.9, "reco": 0.5, "lai": 0.3}
UNITS = {name: quantity.units for name, quantity in STREAMS.items()} | {
    f"c_{pool}": "g m-2" for pool in ("labile", "leaf", "root", "wood", "litter", "soil")
}
PARAMETERS = {
    # name: unit, minimum, maximum, period
    "decomposition_rate": ("d-1", 1e-5, 0.01, np.nan),
    "autotrophic_fraction": ("1", 0.2, 0.8, np.nan),
    "leaf_fraction": ("1", 0.01, 0.5, np.nan),
    "leaf_life_span": ("yr", 1.001, 8.0, np.nan),
    "wood_turnover": ("d-1", 2.5e-5, 1e-3, np.nan),
    "soil_turnover": ("d-1", 1e-7, 1e-3, np.nan),
    "temperature_sensitivity": ("degC-1", 0.018, 0.08, np.nan),
    "canopy_efficiency": ("1", 5.0, 50.0, np.nan),
    "leaf_onset_day": ("d", 0.0, 365.25, 365.25),
    "leaf_carbon_per_area": ("gC m-2", 5.0, 200.0, np.nan),
    "initial_c_soil": ("gC m-2", 1.0, 2e5, np.nan),
}


@dataclass(frozen=True)
class Site:
    """What distinguishes one synthetic tower from another."""

    name: str
    latitude: float
    longitude: float
    start: str
    end: str
    training_end: str | None  # None: two of every three ten-day blocks
    observed: tuple[str, ...]
    converged: str = "yes"


SITES = (
    Site("BE-Vie", 50.305, 5.998, "2014-01-01", "2014-12-31", None, ("nee", "gpp", "lai")),
    Site(
        "CH-Dav",
        46.815,
        9.856,
        "2013-01-01",
        "2016-12-31",
        "2014-12-31",
        ("nee", "gpp", "reco"),
        "no",
    ),
)


def persistent_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sd: float, correlation: float = 0.7
) -> np.ndarray:
    """First-order autoregressive noise along the last axis."""
    noise = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        noise[..., t] = correlation * noise[..., t - 1] + noise[..., t] * np.sqrt(
            1 - correlation**2
        )
    return sd * noise


def location_coords(site: Site, times: pd.DatetimeIndex) -> dict:
    return {
        "location": ("location", [site.name], {"cf_role": "timeseries_id"}),
        "lat": ("location", [site.latitude], {"units": "degrees_north"}),
        "lon": ("location", [site.longitude], {"units": "degrees_east"}),
        "time": times,
    }


def make_weather(site: Site, times: pd.DatetimeIndex, rng: np.random.Generator) -> dict:
    season = np.cos(2 * np.pi * (times.dayofyear.to_numpy() - 195) / 365.25)
    n = len(times)
    tas = 8 + 9 * season + persistent_noise(rng, (n,), 3.0)
    rsds = np.clip(140 + 110 * season + persistent_noise(rng, (n,), 45.0, 0.4), 5, None)
    vpd = np.clip(4 + 3.5 * season + 0.25 * (tas - 8 - 9 * season), 0.1, None)
    return {
        "tas": tas,
        "tasmin": tas - 5,
        "tasmax": tas + 5,
        "rsds": rsds,
        "vpd": vpd,
        "pr": rng.gamma(0.4, 6.0, n),
        "co2": np.full(n, 400.0),
        "burned_area_fraction": np.zeros(n),
        "harvested_area_fraction": np.zeros(n),
    }


def make_truth(weather: dict, rng: np.random.Generator) -> dict[str, np.ndarray]:
    warmth = 1 / (1 + np.exp(-(weather["tas"] - 8) / 3.5))
    gpp = 10 * warmth * weather["rsds"] / (weather["rsds"] + 130)
    reco = 1.2 * np.exp(0.07 * weather["tas"])
    return {
        "gpp": gpp,
        "reco": reco,
        "nee": reco - gpp,
        "lai": 2.2 + 1.8 * warmth,
        "fapar": 1 - np.exp(-0.5 * (2.2 + 1.8 * warmth)),
    }


def make_projection(
    site: Site,
    times: pd.DatetimeIndex,
    truth: dict,
    training: np.ndarray,
    rng: np.random.Generator,
    spread: float = 1.0,
    offset: float = 0.0,
    extra: dict | None = None,
) -> xr.Dataset:
    shape = (MEMBERS, len(times))
    data: dict = {}
    for name, values in truth.items():
        parameter_part = 1 + 0.04 * spread * rng.standard_normal((MEMBERS, 1))
        ensemble = values * parameter_part + offset
        data[name] = ensemble
        if name in site.observed:
            noise = persistent_noise(rng, shape, MODEL_SD[name] * spread)
            data[f"{name}_total"] = ensemble + noise
    sizes = {"labile": 90, "leaf": 180, "root": 220, "wood": 9000, "litter": 320, "soil": 14000}
    years = np.arange(len(times)) / 365.25
    for k, (pool, size) in enumerate(sizes.items()):
        swing = 0.25 if size < 200 else 0.02
        season = 1 + swing * np.cos(2 * np.pi * (years - 0.15 * k))
        member = np.exp(0.15 * spread * rng.standard_normal((MEMBERS, 1)))
        trend = 1 + 0.01 * rng.standard_normal((MEMBERS, 1)) * years
        data[f"c_{pool}"] = size * member * season * trend
    variables = {
        name: (
            ("member", "location", "time"),
            values[:, None, :].astype("float32"),
            {"units": UNITS[name.removesuffix("_total")]},
        )
        for name, values in data.items()
    }
    for name in site.observed:
        if name != "reco":
            variables[f"{name}_training"] = (("location", "time"), training[name][None, :])
    coords = location_coords(site, times) | {"member": np.arange(MEMBERS)}
    return xr.Dataset(variables | (extra or {}), coords=coords)


def make_forecast(projection: xr.Dataset, days: int, converged: str = "yes") -> xr.Dataset:
    """Return what a projection says of the days after its last training day, as a forecast."""
    flags = projection["nee_training"].to_numpy()[0]
    first = int(np.flatnonzero(flags)[-1]) + 1
    names = [name for name in projection if str(name).endswith("_training")]
    attributes = {"method": "letkf", "converged": converged, "verdict": "innovations of 1.02"}
    attributes["weather"] = "the weather of years before"
    ahead = projection.isel(time=slice(first, first + days))
    return ahead.drop_vars(names).assign_attrs(attributes)


def make_parameters(
    rng: np.random.Generator, width: float, shift: float = 0.0
) -> tuple[np.ndarray, dict]:
    """Draw parameters, log-uniform bounds, as (member, 1, parameter), and their description."""
    columns = []
    for k, (_, low, high, period) in enumerate(PARAMETERS.values()):
        position = rng.uniform(0, 1, MEMBERS)
        if width < 1:
            centre = 0.3 + 0.04 * (k % 10)
            position = np.clip(centre + shift + width * rng.standard_normal(MEMBERS), 0, 1)
        if np.isfinite(period):
            columns.append(low + (high - low) * position)
        else:
            columns.append(low * (high / low) ** position)
    description = {
        "parameter": list(PARAMETERS),
        "parameter_units": ("parameter", [p[0] for p in PARAMETERS.values()]),
        "parameter_min": ("parameter", [p[1] for p in PARAMETERS.values()]),
        "parameter_max": ("parameter", [p[2] for p in PARAMETERS.values()]),
        "parameter_period": ("parameter", [p[3] for p in PARAMETERS.values()]),
    }
    return np.stack(columns, axis=1)[:, None, :], description


def make_posterior(site: Site, method: str, rng: np.random.Generator) -> xr.Dataset:
    values, description = make_parameters(
        rng, 0.05 if method == "demcz" else 0.06, 0.0 if method == "demcz" else 0.02
    )
    sampler = method == "demcz"
    n = len(PARAMETERS)
    worst = 1.004 if site.converged == "yes" else 1.21
    rhat = np.linspace(1.0, worst, n) if sampler else np.full(n, np.nan)
    verdict = {
        ("demcz", "yes"): "converged: largest R-hat 1.004, smallest bulk ESS 812",
        ("demcz", "no"): "not converged: R-hat of initial_c_soil is 1.21, above 1.01",
    }.get((method, site.converged), "converged: data mismatch fell from 41.2 to 1.1")
    return xr.Dataset(
        {
            "parameters": (("member", "location", "parameter"), values),
            "chain": ("member", np.arange(MEMBERS) % 4),
            "log_density": (("member", "location"), rng.normal(-100, 3, (MEMBERS, 1))),
            "rhat": ("parameter", rhat),
            "ess_bulk": ("parameter", np.full(n, 812.0 if sampler else np.nan)),
            "ess_tail": ("parameter", np.full(n, 700.0 if sampler else np.nan)),
            "stream_observations": ("stream", [300.0, 250.0]),
            "stream_effective": ("stream", [41.2, 33.0]),
            "stream_mean_square": ("stream", [1.04, 0.91]),
            "stream_signal": ("stream", [3.5, 2.5]),
            "signal_constraints": 1.0,
            "signal_prior": 5.0,
        },
        coords={
            "location": [site.name],
            "member": np.arange(MEMBERS),
            "stream": ["nee", "gpp"],
            **description,
        },
        attrs={
            "method": method,
            "converged": site.converged if sampler else "yes",
            "verdict": verdict,
            "prior": "learned from YY-Tow by demcz",
            "model_runs": 640000 if sampler else 4500,
            "gradients": 0,
            "failed_runs": 3,
            "seed": 7,
        },
    )


def make_observations(
    site: Site, times: pd.DatetimeIndex, truth: dict, rng: np.random.Generator
) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    n = len(times)
    if site.training_end is None:
        training_period = (np.arange(n) // 10) % 3 < 2
    else:
        training_period = times <= pd.Timestamp(site.training_end)
    variables: dict = {}
    training = {}
    for name in site.observed:
        random = 0.15 + 0.05 * np.abs(truth[name])
        systematic = 0.08 * np.abs(truth[name]) if name != "lai" else np.zeros(n)
        combined = np.hypot(random, systematic)
        wrong_threshold = rng.standard_normal()
        value = (
            truth[name]
            + persistent_noise(rng, (n,), MODEL_SD[name])
            + random * rng.standard_normal(n)
            + systematic * wrong_threshold
        )
        missing = rng.random(n) < 0.15
        fields = {
            "": value,
            "_random": random,
            "_systematic": systematic,
            "_uncertainty": combined,
            "_measured_fraction": np.full(n, 0.7),
        }
        for suffix, values in fields.items():
            variables[name + suffix] = (
                ("location", "time"),
                np.where(missing, np.nan, values)[None, :],
                {"units": "1" if suffix == "_measured_fraction" else UNITS[name]},
            )
        training[name] = (training_period & ~missing).astype("int8")
    return xr.Dataset(variables, coords=location_coords(site, times)), training


def write_site(run: Path, site: Site, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = pd.date_range(site.start, site.end, freq="D")
    weather = make_weather(site, times, rng)
    truth = make_truth(weather, rng)
    observations, training = make_observations(site, times, truth, rng)
    cubes = run / "cubes" / site.name
    cubes.mkdir(parents=True)
    drivers = xr.Dataset(
        {
            k: (("location", "time"), v[None, :], DRIVERS[k].attributes())
            for k, v in weather.items()
        },
        coords=location_coords(site, times),
    )
    for name, dataset, schema in (
        ("drivers", drivers, DRIVERS_DAILY),
        ("observations", observations, OBSERVATIONS_DAILY),
    ):
        write_cube(
            with_bounds(dataset, DAY, 1.0).assign_attrs(utc_offset_hours=1.0),
            cubes / f"{name}.nc",
            schema,
            title=f"{name} of {site.name}",
            source="synthetic",
            history="made up for tests",
        )
    pd.DataFrame(
        [
            (v, "daily", "fewer measured half-hours than needed", 55, len(times))
            for v in site.observed
        ],
        columns=["variable", "level", "reason", "masked", "total"],
    ).to_csv(cubes / "masking.csv", index=False)

    draws, description = make_parameters(rng, 1.0)
    prior = make_projection(
        site,
        times,
        truth,
        training,
        rng,
        spread=4.0,
        offset=0.5,
        extra={"parameters": (("member", "location", "parameter"), draws)},
    ).assign_coords(description)
    (run / "prior").mkdir(exist_ok=True)
    # Before calibration nothing is known of the model's error.
    prior = prior.drop_vars([name for name in prior if str(name).endswith("_total")])
    prior.to_netcdf(run / "prior" / f"{site.name}.nc")
    for method in ("demcz", "esmda"):
        for stage, dataset in (
            ("posterior", make_posterior(site, method, rng)),
            ("projection", make_projection(site, times, truth, training, rng)),
        ):
            folder = run / stage / site.name
            folder.mkdir(parents=True, exist_ok=True)
            dataset.to_netcdf(folder / f"{method}.nc")


def write_source(run: Path, name: str, title: str) -> Path:
    folder = run / "raw" / name
    folder.mkdir(parents=True)
    record = {
        "source": name,
        "title": title,
        "distribution": "made-up",
        "version": "1.0",
        "sha256": "0" * 64,
        "licence": "CC-BY-4.0",
        "citation": "A. Author & B. Author (2020) Towers <made up>.",
        "retrieved": "2026-01-01T00:00:00+00:00",
    }
    (folder / "provenance.json").write_text(json.dumps(record))
    return folder


def write_borders(folder: Path) -> None:
    square = [[[-5, 40], [8, 40], [8, 55], [-5, 55], [-5, 40]]]
    other = [[[8, 40], [20, 40], [20, 55], [8, 55], [8, 40]]]
    features = [
        {
            "type": "Feature",
            "properties": {"name": name},
            "geometry": {"type": "Polygon", "coordinates": ring},
        }
        for name, ring in (("West", square), ("East", other))
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (folder / "borders.geojson").write_text(text)


def make_config(run: str = "synthetic", sites: tuple[Site, ...] = SITES) -> dict:
    """Return the configuration that goes with the synthetic run."""
    return {
        "run": run,
        "seed": 7,
        "sites": {
            site.name: {
                "name": f"{site.name}, somewhere",
                "latitude": site.latitude,
                "longitude": site.longitude,
                "elevation_m": 500,
                "igbp": "MF",
                "utc_offset_hours": 1,
                "records": [{"source": "towers", "file": "towers.csv", "reader": "table"}],
                "streams": [name for name in site.observed if name != "reco"],
                "training": {"period": [site.start, site.training_end]}
                if site.training_end
                else {"blocks": {"length_days": 10, "train": 2, "of": 3}},
            }
            for site in sites
        },
        "borders": {"source": "borders", "file": "borders.geojson"},
        "model": "dalec2",
        "assimilation": {"methods": ["demcz", "esmda"], "product": "demcz"},
        "projection": {"members": MEMBERS},
    }


def write_run(run: Path, sites: tuple[Site, ...] = SITES) -> Path:
    """Write the inputs of evaluation and publication for each site below a run's folder."""
    run.mkdir(parents=True, exist_ok=True)
    for k, site in enumerate(sites):
        write_site(run, site, seed=k + 1)
    write_source(run, "towers", "Synthetic towers")
    write_borders(write_source(run, "borders", "Two square countries"))
    return run
