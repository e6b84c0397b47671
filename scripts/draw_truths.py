"""Draw the truths of twin experiments."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from concerto.assimilation.location import read_problem
from concerto.assimilation.twin import draw_truths as draw
from concerto.assimilation.twin import with_streams
from concerto.ensembles import parameter_dataset, write_ensemble
from concerto.scripting import script_log
from concerto.seeds import generator


def draw_truths(
    site: Mapping,
    model: Sequence[Path],
    drivers: Path,
    observations: Path,
    statement: Path,
    output: Path,
    *,
    constraints: Sequence[str],
    more: Mapping[str, Mapping],
    truths: int,
    seed: int,
) -> None:
    """Write parameters drawn from the prior and the constraints.

    Parameters
    ----------
    site
        Configuration of the site.
    model, drivers, observations, statement
        File of the model's parameters; the site's cubes; its stated errors.
    output
        NetCDF with the parameters; each truth is a member.
    constraints, more, truths
        Constraints switched on; streams beside the site's; number of truths.
    """
    location, problem = read_problem(model, drivers, observations, statement, site, constraints)
    problem = with_streams(problem, more)
    drawn = draw(problem, truths, generator(seed, "truths", *more))
    write_ensemble(
        parameter_dataset(problem.prior.parameters, drawn, location.observations),
        output,
        title=f"Truths for twin experiments at {site['name']}",
        source=location.model.name,
        history="draw_truths: from the prior and the constraints, by rejection",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        draw_truths(
            snakemake.params.site,  # noqa: F821
            [Path(file) for file in snakemake.input.model],  # noqa: F821
            Path(snakemake.input.drivers),  # noqa: F821
            Path(snakemake.input.observations),  # noqa: F821
            Path(snakemake.input.statement),  # noqa: F821
            Path(snakemake.output.truths),  # noqa: F821
            constraints=snakemake.params.constraints,  # noqa: F821
            more=snakemake.params.more,  # noqa: F821
            truths=snakemake.params.truths,  # noqa: F821
            seed=snakemake.params.seed,  # noqa: F821
        )
