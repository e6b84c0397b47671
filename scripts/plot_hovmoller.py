"""Draw a map of one column over latitude and months, and along latitude."""

from pathlib import Path

from concerto.plots import cells, hovmoller, style
from concerto.scripting import script_log


def plot_hovmoller(name: str, monthly: Path, annual: Path, seasons: Path, profile: Path) -> None:
    """Write two figures and the words beside them.

    Parameters
    ----------
    name
        The map in words.
    monthly, annual
        The map of months and that of years on their grid, of one column.
    seasons, profile
        Where to write the PNGs.
    """
    style.save(hovmoller.draw(name, cells.read_map(monthly, hovmoller.SEASONS)), seasons)
    style.save(hovmoller.draw_profile(name, cells.read_map(annual, hovmoller.PROFILES)), profile)


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        plot_hovmoller(
            snakemake.params.name,  # noqa: F821
            Path(snakemake.input.map),  # noqa: F821
            Path(snakemake.input.annual),  # noqa: F821
            Path(snakemake.output.seasons),  # noqa: F821
            Path(snakemake.output.profile),  # noqa: F821
        )
