"""Learn monthly leaf area from weather and land cover; judge it on places and years held out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from concerto.cubes import load, save
from concerto.errors import ConcertoError
from concerto.evaluation.reconstruction import leaf_scores
from concerto.learning import leaves as tell
from concerto.learning.cards import Card, write_card
from concerto.learning.features import YEAR
from concerto.learning.folds import deal
from concerto.learning.partitions import climates_of, folds_by, table_of
from concerto.learning.reconstruction import blocks_of, rows_at
from concerto.learning.seasons import season_of_kind
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)

YEAR_FOLDS = 4
TREES, ROUNDS = 60, 100
LIMITS = (
    "Through time the weather is that of one year: only land cover changes.",
    "What leaves do where cover changes is what they do elsewhere under that cover.",
    "Soil is not told, nor how old or how managed plants are.",
)


@dataclass(frozen=True)
class LeafFiles:
    """Where leaves through time, scores, splits, what was judged, and the card are written."""

    leaves: Path
    scores: Path
    splits: Path
    judged: Path
    card: Path


def reconstruct_leaves(
    name: str,
    settings: Mapping,
    cubes: Mapping[str, Path],
    history: Path | None,
    files: LeafFiles,
    *,
    seed: int,
) -> None:
    """Write how good reconstructed leaves are and, where cover is reconstructed, leaves with it.

    Parameters
    ----------
    name
        Whose cells or towers they are.
    settings
        The configuration's ``reconstruction``.
    cubes
        Monthly cubes: ``drivers``, ``observations``, ``land``.
    history
        Reconstructed cover of the same cells, if there is one.
    files
        Files to write.
    """
    drivers, observations, land = (
        load(cubes[what]) for what in ("drivers", "observations", "land")
    )
    rng = generator(seed, "leaves", name)
    most_cells = settings["leaves"].get("cells", drivers.sizes["location"])
    drawn = np.sort(rng.permutation(drivers.sizes["location"])[:most_cells])
    drivers, observations, land = (
        cube.isel(location=drawn) for cube in (drivers, observations, land)
    )
    stream = tell.leaf_stream(observations)
    values = observations[stream].to_numpy().astype(float)
    most = 1.0 if stream == "fapar" else np.inf
    features = tell.leaf_features(drivers, land)
    values[~np.isfinite(features["tas"]).all(axis=1)] = np.nan
    lat, lon = drivers["lat"].to_numpy(), drivers["lon"].to_numpy()
    kinds = _kinds(land)
    regions = blocks_of(lat, lon, settings["leaves"]["region_deg"])
    dealt = deal(regions.max() + 1, settings["leaves"]["folds"], rng)[regions]
    folds = folds_by(dealt.astype(str), np.isfinite(values).any(axis=1), rng, together=regions)
    learner = tell.Blend(int(rng.integers(2**31)), TREES, ROUNDS)
    judged = tell.judge_places(features, values, folds, learner)
    times = drivers.indexes["time"]
    season = season_of_kind(values, kinds, lat, times.month.to_numpy(), folds)
    scores = [
        leaf_scores(
            "regions", values, {"learnt": judged.mean, "season of the kind": season},
            judged.rank, kinds,
        )
    ]  # fmt: skip
    years, splits = (
        times.year.to_numpy(),
        [table_of({"regions": folds}, drivers["location"].values)],
    )
    limits = list(LIMITS)
    known = tell.years_known(values, years)
    if len(known) >= max(3, YEAR_FOLDS):
        later, fold = tell.judge_years(features, values, years, YEAR_FOLDS, learner)
        usual = tell.same_months(values, fold)
        predictors = {"learnt": later.mean, "persistence": usual}
        scores.append(leaf_scores("years", values, predictors, later.rank, kinds))
        splits.append(_year_table(years, fold))
    else:
        limits.append(
            f"{len(known)} year(s) only: held-out years are not judged, and persistence "
            "says nothing."
        )
        log.warning("%s: %s", name, limits[-1])
    table = pd.concat(scores, ignore_index=True)
    write_table(table.assign(cells=name, stream=stream), files.scores)
    write_table(pd.concat(splits, ignore_index=True), files.splits)
    parts = {"observed": values, "learnt": judged.mean, "rank": judged.rank, "season": season}
    places = {key: drivers[key] for key in ("location", "lat", "lon", "time")}
    save(xr.Dataset({k: (("location", "time"), v) for k, v in parts.items()}, places), files.judged)
    taught = tell.learn_leaves(features, values, np.ones(values.shape, bool), learner)
    if history is None:
        found = tell.foretell_leaves(taught, features, most)
        out = _dataset(tell.leaf_area(found, stream)[None], drivers, times, np.array([0]))
    else:
        out = _through_time(load(history), settings, taught, features, drivers, stream, most)
    out.attrs = {"title": f"Leaf area of {name}, from cover and weather"}
    save(out, files.leaves)
    pooled = table[table["name"] == "all"]
    for row in pooled.itertuples():
        log.info("%s, %s held out, %s: nse %.3f", stream, row.held_out, row.predictor, row.nse)
    write_card(
        Card(
            name=f"monthly {stream} of {name}",
            purpose="leaf area of months under a land cover and weather",
            data=f"{int(np.isfinite(values).any(axis=1).sum())} places, "
            f"{int(np.isfinite(values).sum())} months; {observations[stream].attrs.get('source')}",
            period=f"{times[0]:%Y-%m} to {times[-1]:%Y-%m}",
            features=features.names,
            left_out={"soil": "no source"},
            splits=f"{len(folds)} folds of blocks of {settings['leaves']['region_deg']} degrees, "
            f"and of years: {files.splits.name}",
            scores={
                f"{row.predictor}, {row.held_out} held out": {
                    key: round(float(getattr(row, key)), 3)
                    for key in ("error", "nse", "coverage90")
                    if np.isfinite(getattr(row, key))
                }
                for row in pooled.itertuples()
            },
            limits=limits,
            licence="of the sources of the cubes",
            seed=seed,
        ),
        files.card,
    )


def _kinds(land: xr.Dataset) -> np.ndarray:
    """Return the main climate of each place, or its class of land where no climate is known."""
    if "koppen" in land:
        return climates_of(land["koppen"].to_numpy().astype(str)).astype(str)
    return land["igbp"].to_numpy().astype(str)


def _year_table(years: np.ndarray, fold: np.ndarray) -> pd.DataFrame:
    """Return the splits by year as :func:`concerto.learning.partitions.table_of` has them."""
    of_year = dict(zip(years.tolist(), fold.tolist(), strict=True))
    rows = [
        ("years", number, year, "test" if own == number else "teacher", "")
        for number in sorted({*of_year.values()} - {-1})
        for year, own in of_year.items()
        if own >= 0
    ]
    return pd.DataFrame(rows, columns=["scheme", "fold", "place", "role", "inner"])


def _through_time(
    history: xr.Dataset,
    settings: Mapping,
    learner: tell.Blend,
    features: tell.Features,
    drivers: xr.Dataset,
    stream: str,
    most: float,
) -> xr.Dataset:
    """Return leaf area (year, month, location) under the cover of some years."""
    names = history["location"].to_numpy().astype(str)
    rows = rows_at(
        *(cube[axis].to_numpy() for cube in (drivers, history) for axis in ("lat", "lon"))
    )
    if (rows < 0).any():
        raise ConcertoError(
            f"reconstruction.leaves: found no weather of {names[np.argmin(rows)]}, whose cover is "
            "reconstructed; expected that of all its cells"
        )
    known = drivers.isel(location=rows)
    last = tell.Features(features.names, features.values[rows][:, -YEAR:])
    every = settings["leaves"]["every_years"]
    chosen = history.isel(year=slice(0, None, every))
    found = [
        tell.leaf_area(
            tell.foretell_leaves(learner, tell.with_cover(last, fractions.T), most), stream
        )
        for fractions in chosen["land_cover"].transpose("year", "cover", "location").to_numpy()
    ]
    log.info("%d cells, %d years of cover", len(names), len(found))
    times = drivers.indexes["time"][-YEAR:]
    return _dataset(np.stack(found), known, times, chosen["year"].to_numpy())


def _dataset(
    lai: np.ndarray, drivers: xr.Dataset, times: pd.DatetimeIndex, years: np.ndarray
) -> xr.Dataset:
    attrs = {"units": "1", "standard_name": "leaf_area_index"}
    attrs["comment"] = f"weather of {times[0]:%Y-%m} to {times[-1]:%Y-%m} in all years"
    data = {"lai": (("year", "location", "time"), lai, attrs)}
    places = {key: drivers[key] for key in ("location", "lat", "lon")}
    return xr.Dataset(data, {"year": years, "time": times, **places})


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        reconstruct_leaves(
            snakemake.wildcards.leafy,  # noqa: F821
            snakemake.params.settings,  # noqa: F821
            {what: Path(snakemake.input[what]) for what in ("drivers", "observations", "land")},  # noqa: F821
            next(map(Path, snakemake.input.history), None),  # noqa: F821
            LeafFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
