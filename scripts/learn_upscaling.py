"""Learn a flux of cells from towers, and judge that on towers and climates that taught nothing."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.config import load_yaml
from concerto.cubes import load, save
from concerto.evaluation.upscaling import SCHEMES, score_table
from concerto.learning import flux_maps as maps
from concerto.learning.cards import Card, keep, write_card
from concerto.learning.features import place_features
from concerto.learning.folds import folds_of
from concerto.learning.partitions import UNKNOWN, Fold, folds_by, table_of
from concerto.learning.seasons import season_of_kind
from concerto.learning.upscaling import Blend
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)

CUBES = ("drivers", "observations", "land")
LIMITS = (
    "Where the status is not `inside`, the prediction extrapolates and is no observation.",
    "Towers are not where the land is a sample of it: tropics, deserts and managed land are rare.",
    "Weather and leaves of towers may be of other products than the map's, which no score shows.",
    "Errors that cells share are not told to an assimilation: sums over regions look too sure.",
    "The index does not say which climate is told worse: see the scores.",
    "NEE of towers has no disturbance, and no lateral flux of carbon.",
    "What the process model says is not told: a map has none before it is assimilated.",
)


@dataclass(frozen=True)
class LearnFiles:
    """Where the model, its card, splits, scores and what figures are made of are written."""

    model: Path
    card: Path
    splits: Path
    scores: Path
    judged: Path
    attributions: Path
    curve: Path


def learn_upscaling(
    flux: str,
    network: tuple[str, Mapping],
    towers: Mapping[str, Path],
    climates: Path,
    cells: Mapping[str, Path],
    source: Path,
    files: LearnFiles,
    *,
    seed: int,
    size: tuple[int, int] = (200, 300),
) -> None:
    """Write a model of a flux for a map's cells, with its card and all that judged it.

    Parameters
    ----------
    flux
        Its name.
    network
        Name and configuration of the towers that teach.
    towers, cells
        Monthly cubes of the towers and of the cells: ``drivers, observations, land``.
    climates
        Table of the towers' climates.
    source
        Description of the source of the towers' records.
    files
        Files to write.
    size
        Number of randomised trees, and of boosted ones.
    """
    name, entry = network
    drivers, observations, land = _cubes(towers)
    igbp = land["igbp"].to_numpy().astype(str)
    kinds = sorted({*igbp} - {""})
    told = place_features(drivers, observations, land, kinds)
    names, left_out = maps.common_names(told, place_features(*_cubes(cells), kinds))
    features = told.only(names)
    values = observations[flux].to_numpy().astype(float)
    values[~np.isfinite(features["tas"]).all(axis=1)] = np.nan
    maps.check_target(flux, values)
    able = np.isfinite(values).any(axis=1)
    dealt = folds_of(name, len(igbp), entry["learning"]["folds"], seed)
    table = pd.read_csv(climates, keep_default_na=False).set_index("tower")
    places = observations["location"].to_numpy().astype(str)
    climate = table.loc[places, "climate"].to_numpy().astype(str)
    rng = generator(seed, "upscaling", name, flux)
    schemes = {"site": folds_by(dealt.astype(str), able, rng)}
    by_climate = _climate_folds(climate, able, rng)
    if by_climate:
        schemes["climate"] = by_climate
    learner = Blend(int(rng.integers(2**31)), *size)
    judged = {
        scheme: maps.judge(features, values, folds, learner) for scheme, folds in schemes.items()
    }
    shown = _judged(judged, schemes, values, observations, igbp, climate)
    scores = pd.concat([score_table(scheme, shown) for scheme in schemes])
    grown = judged["site"][1].groupby("group", sort=False)["grown"].mean()
    fitted = maps.finish(
        flux, features, values, {scheme: found for scheme, (found, _) in judged.items()},
        grown.to_dict(), dealt, kinds, learner,
    )  # fmt: skip
    write_table(table_of(schemes, places), files.splits)
    write_table(scores.assign(flux=flux), files.scores)
    write_table(pd.concat([t.assign(scheme=s) for s, (_, t) in judged.items()]), files.attributions)
    curve = maps.learning_curve(features, values, schemes["site"][:3], learner)
    write_table(curve, files.curve)
    save(shown, files.judged)
    keep(fitted, files.model)
    described, times = load_yaml(source), drivers.indexes["time"]
    write_card(
        Card(
            name=f"{flux} of cells, from towers of {entry['name']}",
            purpose="maps of a monthly flux, and a stream of observations for assimilation",
            data=f"{able.sum()} towers, {np.isfinite(values).sum()} months; {described['title']}",
            period=f"{times[0]:%Y-%m} to {times[-1]:%Y-%m}",
            features=names,
            left_out=left_out,
            splits=", ".join(f"{len(folds)} folds by {key}" for key, folds in schemes.items())
            + f"; inner groups calibrate: {files.splits.name}",
            scores=_pooled(scores) | {"variance of a place's own": round(fitted.shared, 3)},
            limits=LIMITS,
            licence=described["licence"],
            seed=seed,
        ),
        files.card,
    )
    for scheme, row in _pooled(scores).items():
        log.info("%s, %s: %s", flux, scheme, row)


def _climate_folds(climate: np.ndarray, able: np.ndarray, rng: np.random.Generator) -> list[Fold]:
    """Return a fold for each climate, of which each other one is an inner group; none if too few.

    It takes three climates: one to judge, and two to calibrate each other's errors.
    """
    if len({*climate[able]} - {UNKNOWN}) < 3:
        log.warning("towers are of fewer than three climates: none can be told by the others")
        return []
    return folds_by(climate, able, rng, inner=None, together=climate)


def _cubes(files: Mapping[str, Path]) -> list[xr.Dataset]:
    return [load(files[what]) for what in CUBES]


def _judged(
    judged: Mapping[str, tuple[maps.Judged, pd.DataFrame]],
    schemes: Mapping[str, list[Fold]],
    values: np.ndarray,
    observations: xr.Dataset,
    igbp: np.ndarray,
    climate: np.ndarray,
) -> xr.Dataset:
    """Return what was measured with its predictions, by scheme."""
    latitude = observations["lat"].to_numpy()
    months = observations.indexes["time"].month.to_numpy()
    arrays = {"observed": values}
    for scheme, (found, _) in judged.items():
        season = season_of_kind(values, igbp, latitude, months, schemes[scheme])
        parts = {**vars(found), "season": season}
        arrays |= {f"{scheme}_{key}": part for key, part in parts.items()}
    places = {key: observations[key] for key in ("location", "lat", "lon", "time")}
    data = {key: (("location", "time"), part) for key, part in arrays.items()}
    data |= {"igbp": ("location", igbp.astype(object))}
    data |= {"climate": ("location", climate.astype(object))}
    return xr.Dataset(data, places)


def _pooled(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    pooled = scores[scores["name"] == "pooled"].set_index("scheme")
    kept = ["towers", "n", "nse", "nse_season", "rmse", "bias", "coverage50", "coverage90"]
    return {SCHEMES[scheme]: row.round(3).to_dict() for scheme, row in pooled[kept].iterrows()}


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        learn_upscaling(
            snakemake.wildcards.flux,  # noqa: F821
            snakemake.params.network,  # noqa: F821
            {what: Path(snakemake.input[what]) for what in CUBES},  # noqa: F821
            Path(snakemake.input.climates),  # noqa: F821
            dict(zip(CUBES, map(Path, snakemake.input.cells), strict=True)),  # noqa: F821
            Path(snakemake.input.source),  # noqa: F821
            LearnFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
