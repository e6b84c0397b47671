"""Made-up weather for DALEC2, its parameters drawn from the prior, and a problem to solve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Forcing, Problem, Stream
from concerto.assimilation.stream_error import StreamError
from concerto.config import model_files
from concerto.models import Model, load_model

ROOT = Path(__file__).parents[1]
MONTH = 30.4375  # d


def files_of(name: str, **components: str) -> list[Path]:
    """The project's own files of a model, and of components in place of its own."""
    return [
        ROOT / file for file in model_files({"model": name, "components": components, "sites": {}})
    ]


def model_named(name: str, **components: str) -> Model:
    """The model with the project's own files, and components in place of its own."""
    return load_model(files_of(name, **components))


def make_drivers(
    steps: int,
    rng: np.random.Generator,
    warmth: float = 8.0,
    fire: float = 0.0,
    harvest: float = 0.0,
) -> dict[str, np.ndarray]:
    """Random weather; in a tenth of the steps up to ``fire`` of the area burns a day, and up to
    ``harvest`` of it is harvested."""
    middle = warmth + rng.normal(0.0, 6.0, steps)
    half_range = rng.uniform(0.5, 8.0, steps)
    burning = rng.random(steps) < 0.1
    return {
        "tasmin": middle - half_range,
        "tasmax": middle + half_range,
        "rsds": rng.uniform(0.1, 30.0, steps),
        "co2": rng.uniform(350.0, 450.0, steps),
        "burned_area_fraction": np.where(burning, rng.uniform(0.0, fire, steps), 0.0),
        "harvested_area_fraction": np.where(burning, rng.uniform(0.0, harvest, steps), 0.0),
    }


def daily_calendar(start: str, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Day of year at noon, 0.5 on 1 January, and days in the year."""
    times = pd.date_range(start, periods=days, freq="D")
    return times.dayofyear.to_numpy() - 0.5, np.where(times.is_leap_year, 366, 365)


def monthly_calendar(months: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle of twelve equal months of a mean year."""
    return (np.arange(months) % 12 + 0.5) * MONTH, np.full(months, 365.25)


def draw_parameters(model: Model, members: int, seed: int) -> np.ndarray:
    prior = Prior(model.parameters)
    return prior.parameters_of(prior.draw(members, np.random.default_rng(seed)))


def make_forcing(model: Model, days: int, rng: np.random.Generator) -> Forcing:
    """Two seasons of temperate weather, from 1 January 2013 on."""
    day, days_in_year = daily_calendar("2013-01-01", days)
    season = -np.cos(2.0 * np.pi * (day - 20.0) / 365.0)
    drivers = make_drivers(days, rng)
    warmth = 9.0 + 8.0 * season + rng.normal(0.0, 3.0, days)
    drivers |= {"tasmin": warmth - 5.0, "tasmax": warmth + 5.0}
    drivers["rsds"] = np.maximum(0.5, 10.0 + 8.0 * season + rng.normal(0.0, 3.0, days))
    rows = model.prepare_weather(drivers, day, days_in_year, 1.0, 50.0, 300.0)
    anniversaries = tuple(range(365, days, 365))
    return Forcing(rows, day / days_in_year, 1.0, anniversaries, float(warmth.mean()))


ERRORS = {
    "nee": StreamError(0.5, 5.0, 0.2, 100.0, 0.3, -0.1, 1.2),
    "gpp": StreamError(0.8, 4.0, 0.3, 90.0, -0.4, 0.2),
    "lai": StreamError(0.2, 10.0, 0.1, 120.0),
}
CORRELATION = np.array([[1.0, -0.5, 0.0], [-0.5, 1.0, 0.1], [0.0, 0.1, 1.0]])


def make_problem(
    model: Model,
    constraint_names: tuple[str, ...] = (),
    errors: dict | None = None,
    days: int = 400,
) -> Problem:
    """Streams NEE, GPP and LAI with gaps, around nothing in particular."""
    rng = np.random.default_rng(11)
    streams = []
    for name, gap in (("nee", 0.1), ("gpp", 0.3), ("lai", 0.8)):
        values = rng.normal(1.0, 1.0, days)
        values[rng.random(days) < gap] = np.nan
        streams.append(Stream(name, values, rng.uniform(0.2, 0.6, days)))
    drive = make_forcing(model, days, rng)
    prior = Prior(model.parameters)
    correlation = CORRELATION if errors is None else np.eye(3)
    return Problem(model, prior, drive, streams, errors or ERRORS, correlation, constraint_names)
