"""Fit the baselines of one site on the same training days as the model."""

import logging
from pathlib import Path

import xarray as xr
from concerto.cubes import (
    DAY,
    DRIVERS_DAILY,
    OBSERVATIONS_DAILY,
    Field,
    Schema,
    read_cube,
    write_cube,
)
from concerto.evaluation import baselines
from concerto.scripting import script_log

log = logging.getLogger(__name__)


def fit_baselines(
    drivers: Path, observations: Path, projection: Path, output: Path, *, members: int, seed: int
) -> None:
    """Write the predictive ensembles of both baselines.

    Parameters
    ----------
    drivers, observations, projection
        The site's cubes, and an ensemble, which carries the training flags and says what is
        predicted.
    output
        NetCDF with ``S_climatology`` and ``S_regression`` (member, location, time).
    members, seed
        Size and seed of the ensembles.
    """
    record = read_cube(observations, OBSERVATIONS_DAILY)
    dataset = baselines.fit_baselines(
        read_cube(drivers, DRIVERS_DAILY), record, xr.load_dataset(projection), members, seed
    )
    fields = {
        str(name): Field(variable.attrs["units"], ("member", "location", "time"), complete=True)
        for name, variable in dataset.data_vars.items()
    }
    write_cube(
        dataset.assign(time_bnds=record["time_bnds"]),
        output,
        Schema("baselines", fields, (DAY,)),
        title="Baselines that the model should beat",
        source="day-of-year climatology and linear regression on weather",
        history="fit_baselines: fitted on the training days of the observations",
        comment="Ensembles of measured values: they contain the error of measurement.",
    )
    log.info("%s: %s", output, ", ".join(fields))


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        fit_baselines(
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.projection),  # noqa: F821
            Path(snakemake.output.ensembles),  # noqa: F821
            members=snakemake.params.members,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
