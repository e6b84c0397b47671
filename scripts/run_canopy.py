"""Run the canopy model through the record of one tower, with parameters drawn from its prior."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.cubes import HALFHOURLY, Field, Schema, read_cube, write_cube
from concerto.models import load_model
from concerto.projection.canopy import draw_with, run, weather_of
from concerto.scripting import script_log
from concerto.seeds import generator


def run_canopy(
    name: str,
    site: Mapping,
    model: Sequence[Path],
    record: Path,
    *,
    fixed: Mapping[str, float],
    members: int,
    seed: int,
    ensemble: Path,
) -> None:
    """Write the runs of ``members`` draws of the prior.

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    model
        Files of the model's parameters.
    record
        The site's record at its own step.
    fixed
        Parameters that are known here, by name, such as the share of C4 leaves.
    ensemble
        NetCDF to write: every output of every run.
    """
    described = load_model(model)
    cube = read_cube(record, HALFHOURLY)
    weather = weather_of(cube, described, site["elevation_m"], str(record))
    parameters = draw_with(described, fixed, members, generator(seed, "canopy", name))
    runs = run(described, weather, parameters, cube)
    fields = {
        str(key): Field(variable.attrs.get("units"), tuple(map(str, variable.dims)))
        for key, variable in runs.data_vars.items()
    }
    write_cube(
        runs,
        ensemble,
        Schema("runs of the canopy model", fields),
        title=f"Canopy through the day at {site['name']}",
        source=described.name,
        history="run_canopy: runs with parameters drawn from the prior",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        run_canopy(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.record),  # noqa: F821
            fixed=snakemake.params.fixed,  # noqa: F821
            members=snakemake.params.members,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
            ensemble=Path(snakemake.output.ensemble),  # noqa: F821
        )
