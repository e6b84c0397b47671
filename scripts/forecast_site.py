"""Forecast one site from the state at the end of its assimilated record."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr
from concerto.assimilation.location import ErrorStatement, Location, forcing, open_location
from concerto.assimilation.problem import Forcing
from concerto.cubes import DRIVERS_DAILY, read_cube
from concerto.ensembles import read_state, series_dataset, write_ensemble
from concerto.projection.ensemble import inflations_of, random_errors, some_members
from concerto.projection.forecast import (
    CLIMATOLOGY,
    MEASURED,
    days_ahead,
    forecast_under,
    on_days,
    same_days,
    weather_in_words,
    with_origin,
)
from concerto.projection.own_weather import read_weather
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def forecast_site(
    name: str,
    site: Mapping,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    statement: Path,
    posterior: Path,
    output: Path,
    *,
    days: int,
    members: int,
    weather: str,
    seed: int,
) -> None:
    """Write the ensemble of the days after the last assimilated one.

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    model, drivers, observations, statement, posterior
        File of the model's parameters; the site's cubes, stated errors and a posterior with the
        state at its end.
    output
        NetCDF with fluxes and pools of each member.
    days
        Length of the forecast; under measured weather it is shorter where the record is.
    members
        Draws of the posterior to use, at random, without replacement.
    weather
        ``measured``, what the drivers have for the days; ``climatology``, members in turn under
        that of the same days of each year before; or a file, by its path.
    """
    location = open_location(model, drivers, observations, site)
    errors = ErrorStatement.read(statement)
    time = location.observations.indexes["time"]
    rng = generator(seed, "forecast", name)
    draws = some_members(xr.load_dataset(posterior), members, rng)
    state = read_state(draws, location.model, site["streams"], time, posterior)
    ahead = days_ahead(name, time, state.step, days, weather)
    log.info("from %s: %d days under %s", f"{ahead[0]:%Y-%m-%d}", len(ahead), weather)
    parameters = draws["parameters"].isel(location=0)
    values = parameters.sel(parameter=location.model.parameter_names).to_numpy()
    under = _forcings(name, weather, location, drivers, ahead, site["elevation_m"])
    series = forecast_under(location.model, values, state, under, site["streams"], errors, rng)
    dataset = series_dataset(
        series,
        (),
        on_days(location.observations, ahead),
        random_errors(errors, inflations_of(parameters), series),
    )
    write_ensemble(
        with_origin(dataset, draws, weather),
        output,
        title=f"Forecast of {site['name']}",
        source=location.model.name,
        history="forecast_site: runs from the state after the last assimilated observation, "
        f"under {weather_in_words(weather)}, plus model error",
    )


def _forcings(
    name: str,
    weather: str,
    location: Location,
    drivers: Path,
    ahead: pd.DatetimeIndex,
    elevation: float,
) -> list[Forcing]:
    """Return what drives members in turn on the days ahead."""
    model, time = location.model, location.observations.indexes["time"]
    if weather == MEASURED:
        return [location.forcing.between(*time.slice_locs(ahead[0], ahead[-1]))]
    record = read_cube(drivers, DRIVERS_DAILY)
    if weather == CLIMATOLOGY:
        return [
            forcing(
                record.isel(time=steps).assign_coords(time=ahead), model, str(drivers), elevation
            )
            for steps in same_days(name, time, ahead)
        ]
    return read_weather(Path(weather), model, record, ahead, elevation)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        forecast_site(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.input.posterior),  # noqa: F821
            Path(snakemake.output.ensemble),  # noqa: F821
            days=snakemake.params.days,  # noqa: F821
            members=snakemake.params.members,  # noqa: F821
            weather=snakemake.params.weather,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
