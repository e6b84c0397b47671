"""From the cubes of one location to the problem that the methods solve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import xarray as xr

from concerto import plugins, units
from concerto.assimilation.distributions import NORMAL, Distribution
from concerto.assimilation.methods import esmda
from concerto.assimilation.mode import descend
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Forcing, Problem, Stream
from concerto.assimilation.stream_error import StreamError, fit_stream_error, inflation
from concerto.cubes import DRIVERS_EITHER, OBSERVATIONS_EITHER, calendar, read_cube, reading, span
from concerto.domain import DISTURBANCES
from concerto.errors import ConcertoError, InputError
from concerto.models import Model, load_model
from concerto.splits import training_of

_STARTS = 6
_SHARED_MIN = 30  # times two streams must share before a correlation is worth estimating
_FIRST_GUESS = 0.2  # of the observations' standard deviation
_LEAST_EIGENVALUE = 1e-6  # of a correlation
_INDEPENDENT = 1e-3  # d: an e-folding time far below any step


@dataclass(frozen=True)
class ErrorStatement:
    """The stated errors of all streams of a location: what the weights of the data rest on."""

    stream_errors: dict[str, StreamError]
    correlation: np.ndarray

    def __post_init__(self) -> None:
        least = float(np.linalg.eigvalsh(self.correlation)[0])
        if not least > _LEAST_EIGENVALUE:
            raise ConcertoError(
                f"innovation_correlation of {', '.join(self.stream_errors)}: found a matrix with "
                f"the eigenvalue {least:.3g}; expected a positive definite one: two streams that "
                "say the same are one"
            )

    def to_dict(self) -> dict:
        """Return a mapping of plain numbers, for a file."""
        return {
            "stream_errors": {name: error.to_dict() for name, error in self.stream_errors.items()},
            "innovation_correlation": self.correlation.tolist(),
        }

    @classmethod
    def from_dict(cls, described: dict) -> ErrorStatement:
        """Return the statement that :meth:`to_dict` described."""
        errors = {name: StreamError(**item) for name, item in described["stream_errors"].items()}
        return cls(errors, np.array(described["innovation_correlation"]))

    @classmethod
    def read(cls, file: Path) -> ErrorStatement:
        """Return the statement that ``file`` holds.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        with reading(file, "a whole JSON file"):
            described = json.loads(file.read_text(encoding="utf-8"))
        return cls.from_dict(described)

    def prior(self, model: Prior) -> Prior:
        """Return the prior of all that is unknown: the ``model``'s parameters, then inflations."""
        inflated = [name for name, error in self.stream_errors.items() if error.inflated]
        return _with_inflations(model, inflated)


@dataclass(frozen=True)
class Location:
    """Everything that is known of one location before anything is learnt there."""

    model: Model
    prior: Prior
    forcing: Forcing
    streams: list[Stream]
    observations: xr.Dataset


def open_location(
    model_files: Sequence[Path], drivers_file: Path, observations_file: Path, site: Mapping
) -> Location:
    """Read one location's cubes, of days or months, for the model that ``model_files`` describe.

    ``site`` is its part of the configuration, of which ``elevation_m``, ``streams`` and
    ``training`` are used.

    Raises
    ------
    ConcertoError
        If a file is not what it should be, or a stream has nothing to assimilate.
    """
    model = load_model(model_files)
    observations = read_cube(observations_file, OBSERVATIONS_EITHER)
    drivers = read_cube(drivers_file, DRIVERS_EITHER)
    found, expected = observations.indexes["time"], drivers.indexes["time"]
    if not found.equals(expected):
        raise InputError(observations_file, "time", span(found), f"the drivers' {span(expected)}")
    return Location(
        model=model,
        prior=Prior(model.parameters, str(model_files[0])),
        forcing=forcing(drivers, model, str(drivers_file), site["elevation_m"]),
        streams=observed_streams(
            observations, site["streams"], site["training"], str(observations_file)
        ),
        observations=observations,
    )


@dataclass(frozen=True)
class Clock:
    """What follows from the times of a record alone, as :class:`Forcing` and models have it."""

    step: float
    day_of_year: np.ndarray
    days_in_year: np.ndarray
    anniversaries: tuple[int, ...]

    @classmethod
    def of(cls, time: pd.DatetimeIndex) -> Clock:
        """Return the clock of a time axis."""
        step, day_of_year, days_in_year = calendar(time)
        years = range(1, int(round(len(time) * step) // 365) + 1)
        starts = time.searchsorted([time[0] + pd.DateOffset(years=year) for year in years])
        return cls(step, day_of_year, days_in_year, tuple(int(k) for k in starts if k < len(time)))


def forcing(
    drivers: xr.Dataset, model: Model, file: str, elevation: float, clock: Clock | None = None
) -> Forcing:
    """Return what drives ``model`` at the only location of ``drivers``, ``elevation`` m high.

    Who asks for many locations gives the ``clock`` that they share.

    Raises
    ------
    InputError
        If there are several locations; a driver is missing, has gaps, or a unit that does not
        convert to the model's; or a disturbance takes more than the whole area in a step.
    """
    drivers = _only_location(drivers, file)
    clock = clock or Clock.of(drivers.indexes["time"])
    columns = {}
    for name, unit in model.drivers.items():
        if name not in drivers:
            raise InputError(file, name, "no such variable", f"a driver in {unit}")
        values = drivers[name].to_numpy().astype(float)
        if not np.isfinite(values).all():
            first = pd.Timestamp(drivers["time"].to_numpy()[np.argmax(~np.isfinite(values))])
            raise InputError(
                file, name, f"{(~np.isfinite(values)).sum()} gaps, the first on {first:%Y-%m-%d}",
                f"a value at every step, which {model.name} needs",
            )  # fmt: skip
        columns[name] = units.convert(
            values, drivers[name].attrs["units"], unit, file=file, field=name
        )
    for name in columns.keys() & set(DISTURBANCES):
        area = columns[name] * clock.step
        if area.min() < 0.0 or area.max() > 1.0:
            worst = float(area.min() if area.min() < 0.0 else area.max())
            raise InputError(
                file, name, f"{worst:g} of the area in a step of {clock.step:g} days",
                "between none and all of it",
            )  # fmt: skip
    weather = model.prepare_weather(
        columns, clock.day_of_year, clock.days_in_year, clock.step,
        float(drivers["lat"].item()), elevation,
    )  # fmt: skip
    return Forcing(
        weather=weather,
        season=clock.day_of_year / clock.days_in_year,
        step=clock.step,
        anniversaries=clock.anniversaries,
        mean_temperature=float(np.mean(columns["tasmin"] + columns["tasmax"]) / 2.0),
    )


def _only_location(ds: xr.Dataset, file: str) -> xr.Dataset:
    """Return a dataset at its only location."""
    if ds.sizes["location"] != 1:
        raise InputError(file, "location", f"{ds.sizes['location']} locations", "one")
    return ds.isel(location=0)


def observed_streams(
    observations: xr.Dataset, names: Sequence[str], rule: dict, file: str
) -> list[Stream]:
    """Return the streams of ``observations``, with what the training rule withholds left out.

    Raises
    ------
    InputError
        If there are several locations, or a stream is missing or in a unit that does not convert
        to its operator's.
    ConcertoError
        If a stream is empty in training.
    """
    observations = _only_location(observations, file)
    times = observations.indexes["time"]
    streams = []
    for name in names:
        if name not in observations:
            raise InputError(file, name, "no such variable", "a stream named in the configuration")
        unit = plugins.load("operators", name).UNIT
        values, sd = (
            units.convert(
                observations[field].to_numpy().astype(float),
                observations[field].attrs["units"], unit, file=file, field=field,
            )
            for field in (name, f"{name}_random")
        )  # fmt: skip
        chosen = training_of(name, values, times, rule)
        try:
            streams.append(Stream(name, np.where(chosen, values, np.nan), sd))
        except ConcertoError as error:
            raise ConcertoError(f"{file}: {error}") from error
    return streams


def read_problem(
    model_files: Sequence[Path],
    drivers_file: Path,
    observations_file: Path,
    statement_file: Path,
    site: Mapping,
    constraints: Sequence[str],
) -> tuple[Location, Problem]:
    """Read all of a location and return it with the problem that it poses."""
    location = open_location(model_files, drivers_file, observations_file, site)
    return location, location_problem(location, ErrorStatement.read(statement_file), constraints)


def location_problem(
    location: Location, statement: ErrorStatement, constraints: Sequence[str]
) -> Problem:
    """Return the problem of one location, run no further than its last assimilated observation.

    Its parameters are the model's, then the inflations of errors that the statement asks for.
    """
    seen = np.any([np.isfinite(stream.values) for stream in location.streams], axis=0)
    last = int(np.flatnonzero(seen)[-1]) + 1
    streams = [Stream(s.name, s.values[:last], s.random_sd[:last]) for s in location.streams]
    return Problem(
        model=location.model,
        prior=statement.prior(location.prior),
        forcing=location.forcing.between(0, last),
        streams=streams,
        stream_errors=statement.stream_errors,
        innovation_correlation=statement.correlation,
        constraint_names=constraints,
    )


def state_errors(
    location: Location,
    constraints: Sequence[str],
    budget: Mapping,
    rng: np.random.Generator,
    settings: Mapping = MappingProxyType({}),
) -> ErrorStatement:
    """Estimate the model error of each stream from the misfit of the best run.

    The model is first calibrated as if its errors were small and independent from day to day, which
    draws it as close to the observations as it can come: by an ensemble smoother, and by least
    squares from its best members. The model error is then what explains the misfit that is left
    (empirical Bayes).
    It is not iterated: a run calibrated under large slow errors need not follow the observations,
    leaves larger misfits, and so would talk itself into ever larger errors.

    The same statement is given to every method, so that their posteriors can be compared.

    ``settings`` is ``assimilation.errors`` of the configuration: the law of the errors, and whether
    their size stays unknown by a factor, of all streams or of single ones.
    """
    streams = location.streams
    guess = ErrorStatement({s.name: _first_guess(s) for s in streams}, np.eye(len(streams)))
    problem = location_problem(location, guess, constraints)
    ensemble = esmda.smooth(problem, budget, rng).z
    density = problem.log_likelihood(problem.prior.parameters_of(ensemble))
    density -= 0.5 * np.sum(ensemble**2, axis=1)
    starts = ensemble[np.argsort(density)[-_STARTS:]]
    modes = descend(problem, starts)
    laws = {stream.name: _law(settings, stream.name) for stream in streams}
    found = _statement(problem, problem.prior.parameters_of(modes[:1]), laws)
    errors = {
        stream.name: replace(found.stream_errors[stream.name], inflated=_inflated(settings, stream))
        for stream in streams
    }
    return ErrorStatement(errors, found.correlation)


def prior_of(location: Location, settings: Mapping) -> Prior:
    """Return the prior of all that is unknown under ``assimilation.errors`` of a configuration."""
    inflated = [stream.name for stream in location.streams if _inflated(settings, stream)]
    return _with_inflations(location.prior, inflated)


def _with_inflations(prior: Prior, streams: Sequence[str]) -> Prior:
    return Prior((*prior.parameters, *map(inflation, streams)), prior.origin)


def _inflated(settings: Mapping, stream: Stream) -> bool:
    return _setting(settings, stream.name, "inflation", "none") == "inferred"


def _law(settings: Mapping, stream: str) -> Distribution:
    name = _setting(settings, stream, "distribution", NORMAL.name)
    freedom = _setting(settings, stream, "degrees_of_freedom", NORMAL.degrees_of_freedom)
    return Distribution(name, float(freedom))


def _setting(settings: Mapping, stream: str, key: str, default: object) -> object:
    """Return what holds for a stream: its own setting, or that of all."""
    return settings.get("streams", {}).get(stream, {}).get(key, settings.get(key, default))


def _first_guess(stream: Stream) -> StreamError:
    sd = _FIRST_GUESS * float(np.nanstd(stream.values))
    return StreamError(sd_fast=sd, tau_fast=_INDEPENDENT, sd_slow=0.0, tau_slow=_INDEPENDENT)


def _statement(
    problem: Problem, parameters: np.ndarray, laws: Mapping[str, Distribution]
) -> ErrorStatement:
    errors = {}
    for stream, predicted in zip(problem.streams, problem.predict(parameters), strict=True):
        sd = np.where(np.isfinite(stream.values), stream.random_sd, np.nan)
        errors[stream.name] = fit_stream_error(
            stream.values - predicted[0], sd, problem.forcing.season, problem.forcing.step,
            laws[stream.name],
        )  # fmt: skip
    separate = replace(
        problem, stream_errors=errors, innovation_correlation=np.eye(len(problem.streams))
    )
    return ErrorStatement(errors, _innovation_correlation(separate, parameters))


def _innovation_correlation(problem: Problem, parameters: np.ndarray) -> np.ndarray:
    """Correlation of the streams' innovations at shared times, in one run."""
    streams = problem.streams
    white = problem.innovations(parameters)[0]
    seen = np.stack([np.isfinite(stream.values) for stream in streams])
    aligned = np.full(seen.T.shape, np.nan)
    aligned[seen.T] = white
    correlation = np.eye(len(streams))
    for i in range(len(streams)):
        for j in range(i):
            shared = np.isfinite(aligned[:, i]) & np.isfinite(aligned[:, j])
            if shared.sum() >= _SHARED_MIN:
                pair = np.corrcoef(aligned[shared, i], aligned[shared, j])
                correlation[i, j] = correlation[j, i] = pair[0, 1]
    return correlation
