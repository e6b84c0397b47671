"""Write the predictions of a network's towers, and those as if they had no flux of their own."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from concerto.cubes import load, save
from concerto.evaluation.towers import withheld
from concerto.learning.calibration import Shape
from concerto.learning.towers import join_batches
from concerto.products.predictions import as_sites, carbon, parts, quantities
from concerto.scripting import script_log

log = logging.getLogger(__name__)

_BESIDES = ("lai", "total_biomass")


@dataclass(frozen=True)
class PredictionFiles:
    """Where predictions are written: of towers with what they measured, and without any flux."""

    known: Path
    unseen: Path


def write_predictions(
    network: Mapping,
    learned: Mapping[str, Path],
    inner: Mapping[str, Path],
    observations: Path,
    batches: Sequence[Path],
    files: PredictionFiles,
    *,
    run_id: str,
) -> None:
    """Write both files.

    Parameters
    ----------
    network
        Its configuration.
    learned, inner
        What is learnt of each flux from all that is known, and in the inner trial, on whose
        withheld months the intervals rest.
    observations
        Cube of the network.
    batches
        Projections of the process model that was told all.
    files
        Files to write.
    run_id
        Of the run that makes them.
    """
    measured = load(observations)
    known: dict[str, xr.DataArray] = {}
    unseen: dict[str, xr.DataArray] = {}
    for flux, file in learned.items():
        all_, tried = load(file), load(inner[flux])
        values = measured[flux].astype(float)
        units = all_["mean"].attrs["units"]
        later = withheld(values.to_numpy(), network["last_withheld"])
        own = Shape.of(((later - tried["mean"]) / tried["sd"]).to_numpy())
        others = Shape.of(((values - all_["unseen"]) / all_["unseen_sd"]).to_numpy())
        log.info(
            "%s: errors are %.3g of what is stated; unseen %.3g", flux, own.factor, others.factor
        )
        known |= quantities(flux, all_["mean"], all_["sd"], own, units) | parts(flux, all_)
        unseen |= quantities(flux, all_["unseen"], all_["unseen_sd"], others, units)
    process = join_batches([load(batch) for batch in batches], measured["location"].to_numpy())
    pools = {
        name.removesuffix("_mean"): process[name]
        for name in process
        if name.startswith("c_") and name.endswith("_mean")
    }
    known |= carbon(known["nee_learned"], pools)
    for name in _BESIDES:
        known |= {f"{name}_{kind}": process[f"{name}_{kind}"] for kind in ("mean", "sd")}
    title = f"Fluxes of {network['name']}"
    save(as_sites(known, {"title": title, "run_id": run_id}), files.known, "float64")
    title = f"{title}, each tower as if it had no flux of its own"
    save(as_sites(unseen, {"title": title, "run_id": run_id}), files.unseen, "float64")


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_predictions(
            snakemake.params.network,  # noqa: F821
            {Path(file).stem: Path(file) for file in snakemake.input.learned},  # noqa: F821
            {Path(file).stem: Path(file) for file in snakemake.input.inner},  # noqa: F821
            Path(*snakemake.input.observations),  # noqa: F821
            [Path(file) for file in snakemake.input.batches],  # noqa: F821
            PredictionFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            run_id=snakemake.params.run_id,  # noqa: F821
        )
