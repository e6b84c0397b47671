"""Run the posterior members of a site, or of a tile of a map, through all scenarios."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from concerto.assimilation.location import ErrorStatement
from concerto.cubes import DRIVERS_OF_CELLS, load, read_cube
from concerto.ensembles import write_ensemble
from concerto.landuse.areas import area_factors
from concerto.landuse.covers import read_rules
from concerto.landuse.levers import Ground, read_land_use
from concerto.landuse.run import Land
from concerto.models import load_model
from concerto.projection.climate import before
from concerto.projection.ensemble import inflations_of, some_members
from concerto.projection.scenarios import (
    Combined,
    Drive,
    Members,
    Plan,
    annual_errors,
    outcome_dataset,
    project,
)
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """What a part of a place rests on; ``climates`` by name, ``statement`` of sites alone."""

    record: Path
    land: Path
    posterior: Path
    climates: Mapping[str, Path]
    statement: Path | None


def project_scenario(
    place: str,
    part: str,
    entry: Mapping,
    model_files: Sequence[Path],
    files: Files,
    output: Path,
    *,
    seed: int,
) -> None:
    """Write the members' fluxes and stocks by year in all cases, and NBP by all that varies.

    Parameters
    ----------
    place, part
        Name of the place and of the part, a tile, or ``all`` of a site.
    entry
        The configuration's ``scenarios``.
    model_files
        Files of the model's parameters.
    files
        What it rests on.
    output
        File to write.
    seed
        Of the run.
    """
    model = load_model(model_files)
    rules = read_rules(entry, model.parameter_names)
    posterior = load(files.posterior)
    which = _positions(files.record, posterior["location"].to_numpy())
    land = load(files.land).isel(location=which)
    height = land["elevation"].to_numpy().astype(float)
    draws = _draws(
        posterior, entry, files.statement is not None, generator(seed, "scenarios", place)
    )
    parameters = draws.sel(parameter=model.parameter_names).transpose("location", "member", ...)
    ahead = {
        name: Drive.of(model, read_cube(file, DRIVERS_OF_CELLS, which), height, file)
        for name, file in files.climates.items()
    }
    axis = next(iter(ahead.values())).time
    known = before(read_cube(files.record, DRIVERS_OF_CELLS, which), axis)
    record = Drive.of(model, known, height, files.record)
    kept = np.isfinite(parameters.to_numpy()).all(axis=(1, 2)) & record.complete
    kept &= np.all([drive.complete for drive in ahead.values()], axis=0)
    cells = np.flatnonzero(kept)
    log.info("%s, %s: %d of %d cells have members and weather", place, part, len(cells), len(kept))
    if not len(cells):
        _write(posterior[["location", "lat", "lon"]], posterior, land, output, place, model.name)
        return
    size = parameters.sizes["member"]
    factors = area_factors(size, entry.get("area_sd", 0.0), generator(seed, "area of land use"))
    members = Members.after(
        record.select(cells), parameters.to_numpy()[cells].astype(float), factors
    )
    years = next(iter(ahead.values())).years
    ground = _ground(land, cells)
    plans = {
        name: Plan.of(
            read_land_use(name, said, rules), rules, years, ground,
            *_supplied(said, place, name),
        )
        for name, said in entry["land_uses"].items()
    }  # fmt: skip
    drives = {name: drive.select(cells) for name, drive in ahead.items()}
    cases = {
        name: project(members, drives[case["climate"]], plans[case["land_use"]], rules)[1]
        for name, case in entry["cases"].items()
    }
    every = members if files.statement is not None else members.first(entry["map_crossed"] ** 2)
    combined = [
        [
            project(every, drive, plan, rules, ("nbp",))[1]["nbp"]
            if (done := _case_of(entry, climate, use)) is None
            else cases[done]["nbp"][..., : every.size]
            for use, plan in plans.items()
        ]
        for climate, drive in drives.items()
    ]
    most = entry["map_crossed" if files.statement is None else "crossed"]
    base = entry["cases"][entry["baseline"]]
    crossed = project(
        members.crossed(min(most, size)), drives[base["climate"]], plans[base["land_use"]], rules,
        ("nbp",),
    )[1]["nbp"]  # fmt: skip
    errors = None
    if files.statement is not None:
        statement = ErrorStatement.read(files.statement)
        if "nee" in statement.stream_errors:
            errors = annual_errors(
                statement, inflations_of(draws.isel(location=0)).get("nee", 1.0),
                axis, size, generator(seed, "model error ahead", place),
            )  # fmt: skip
    dataset = outcome_dataset(
        posterior,
        kept,
        years,
        rules,
        cases,
        Combined(list(drives), list(plans), combined, crossed),
        errors,
        Land.undivided(np.ones((len(cells), 1)), members.pools).stocks(),
    )
    _write(dataset, posterior, land, output, place, model.name)


def _write(
    dataset: xr.Dataset,
    posterior: xr.Dataset,
    land: xr.Dataset,
    output: Path,
    place: str,
    model: str,
) -> None:
    """Write what came out, with what the land is like."""
    names = ("country", "igbp", "koppen", "cell_area", "land_fraction")
    kinds = {name: land[name] for name in names if name in land}
    attributes = posterior.attrs
    write_ensemble(
        dataset.assign(kinds).assign_attrs(
            method=attributes["method"], converged=attributes.get("converged", "see status")
        ),
        output,
        title=f"Scenarios of {place}",
        source=model,
        history="project_scenario: posterior members run on from the end of the record",
    )


def _positions(cube: Path, names: np.ndarray) -> np.ndarray:
    """Return where locations are in a cube."""
    with xr.open_dataset(cube, engine="netcdf4") as ds:
        return ds.indexes["location"].get_indexer(names)


def _draws(
    posterior: xr.Dataset, entry: Mapping, of_site: bool, rng: np.random.Generator
) -> xr.DataArray:
    """Return members: of a site some at random, of a map the first, the same in all tiles."""
    draws = posterior["parameters"]
    if of_site:
        return some_members(draws, entry["members"], rng)
    return draws.isel(member=slice(entry["map_members"]))


def _case_of(entry: Mapping, climate: str, use: str) -> str | None:
    """Return the case that a climate and a land use make, if there is one."""
    made = ((case["climate"], case["land_use"], name) for name, case in entry["cases"].items())
    return next((name for one, other, name in made if (one, other) == (climate, use)), None)


def _ground(land: xr.Dataset, cells: np.ndarray) -> Ground:
    """Return what levers need to know of some cells."""
    own = land.isel(location=cells)
    areas = np.full(len(cells), np.nan)
    if "cell_area" in own:
        areas = (own["cell_area"] * own.get("land_fraction", 1.0)).to_numpy().astype(float)
    return Ground(
        own["location"].to_numpy().astype(str).tolist(),
        own["country"].to_numpy().astype(str).tolist(),
        areas,
    )


def _supplied(said: Mapping, place: str, name: str) -> tuple[object, xr.Dataset | None]:
    """Return where a land use comes from, and what is supplied for it."""
    if "supplied" not in said:
        return f"configuration, scenarios.land_uses.{name}", None
    file = Path(said["supplied"].replace("{place}", place))
    return file, load(file)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        statement = snakemake.input.get("statement")  # noqa: F821
        project_scenario(
            snakemake.wildcards.place,  # noqa: F821
            snakemake.wildcards.part,  # noqa: F821
            snakemake.params.scenarios,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Files(
                Path(snakemake.input.record),  # noqa: F821
                Path(snakemake.input.land),  # noqa: F821
                Path(snakemake.input.posterior),  # noqa: F821
                {
                    name: Path(file)
                    for name, file in zip(
                        snakemake.params.scenarios["climates"],  # noqa: F821
                        snakemake.input.climates,  # noqa: F821
                        strict=True,
                    )
                },
                Path(statement) if statement else None,
            ),
            Path(snakemake.output.outcome),  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
