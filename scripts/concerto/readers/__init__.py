"""Readers: one module a format, found by its file name.

A reader of site records has one function::

    read(path: Path, site: Mapping, spec: Mapping) -> xarray.Dataset

``site`` is the site's entry of the configuration, ``spec`` the record's entry joined with what the
source's own file says about it under ``tables``. The dataset has the dimension ``time``, whose
stamps are the starts of their intervals in local standard time, and variables under their canonical
names and units (:mod:`concerto.domain`), each with the attribute ``source`` (file and column).
A flux ``S`` comes with

- ``S_measured`` and ``S_good`` (int8 flags): measured; measured or well gap-filled. A daily record
  has ``S_good_fraction`` instead;
- ``S_random``: standard deviation of the random error, where the record gives it;
- ``S_ustar_low`` and ``S_ustar_high``: bounds, at one standard deviation, of what the flux could be
  under other friction-velocity thresholds, where the record gives them.

A state ``S`` (LAI, fAPAR) comes with ``S_random``; its attribute ``keep_every_days`` or
``keep_day_of_month`` says which days of an interpolated record are observations.

The dataset's attribute ``step_minutes`` is the record's step, or 0 for a slowly varying series that
may be interpolated to any time axis. A record of calendar months has the attribute ``step``, which
is ``month``, instead; its fluxes come with ``S_random`` alone.

A reader of fields (``geotiff``, ``netcdf``) has two functions::

    ordered(files: Sequence[Path]) -> list[Path]
    read(path: Path, source: Mapping, assets: Mapping[str, Mapping],
         tally: MutableMapping[str, Counts], limit: int) -> Iterator[Slab]

``ordered`` puts files on one grid after each other. ``source`` is what the source's own file says;
its ``variables`` are those to read, where a file has them. ``assets`` has what the provenance says
of each file by its name: ``start``, ``end`` (ISO 8601, end exclusive), ``bands`` and ``sha256``,
which is checked. A slab (:class:`concerto.prepare.grids.Slab`) is some rows of one interval of
time, decoded as :mod:`concerto.prepare.decode` does it; the slabs of an interval follow each other
from the first row to the last. A block takes about ``limit`` bytes, or one row. ``tally`` gets, by
variable, the counts of what was kept and masked (:class:`concerto.prepare.decode.Counts`), complete
when the last slab is out.

In both, a fault raises :class:`concerto.errors.InputError`.
"""
