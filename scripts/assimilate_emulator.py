"""Assimilate days of a tower through the emulator of the canopy, and through the canopy itself."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from concerto.assimilation.location import observed_streams
from concerto.assimilation.methods.esmda import assimilate
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.replaced import ReplacedProblem, prior_within
from concerto.cubes import HALFHOURLY, OBSERVATIONS_EITHER, read_cube
from concerto.ensembles import posterior_dataset, write_ensemble
from concerto.learning.cards import kept
from concerto.learning.emulator import Emulator
from concerto.models import load_model
from concerto.products.files import write_table
from concerto.projection.canopy import by_day, daily, days_of, weather_of
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)

MOST_OUTSIDE = 0.05
"""Share of the steps that may have weather that nothing was taught of; their days are left out."""


@dataclass(frozen=True)
class PosteriorFiles:
    """Where the posterior through the emulator goes, what both found, and what they took."""

    posterior: Path
    parameters: Path
    cost: Path


def assimilate_emulator(
    name: str,
    site: Mapping,
    model: Sequence[Path],
    record: Path,
    observations: Path,
    emulator: Path,
    files: PosteriorFiles,
    *,
    settings: Mapping,
    seed: int,
) -> None:
    """Write the posterior of a site's canopy through its emulator, beside that of the model.

    Both are of one method from the same draws, so that they differ by the emulator alone.

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    model
        Files of the model's parameters.
    record, observations
        The site's record at its own step, and its observed days.
    emulator
        What stands in for the canopy.
    files
        Files to write.
    settings
        The configuration's ``canopy_emulated``: ``streams``, what the canopy itself misses of a day
        by stream; ``members``, ``steps``, ``most_steps`` of the method.
    """
    described, taught = load_model(model), kept(emulator)
    cube = read_cube(observations, OBSERVATIONS_EITHER)
    weather = weather_of(read_cube(record, HALFHOURLY), described, site["elevation_m"], str(record))
    other = taught.check_weather(weather.values[0], MOST_OUTSIDE)
    log.info("weather that nothing was taught of: %.2g %% of the steps", 100 * other.mean())
    unlike = by_day(other)
    streams = observed_streams(cube, list(settings["streams"]), site["training"], str(observations))
    values, sd = (np.full(len(taught.scale), np.nan) for _ in range(2))
    parts = days_of(weather)
    for stream in streams:
        values[parts[stream.name]] = np.where(unlike, np.nan, stream.values)
        sd[parts[stream.name]] = np.hypot(stream.random_sd, settings["streams"][stream.name])
    region = taught.region
    prior = prior_within(described.parameters, region.low, region.high)

    def run(free: np.ndarray) -> np.ndarray:
        return daily(described, weather, region.with_known(free))

    def said(free: np.ndarray) -> np.ndarray:
        return taught.predict(region.with_known(free))

    found, costs = {}, []
    for way, call, errors in (("emulator", said, taught.errors), ("model", run, None)):
        problem = ReplacedProblem(prior, call, values, sd, errors)
        start = time.process_time()
        found[way] = assimilate(problem, settings, generator(seed, "canopy_emulated", name))
        took = time.process_time() - start
        judged = found[way].converged
        log.info("%s: converged: %s; %s; %.1f s", way, judged, found[way].verdict, took)
        costs.append((way, problem.model_runs, took, "yes" if judged else "no"))
    write_table(
        pd.DataFrame(costs, columns=["through", "runs", "seconds", "converged"]), files.cost
    )
    both = {way: prior.to_parameters(one.unit) for way, one in found.items()}
    names = [parameter.name for parameter in prior.parameters]
    write_table(_beside(names, both), files.parameters)
    dataset = posterior_dataset(prior, found["emulator"], cube)
    dataset.attrs = _attributes(found["emulator"], taught, parts, settings, seed)
    dataset.attrs["weather_outside"] = float(other.mean())
    title = f"Posterior of the canopy at {site['name']}, through its emulator"
    done = f"assimilate_emulator: {', '.join(settings['streams'])} by esmda"
    write_ensemble(dataset, files.posterior, title=title, source=described.name, history=done)


def _beside(names: Sequence[str], found: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return means and spreads by both ways, and how many spreads apart the means are."""
    table = pd.DataFrame({"parameter": names})
    for way, values in found.items():
        table[way], table[f"{way}_sd"] = values.mean(axis=0), values.std(axis=0, ddof=1)
    apart = (table["emulator"] - table["model"]) / table["model_sd"]
    return table.assign(apart_in_sd=apart)


def _attributes(
    found: Posterior, taught: Emulator, parts: Mapping[str, slice], settings: Mapping, seed: int
) -> dict:
    """Return what a reader of the posterior must know of it."""
    errors = {f"emulator_error_{key}": float(taught.error_sd[parts[key]].mean()) for key in parts}
    return {
        "method": "esmda",
        "converged": "yes" if found.converged else "no",
        "verdict": found.verdict,
        "seed": seed,
        **{f"model_error_{key}": float(sd) for key, sd in settings["streams"].items()},
        **errors,
    }


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        assimilate_emulator(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.record),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.emulator),  # noqa: F821
            PosteriorFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            settings=snakemake.params.settings,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
