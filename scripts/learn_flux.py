"""Learn a flux at the towers of a network, from their own measurements and from all others'."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.config import load_yaml
from concerto.cubes import load, save
from concerto.learning.cards import Card, write_card
from concerto.learning.departures import from_the_usual
from concerto.learning.features import tower_features
from concerto.learning.folds import folds_of
from concerto.learning.partitions import each_by_others, table_of
from concerto.learning.towers import SIZE_OF, join_batches, kinds_of, years_of
from concerto.learning.towers import learn_flux as learn
from concerto.networks import FLUXES
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator
from concerto.splits import training_of
from sklearn.metrics import r2_score, root_mean_squared_error

log = logging.getLogger(__name__)

LIMITS = (
    "What is unseen is told by learners of other towers; the spread stated for it is of all.",
    "With the tower's own record it is right for that tower alone: `upscaling` is for maps.",
    "Towers are not where the land is a sample of it: tropics, deserts and managed land are rare.",
    "NEE of towers has no disturbance, and no lateral flux of carbon.",
)


@dataclass(frozen=True)
class LearnFiles:
    """Where what is learnt, its card and the splits are written."""

    learned: Path
    card: Path
    splits: Path


def learn_flux(
    flux: str,
    entry: Mapping,
    cubes: Mapping[str, Path],
    batches: Sequence[Path],
    untold: Sequence[Path],
    source: Path,
    files: LearnFiles,
    *,
    settings: Mapping,
    seed: int,
) -> None:
    """Write what is learnt of a flux (NetCDF), with its card and splits.

    Parameters
    ----------
    flux
        Its name.
    entry
        Configuration of the trial.
    cubes
        Files of ``drivers``, ``observations`` and ``land`` of the network.
    batches, untold
        Projections of a process model that was told the trial's fluxes, and of one told none.
    source
        Description of the source of the towers' records.
    files
        Files to write.
    settings
        How towers learn from each other.
    """
    drivers, observations, land = (
        load(cubes[what]) for what in ("drivers", "observations", "land")
    )
    names, times = drivers["location"].to_numpy(), drivers.indexes["time"]
    measured = {
        name: _taught(name, observations[name].to_numpy(), times, entry.get("training", {}))
        for name in FLUXES
    }
    modelled = join_batches([load(batch) for batch in untold], names)
    runs = join_batches([load(batch) for batch in batches], names)
    process = {name: runs[f"{name}_mean"].to_numpy() for name in FLUXES}
    features = tower_features(drivers, observations, land, modelled)
    dealt = folds_of(entry["cubes"], len(names), settings["folds"], seed)
    draw = int(generator(seed, "learn", entry["cubes"], flux).integers(2**31))
    learned = learn(
        measured[flux],
        process[flux],
        features,
        years_of(times),
        kinds_of(land["igbp"].to_numpy().astype(str), settings["apart"]),
        dealt,
        draw,
        size=features[SIZE_OF[flux]] if flux in SIZE_OF else None,
    )
    usual = from_the_usual(measured, flux, process, learned.unseen, features, draw)
    learned = learned.with_usual(usual, settings.get("usual", {}).get(flux, 0.0))
    units = observations[flux].attrs["units"]
    taught = np.isfinite(measured[flux]) & np.isfinite(learned.unseen)
    able = taught.any(axis=1)
    splits = each_by_others(dealt, able)
    places = {name: drivers[name] for name in ("location", "lat", "lon", "time")}
    save(
        xr.Dataset(
            {
                name: (("location", "time"), values, {"units": units})
                for name, values in vars(learned).items()
            },
            places,
        ),
        files.learned,
        "float64",
    )
    write_table(table_of({"site": splits}, names), files.splits)
    described = load_yaml(source)
    card = Card(
        name=f"{flux} of the towers of {entry['name']}",
        purpose="monthly flux of towers, with their own record and as if they had none",
        data=f"{able.sum()} towers, {taught.sum()} months; {described['title']}",
        period=f"{times[0]:%Y-%m} to {times[-1]:%Y-%m}",
        features=features.names,
        left_out={},
        splits=f"{len(splits)} folds by site; no inner groups: {files.splits.name}",
        scores=_scores(measured[flux][taught], learned.unseen[taught], units),
        limits=LIMITS,
        licence=described["licence"],
        seed=seed,
    )
    write_card(card, files.card)
    log.info("%s: %s", flux, ", ".join(f"{of}: {value}" for of, value in card.scores.items()))


def _scores(measured: np.ndarray, unseen: np.ndarray, units: str) -> dict[str, float]:
    """Return how well months (value,) are told by the other towers."""
    return {
        "Nash-Sutcliffe efficiency of unseen towers": round(r2_score(measured, unseen), 3),
        f"root mean square error of unseen towers, {units}": round(
            root_mean_squared_error(measured, unseen), 3
        ),
    }


def _taught(
    flux: str, values: np.ndarray, times: pd.DatetimeIndex, training: Mapping
) -> np.ndarray:
    """Return what of a flux (location, time) is taught, NaN elsewhere."""
    kept = np.stack([training_of(flux, own, times, training) for own in values])
    return np.where(kept, values.astype(float), np.nan)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        learn_flux(
            snakemake.wildcards.flux,  # noqa: F821
            snakemake.params.trial,  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            [Path(file) for file in snakemake.input.batches],  # noqa: F821
            [Path(file) for file in snakemake.input.untold],  # noqa: F821
            Path(snakemake.input.source),  # noqa: F821
            LearnFiles(
                **{what: Path(snakemake.output[what]) for what in ("learned", "card", "splits")}  # noqa: F821
            ),
            settings=snakemake.params.learning,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
