"""Teach an emulator of the half-hourly canopy at a tower, and measure its error and its speed."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from concerto.cubes import HALFHOURLY, read_cube
from concerto.learning import emulator as stand_in
from concerto.learning.cards import Card, keep, write_card
from concerto.models import Model, load_model
from concerto.products.files import write_table
from concerto.projection.canopy import BY_DAY, daily, days_of, draw_with, weather_of
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)

DRAWS = 4000
TAIL = 0.005
"""Share of the prior that is left out at each end of a parameter."""
LIMITS = (
    "It stands for one tower and one year of weather: another takes one of its own.",
    "Outside of the range of each parameter it refuses, or counts what leaves it.",
    "It is of parameters alone: leaf area and weather are those of the record.",
    "Under weather other than that which taught it refuses.",
)


@dataclass(frozen=True)
class EmulatorFiles:
    """Where the emulator, its card, scores, the runs that taught and judged, and errors go."""

    model: Path
    card: Path
    scores: Path
    design: Path
    curve: Path


def learn_emulator(
    name: str,
    site: Mapping,
    model: Sequence[Path],
    record: Path,
    files: EmulatorFiles,
    *,
    fixed: Mapping[str, float],
    settings: Mapping[str, int],
    seed: int,
) -> None:
    """Write the emulator, with all that judged it.

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    model
        Files of the model's parameters.
    record
        The site's record at its own step.
    files
        Files to write.
    fixed
        Parameters that are known here, by name.
    settings
        The configuration's ``canopy.emulator``: ``first``, ``rounds``, ``more``, ``held_out``.
    """
    described = load_model(model)
    cube = read_cube(record, HALFHOURLY)
    weather = weather_of(cube, described, site["elevation_m"], str(record))
    rng = generator(seed, "emulator", name)
    region = _region(described, fixed, rng)
    parts = days_of(weather)
    days = parts[BY_DAY[0]].stop

    def run(parameters: np.ndarray) -> np.ndarray:
        return daily(described, weather, parameters)

    def scale(outputs: np.ndarray) -> np.ndarray:
        return np.repeat([np.abs(outputs[:, part]).mean() for part in parts.values()], days)

    inputs, outputs, number = stand_in.active_design(
        region, run, scale, settings["first"], settings["rounds"], settings["more"], rng
    )
    tested = rng.uniform(-1.0, 1.0, (settings["held_out"], inputs.shape[1]))
    truth, of_model = _timed(run, region.parameters(tested))
    fitted = stand_in.fit_emulator(
        region, inputs, outputs, scale(outputs), (tested, truth), weather.values[0]
    )
    said, of_emulator = _timed(fitted.predict, region.parameters(tested))
    table = stand_in.error_table(said, truth, parts)
    faster = of_model / of_emulator
    table = table.assign(model_ms=of_model, emulator_ms=of_emulator, faster=faster)
    write_table(table, files.scores)
    write_table(_curve(region, inputs, outputs, number, (tested, truth), scale, parts), files.curve)
    write_table(_design(region, inputs, number, tested), files.design)
    keep(fitted, files.model)
    for row in table.itertuples():
        log.info("%s: error %.2f %%, %.0f times as fast", row.output, 100 * row.relative, faster)
    write_card(
        Card(
            name=f"emulator of the canopy at {site['name']}",
            purpose="daily GPP, latent heat and SIF of parameters, in place of half-hourly runs",
            data=f"{len(inputs)} runs of {described.name} by an active design",
            period=str(cube.indexes["time"][0].year),
            features=[n for n, free in zip(region.names, region.free, strict=True) if free],
            left_out=dict.fromkeys(fixed, "known here"),
            splits=f"{len(tested)} runs taught nothing: {files.design.name}",
            scores={
                row.output: {
                    "relative error": round(row.relative, 5),
                    "of the mean": round(row.relative_mean, 5),
                }
                for row in table.itertuples()
            }
            | {"times as fast": round(faster)},
            limits=LIMITS,
            licence="of the tower's record",
            seed=seed,
        ),
        files.card,
    )


def _region(model: Model, fixed: Mapping[str, float], rng: np.random.Generator) -> stand_in.Region:
    """Return the box that holds all but the tails of the prior of each parameter."""
    drawn = draw_with(model, fixed, DRAWS, rng)
    low, high = np.quantile(drawn, [TAIL, 1.0 - TAIL], axis=0)
    logs = np.array([parameter.prior == "log-normal" for parameter in model.parameters])
    known = np.isin(model.parameter_names, list(fixed))
    return stand_in.Region(
        tuple(model.parameter_names), np.where(known, drawn[0], low),
        np.where(known, drawn[0], high), logs,
    )  # fmt: skip


def _timed(call: stand_in.Run, parameters: np.ndarray) -> tuple[np.ndarray, float]:
    """Return what a call returns, and the milliseconds of processors that a member took."""
    start = time.process_time()
    found = call(parameters)
    return found, 1000.0 * (time.process_time() - start) / len(parameters)


def _curve(
    region: stand_in.Region,
    inputs: np.ndarray,
    outputs: np.ndarray,
    number: np.ndarray,
    held_out: tuple[np.ndarray, np.ndarray],
    scale: stand_in.Run,
    parts: Mapping[str, slice],
) -> pd.DataFrame:
    """Return the errors after each round."""
    tables = []
    for step in np.unique(number):
        own = number <= step
        of_round = outputs[own]
        fitted = stand_in.fit_emulator(region, inputs[own], of_round, scale(of_round), held_out)
        said = fitted.model.predict(held_out[0]) * fitted.scale
        table = stand_in.error_table(said, held_out[1], parts)
        tables.append(table.assign(runs=int(own.sum())))
    return pd.concat(tables, ignore_index=True)


def _design(
    region: stand_in.Region, inputs: np.ndarray, number: np.ndarray, tested: np.ndarray
) -> pd.DataFrame:
    """Return the parameters of all runs, with the round in which each taught, or ``test``."""
    both = pd.DataFrame(region.parameters(np.vstack([inputs, tested])), columns=region.names)
    role = [*(f"round {step}" for step in number), *(["test"] * len(tested))]
    both.insert(0, "role", role)
    return both


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        learn_emulator(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.record),  # noqa: F821
            EmulatorFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            fixed=snakemake.params.fixed,  # noqa: F821
            settings=snakemake.params.settings,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
