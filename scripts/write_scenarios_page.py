"""Write the page of scenarios."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from concerto.cubes import load
from concerto.products.files import write_text
from concerto.products.report import read_picture
from concerto.products.scenarios_page import Place, render_scenarios
from concerto.scripting import script_log


def write_scenarios_page(
    config: Mapping[str, Any],
    names: Sequence[str],
    tables: Sequence[Path],
    regions: Sequence[Path],
    figures: Sequence[Path],
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    config
        The run's configuration.
    names
        Of the places.
    tables, regions
        Of each place.
    figures
        Pictures, as many of each place, in the order of the page.
    output
        Where to write the page.
    """
    each = len(figures) // len(names)
    places = []
    for k, (key, table, region) in enumerate(zip(names, tables, regions, strict=True)):
        entry = config.get("sites", {}).get(key) or config["maps"][key]
        pictures = [read_picture(figure) for figure in figures[k * each : (k + 1) * each]]
        notes = load(region).attrs
        frame = pd.read_csv(table, keep_default_na=False, na_values=[""])
        places.append(Place(key, entry["name"], frame, notes, pictures))
    write_text(render_scenarios(config, places), output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        write_scenarios_page(
            snakemake.params.config,  # noqa: F821
            snakemake.params.places,  # noqa: F821
            [Path(file) for file in snakemake.input.tables],  # noqa: F821
            [Path(file) for file in snakemake.input.regions],  # noqa: F821
            [Path(file) for file in snakemake.input.figures],  # noqa: F821
            Path(snakemake.output.page),  # noqa: F821
        )
