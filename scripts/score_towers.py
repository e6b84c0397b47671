"""Score predictions of a network's towers on what was withheld from them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import load, save
from concerto.evaluation.towers import COLUMNS, Judged, judge, predictors_of, score_table
from concerto.learning.folds import folds_of
from concerto.learning.towers import join_batches
from concerto.networks import NOT_NEGATIVE
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoreFiles:
    """Where the scores go, and the ranks of what was observed in what was predicted."""

    scores: Path
    judged: Path


def score_towers(
    network: str,
    entry: Mapping,
    cubes: Mapping[str, Path],
    learned: Mapping[str, Path],
    inner: Mapping[str, Path],
    untold: Sequence[Path],
    priors: Mapping[str, Path],
    files: ScoreFiles,
    *,
    seed: int,
) -> None:
    """Write a table of scores, and each withheld value with its predictions (NetCDF).

    Parameters
    ----------
    network, entry
        Its name and configuration.
    cubes
        Files of ``observations`` and ``land``.
    learned, inner
        What is learnt of each flux from all that is known, and in the inner trial.
    untold
        Projections of the process model that was told no flux.
    priors
        Projections of the process model with the parameters that other towers teach, by what they
        teach them.
    files
        Files to write.
    """
    observations, land = load(cubes["observations"]), load(cubes["land"])
    names = observations["location"].to_numpy()
    classes = land["igbp"].to_numpy().astype(str)
    modelled = {"process": join_batches([load(batch) for batch in untold], names)}
    modelled |= {f"by_{by}": load(file) for by, file in priors.items()}
    folds = folds_of(network, len(names), entry["learning"]["folds"], seed)
    tables, kept = [], {}
    for flux, file in learned.items():
        least = 0.0 if flux in NOT_NEGATIVE else -np.inf
        settings = predictors_of(
            observations[flux].to_numpy().astype(float),
            entry["last_withheld"],
            load(inner[flux]),
            load(file),
            {name: own[f"{flux}_mean"].to_numpy() for name, own in modelled.items()},
        )
        for setting, (observed, predictors) in settings.items():
            judged = {name: judge(own, observed, folds, least) for name, own in predictors.items()}
            table = score_table(judged, names, classes)
            tables.append(table.assign(setting=setting, flux=flux))
            kept |= _arrays(f"{flux}_{setting}", observed, judged)
            for row in table[table["group"] == "all"].itertuples():
                log.info(
                    "%s, %s, %s (%s): nse %.3f, 90 %% intervals hold %.1f %%",
                    flux, setting, row.predictor, row.name, row.nse, 100.0 * row.coverage90,
                )  # fmt: skip
    write_table(pd.concat(tables)[list(COLUMNS)], files.scores)
    places = {name: observations[name] for name in ("location", "lat", "lon", "time")}
    save(xr.Dataset({**kept, "igbp": land["igbp"]}, places), files.judged)


def _arrays(label: str, observed: np.ndarray, judged: Mapping[str, Judged]) -> dict[str, tuple]:
    """Return what figures are made of: observed values, predictions and their ranks."""
    arrays = {f"{label}_observed": observed}
    for name, own in judged.items():
        arrays |= {f"{label}_{name}": own.mean, f"{label}_{name}_rank": own.rank}
    return {name: (("location", "time"), values) for name, values in arrays.items()}


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        score_towers(
            snakemake.wildcards.network,  # noqa: F821
            snakemake.params.network,  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("observations", "land")},  # noqa: F821
            {Path(file).stem: Path(file) for file in snakemake.input.learned},  # noqa: F821
            {Path(file).stem: Path(file) for file in snakemake.input.inner},  # noqa: F821
            [Path(file) for file in snakemake.input.untold],  # noqa: F821
            {Path(file).suffixes[0][1:]: Path(file) for file in snakemake.input.priors},  # noqa: F821
            ScoreFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
