"""Write the page in which any number of a run can be looked at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas
import xarray as xr
from concerto.products.explorer import cells_of, countries_of, render_explorer, tower_of
from concerto.products.files import write_text
from concerto.scripting import script_log


def write_explorer(
    config: Mapping[str, Any], run_id: str, products: Path, borders: Path, output: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    run_id
        Of the run.
    products
        Folder of the run's products, with a folder for each map and site.
    borders
        Layer of the countries' polygons.
    output
        Where to write the page.
    """
    land = geopandas.read_file(borders)
    groups = []
    for name, entry in config.get("maps", {}).items():
        folder = products / name
        months, years, sums = (
            xr.load_dataset(folder / f"{part}.nc") for part in ("map", "annual", "regions")
        )
        groups.append(cells_of(entry["name"], months, years))
        groups.append(countries_of(entry["name"], sums, land))
    for name, entry in config.get("sites", {}).items():
        product = xr.load_dataset(products / name / "fluxes.nc")
        groups.append(tower_of(name, entry.get("name", ""), product))
    write_text(render_explorer(config["run"], run_id, groups, land), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_explorer(
            snakemake.params.config,  # noqa: F821
            snakemake.params.run_id,  # noqa: F821
            Path(snakemake.output.page).parents[1] / "products",  # noqa: F821
            Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
