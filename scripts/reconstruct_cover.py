"""Learn land cover from climate, height and coarse land use, and carry it through time."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from concerto.config import load_yaml
from concerto.cubes import load, save
from concerto.errors import ConcertoError
from concerto.evaluation.reconstruction import cover_scores
from concerto.learning import reconstruction as cover
from concerto.learning.cards import Card, write_card
from concerto.learning.folds import deal
from concerto.learning.partitions import climates_of, folds_by, table_of
from concerto.products.files import write_table
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)

LEAST_LAND = 0.5
"""Share of a cell that must be land with a class."""
PLACE = ("lat", "lon")
PLAIN = ("tas_1", "tas_2", "vpd_1", "vpd_2", "ppfd_1", "ppfd_2", "elevation", "roughness")
"""Features that the table of cells has."""
ONE_YEAR = "The maps are of one year: held-out years are not judged, persistence says nothing."
LIMITS = (
    ONE_YEAR,
    "Coarse states are of the same map, averaged over blocks: an independent product is worse.",
    "Soil is not told: no map of it comes with the run's sources.",
    "Climate stays as it is in all years; only land use changes.",
)


@dataclass(frozen=True)
class CoverFiles:
    """Where the fractions through time, scores, splits and card are written."""

    cover: Path
    scores: Path
    splits: Path
    card: Path
    judged: Path


def reconstruct_cover(
    settings: Mapping, cells: Path, land: Path, legends: Path, files: CoverFiles, *, seed: int
) -> None:
    """Write annual fractions of land cover of the cells of a map, and how good they are.

    Parameters
    ----------
    settings
        The configuration's ``reconstruction.cover``.
    cells
        Table of cells that teach.
    land
        Land of the cells that are wanted.
    legends
        Description of the source of the maps that teach.
    files
        Files to write.
    """
    table = load(cells)
    shares = table["land_cover"].transpose("class", "location").to_numpy().astype(float)
    fractions, on_land = cover.covers_of(shares, table["class"].to_numpy())
    lat, lon = table["lat"].to_numpy(), table["lon"].to_numpy()
    kept = on_land >= LEAST_LAND
    blocks = cover.blocks_of(lat, lon, settings["coarse_deg"])
    states = np.full((len(lat), len(cover.STATES)), np.nan)
    states[kept] = cover.coarse_states(fractions[kept], on_land[kept], _renumbered(blocks[kept]))
    climate = climates_of(table["koppen"].to_numpy().astype(str)).astype(str)
    rng = generator(seed, "reconstruction")
    regions = cover.blocks_of(lat, lon, settings["region_deg"])
    fold_of = deal(regions.max() + 1, settings["folds"], rng)[regions]
    rows = np.sort(rng.permutation(np.flatnonzero(kept))[: settings["cells"]])
    told = _features(table, climate)
    draw = int(rng.integers(2**31))
    folds = folds_by(
        fold_of[rows].astype(str), np.ones(len(rows), bool), rng, together=regions[rows]
    )
    own, seen = np.hstack([told, states])[rows], fractions[rows]
    judged = cover.judge_cover(own, seen, folds, draw)
    coarse = cover.coarse_product(seen, states[rows], climate[rows], folds)
    predictors = {"learnt": judged.mean, "coarse product": coarse}
    inside = cover.within(seen, judged)
    scores = cover_scores("regions", seen, predictors, inside, tuple(cover.COVERS))
    learner = cover.CoverLearner(draw).fit(own, seen)
    wanted = _where(table, load(land), kept)
    places = table.isel(location=wanted)
    _write_history(settings, learner, places, told[wanted], states[wanted], files.cover)
    names = table["location"].to_numpy()[rows]
    write_table(table_of({"regions": folds}, names), files.splits)
    write_table(scores, files.scores)
    save(_judged(table.isel(location=rows), seen, judged, coarse), files.judged)
    pooled = scores[scores["name"] == "all"].set_index("predictor")
    for predictor, row in pooled.iterrows():
        log.info("%s: %.1f %% of land misplaced", predictor, 100.0 * row["error"])
    write_card(
        Card(
            name="land cover of cells",
            purpose="annual fractions of land cover where only coarse land use is known",
            data=f"{len(rows)} of {int(kept.sum())} cells of {settings['resolution_deg']} degrees",
            period="one map: land cover of 2005, climate zones of 1980 to 2016",
            features=(*PLAIN, "main climate", *(f"coarse {name}" for name in cover.STATES)),
            left_out={"soil": "no source", "land use by year": "no source without a server"},
            splits=f"{len(folds)} folds of blocks of {settings['region_deg']} degrees, inner "
            f"groups calibrate: {files.splits.name}",
            scores={
                f"{name}: share of land misplaced in regions that taught nothing": round(
                    row.error, 4
                )
                for name, row in pooled.iterrows()
            }
            | {"share in intervals of 90 %": round(pooled["coverage90"].iloc[0], 3)},
            limits=(*LIMITS, settings["history"]["words"]),
            licence=load_yaml(legends)["licence"],
            seed=seed,
        ),
        files.card,
    )


def _renumbered(blocks: np.ndarray) -> np.ndarray:
    return np.unique(blocks, return_inverse=True)[1]


def _features(table: xr.Dataset, climate: np.ndarray) -> np.ndarray:
    """Return features (row, feature) that do not change in time."""
    plain = [table[name].to_numpy().astype(float) for name in PLAIN]
    kinds = [(climate == name).astype(float) for name in ("tropical", "arid", "temperate", "cold")]
    return np.stack([*plain, *kinds], axis=-1)


def _where(table: xr.Dataset, land: xr.Dataset, kept: np.ndarray) -> np.ndarray:
    """Return the rows of the table (cell,) that are the cells of a map.

    Raises
    ------
    ConcertoError
        If there is none.
    """
    near = cover.rows_at(*(cube[axis].to_numpy() for cube in (table, land) for axis in PLACE))
    wanted = near[(near >= 0) & kept[near]]
    if not len(wanted):
        raise ConcertoError(
            "reconstruction.cover.box: found no cell of the map in it; expected its cells, of the "
            "same size and place"
        )
    log.info("%d of %d cells of the map are in the table", len(wanted), len(near))
    return wanted


def _write_history(
    settings: Mapping,
    learner: cover.CoverLearner,
    places: xr.Dataset,
    told: np.ndarray,
    states: np.ndarray,
    output: Path,
) -> None:
    """Write fractions (year, cover, location) of each year under the history of land use."""
    history = settings["history"]
    years = np.arange(history["first"], history["last"] + 1)
    found, used = [], []
    for year in years:
        of_year = cover.states_in(states, cover.factors(history["factors"], year))
        found.append(learner.predict(np.hstack([told, of_year])).T)
        used.append(of_year.T)
    attrs = {"units": "1", "standard_name": "area_fraction", "comment": history["words"]}
    data = {
        "land_cover": (("year", "cover", "location"), np.stack(found), attrs),
        "states": (
            ("year", "state", "location"),
            np.stack(used),
            {"units": "1", "long_name": "coarse states of land use"},
        ),
    }
    axes = {"year": years, "cover": list(cover.COVERS), "state": list(cover.STATES)}
    out = xr.Dataset(data, axes | {key: places[key] for key in ("location", "lat", "lon")})
    out.attrs = {"title": "Reconstructed land cover", "comment": history["words"]}
    save(out, output, "float64")


def _judged(
    places: xr.Dataset, seen: np.ndarray, judged: cover.JudgedCover, coarse: np.ndarray
) -> xr.Dataset:
    parts = {
        "observed": seen,
        "learnt": judged.mean,
        "rank": cover.within(seen, judged),
        "coarse": coarse,
    }
    data = {name: (("location", "cover"), values) for name, values in parts.items()}
    axes = {"cover": list(cover.COVERS)} | {key: places[key] for key in ("location", "lat", "lon")}
    return xr.Dataset(data, axes)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        reconstruct_cover(
            snakemake.params.settings,  # noqa: F821
            Path(snakemake.input.cells),  # noqa: F821
            Path(snakemake.input.land),  # noqa: F821
            Path(snakemake.input.legends),  # noqa: F821
            CoverFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
