"""State how wrong model and observations of one site are, and how their errors hang together."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.location import open_location
from concerto.assimilation.location import state_errors as estimate
from concerto.products.files import write_text
from concerto.scripting import script_log
from concerto.seeds import generator

log = logging.getLogger(__name__)


def state_errors(
    name: str,
    site: Mapping,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    output: Path,
    *,
    constraints: Sequence[str],
    budget: Mapping,
    settings: Mapping,
    seed: int,
) -> None:
    """Write the stated errors of all streams of a site (JSON).

    Parameters
    ----------
    name, site
        Name and configuration of the site.
    model, drivers, observations
        File of the model's parameters; the site's cubes.
    output
        Where to write.
    constraints, budget
        Constraints switched on; budget of the ensemble smoother that calibrates the model.
    settings
        Law of the errors, and whether their size is to be inferred.
    """
    location = open_location(model, drivers, observations, site)
    rng = generator(seed, "errors", name)
    statement = estimate(location, constraints, budget, rng, settings)
    for stream, error in statement.stream_errors.items():
        log.info("%s, %s: %s", name, stream, error)
    write_text(json.dumps(statement.to_dict(), indent=2) + "\n", output)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        state_errors(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.output.statement),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            budget=snakemake.params.budget,  # noqa: F821
            settings=snakemake.params.settings,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
