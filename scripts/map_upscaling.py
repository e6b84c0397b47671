"""Write the fluxes of cells that towers taught, and cubes in which they are observations."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import OBSERVATIONS_MONTHLY, load, save, write_cube
from concerto.domain import STREAMS
from concerto.learning.cards import kept
from concerto.learning.dissimilarity import STATUS
from concerto.learning.features import place_features
from concerto.learning.flux_maps import FluxModel, as_observations
from concerto.networks import NOT_NEGATIVE
from concerto.prepare.streams import store
from concerto.products.files import write_table
from concerto.scripting import script_log

log = logging.getLogger(__name__)

_QUANTILES = {"q05": 0.05, "q95": 0.95}


@dataclass(frozen=True)
class MapFiles:
    """Where the fluxes, the cube of observations with them, and the count of cells are written.

    The count has the columns ``flux, status, months, share``.
    """

    fluxes: Path
    observations: Path
    statuses: Path


def map_upscaling(
    name: str, cells: Mapping[str, Path], models: Sequence[Path], files: MapFiles
) -> None:
    """Write the maps.

    Parameters
    ----------
    name
        Whose cells they are.
    cells
        Monthly cubes of the cells.
    models
        A model of each flux.
    files
        Files to write.
    """
    drivers, observations, land = (
        load(cells[what]) for what in ("drivers", "observations", "land")
    )
    igbp = _classes(land)
    out = xr.Dataset(coords={key: drivers[key] for key in ("location", "lat", "lon", "time")})
    rows = []
    for file in models:
        model: FluxModel = kept(file)
        features = place_features(drivers, observations, land, model.kinds)
        mean, index, status = model.predict(features, igbp)
        sd = model.spread(mean, status)
        _describe(out, model, mean, sd, index, status)
        stream = as_observations(mean, sd, status, model.shared)
        store(
            observations,
            model.flux,
            stream,
            "towers' fluxes, upscaled",
            "month",
            ("location", "time"),
        )
        for number, word in enumerate(STATUS):
            found = status == number
            rows.append((model.flux, word, int(found.sum()), float(found.mean())))
            log.info("%s: %.1f %% of months %s", model.flux, 100.0 * found.mean(), word)
    out.attrs = {"title": f"Monthly fluxes of {name}, as towers teach them"}
    save(out, files.fluxes)
    write_cube(
        observations,
        files.observations,
        OBSERVATIONS_MONTHLY,
        title=f"Monthly observations of {name}, with fluxes that towers teach",
        source=f"cubes of {name}; upscaled fluxes of towers",
        history="map_upscaling: fluxes where they do not extrapolate",
        comment="Random errors of upscaled fluxes are widened for months that share an error.",
    )
    write_table(pd.DataFrame(rows, columns=["flux", "status", "months", "share"]), files.statuses)


def _classes(land: xr.Dataset) -> np.ndarray:
    if "igbp" not in land:
        return np.full(land.sizes["location"], "")
    return land["igbp"].to_numpy().astype(str)


def _describe(
    out: xr.Dataset,
    model: FluxModel,
    mean: np.ndarray,
    sd: np.ndarray,
    index: np.ndarray,
    status: np.ndarray,
) -> None:
    """Put what is said of a flux into a dataset."""
    least = 0.0 if model.flux in NOT_NEGATIVE else -np.inf
    said = {"mean": mean, "sd": sd}
    said |= {key: model.quantile(share, mean, status) for key, share in _QUANTILES.items()}
    units = STREAMS[model.flux].units
    for key, found in said.items():
        values = found if key == "sd" else np.maximum(found, least)
        attrs = {"units": units, "long_name": f"{STREAMS[model.flux].long_name}: {key}"}
        out[f"{model.flux}_{key}"] = (("location", "time"), values, attrs)
    attrs = {
        "units": "1",
        "long_name": "dissimilarity index (Meyer & Pebesma 2021)",
        "threshold": model.dissimilarity.threshold,
    }
    out[f"{model.flux}_dissimilarity"] = (("location", "time"), index, attrs)
    flags = {"flag_values": np.arange(len(STATUS), dtype="int8"), "flag_meanings": " ".join(STATUS)}
    out[f"{model.flux}_status"] = (("location", "time"), status.astype("int8"), flags)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        map_upscaling(
            snakemake.wildcards.target,  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            [Path(file) for file in snakemake.input.models],  # noqa: F821
            MapFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
        )
