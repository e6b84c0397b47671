"""Take a site's cubes from those of another site or of grid cells, by day or by month."""

from collections.abc import Mapping
from pathlib import Path

from concerto.domain import Location
from concerto.prepare.derive import derived_site
from concerto.prepare.site import SiteFiles, write_site
from concerto.prepare.streams import MaskCount
from concerto.scripting import script_log


def derive_site(
    name: str,
    site: Mapping,
    files: SiteFiles,
    *,
    drivers: Path,
    observations: Path,
    borders: Path,
) -> None:
    """Write the cubes of a site that has no records of its own.

    Parameters
    ----------
    name, site
        The site's name and its entry in the configuration, with ``cubes``.
    files
        Files to write.
    drivers, observations
        Daily cubes that have a location near the site.
    borders
        Country borders.
    """
    origin, step = site["cubes"]["of"], site["cubes"]["step"]
    count = MaskCount()
    made = derived_site(Location.from_site(name, site), step, drivers, observations, count)
    write_site(
        name,
        site,
        *made,
        files,
        count,
        step=step,
        borders=borders,
        source=f"cubes of {origin}",
        history=f"derive_site: the location of {origin} nearest to the site, by {step}",
    )


if "snakemake" in globals():
    with script_log(snakemake.log[0]):  # noqa: F821
        derive_site(
            snakemake.wildcards.site,  # noqa: F821
            snakemake.params.site,  # noqa: F821
            SiteFiles(**{key: Path(file) for key, file in snakemake.output.items()}),  # noqa: F821
            drivers=Path(snakemake.input.drivers),  # noqa: F821
            observations=Path(snakemake.input.observations),  # noqa: F821
            borders=Path(snakemake.input.borders) / snakemake.params.borders,  # noqa: F821
        )
