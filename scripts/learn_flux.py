"""Learn a flux at the towers of a network, from their own measurements and from all others'."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import load, save
from concerto.learning.departures import from_the_usual
from concerto.learning.features import tower_features
from concerto.learning.folds import folds_of
from concerto.learning.towers import SIZE_OF, join_batches, kinds_of, years_of
from concerto.learning.towers import learn_flux as learn
from concerto.networks import FLUXES
from concerto.scripting import script_log
from concerto.seeds import generator
from concerto.splits import training_of

log = logging.getLogger(__name__)


def learn_flux(
    flux: str,
    entry: Mapping,
    cubes: Mapping[str, Path],
    batches: Sequence[Path],
    untold: Sequence[Path],
    output: Path,
    *,
    settings: Mapping,
    seed: int,
) -> None:
    """Write what is learnt of a flux (NetCDF).

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
    output
        Where to write.
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
    draw = int(generator(seed, "learn", entry["cubes"], flux).integers(2**31))
    learned = learn(
        measured[flux],
        process[flux],
        features,
        years_of(times),
        kinds_of(land["igbp"].to_numpy().astype(str), settings["apart"]),
        folds_of(entry["cubes"], len(names), settings["folds"], seed),
        draw,
        size=features[SIZE_OF[flux]] if flux in SIZE_OF else None,
    )
    usual = from_the_usual(measured, flux, process, learned.unseen, features, draw)
    learned = learned.with_usual(usual, settings.get("usual", {}).get(flux, 0.0))
    units = observations[flux].attrs["units"]
    places = {name: drivers[name] for name in ("location", "lat", "lon", "time")}
    save(
        xr.Dataset(
            {
                name: (("location", "time"), values, {"units": units})
                for name, values in vars(learned).items()
            },
            places,
        ),
        output,
        "float64",
    )


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
            Path(snakemake.output.learned),  # noqa: F821
            settings=snakemake.params.learning,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
