"""A static STAC catalogue of a map's products: plain files, to be read in place or put on a server.

All links between files are relative, so that the folder of a map may be moved as a whole. Nothing
depends on when the catalogue was written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import rasterio
import xarray as xr
from pystac.extensions.projection import SCHEMA_URI as PROJECTION
from pystac.extensions.version import SCHEMA_URI as VERSION

from concerto.errors import InputError
from concerto.prepare.grids import GEOGRAPHIC
from concerto.products.lineage import Origin, Release
from concerto.whole import whole_directory

NETCDF = "application/netcdf"
ZARR = "application/vnd.zarr; version=3"
CSV = "text/csv"
SECOND = timedelta(seconds=1)
"""Ends belong to what they end: a month ends a second before the next."""
_CONSOLIDATED = "Zarr with consolidated metadata"
_STATISTICS = {
    "minimum": "STATISTICS_MINIMUM",
    "maximum": "STATISTICS_MAXIMUM",
    "mean": "STATISTICS_MEAN",
    "stddev": "STATISTICS_STDDEV",
    "valid_percent": "STATISTICS_VALID_PERCENT",
}


@dataclass(frozen=True)
class Products:
    """The files of a map: months and years twice each, layers, sums over regions twice."""

    monthly: Path
    monthly_store: Path
    annual: Path
    annual_store: Path
    layers: Path
    regions: Path
    table: Path


def write_catalogue(
    name: str, products: Products, folder: Path, origins: Sequence[Origin], release: Release
) -> None:
    """Write the catalogue of a map, whole or not at all.

    ``catalog.json`` has one collection, with the map by month and by year, the sums over regions
    and the status of cells as assets, and an item for each year, with that year's layers. Layers
    have the fields of the projection extension and what STAC 1.1 itself says of rasters; the
    extension for rasters, whose fields those once were, would add nothing.

    Parameters
    ----------
    name
        The map's name in the configuration.
    products
        Files that are there already, in or below the folder that ``folder`` is in.
    folder
        The folder to write.
    origins
        Sources that went into the map.
    release
        This software.

    Raises
    ------
    InputError
        If one of the files is not there.
    """
    for key, path in vars(products).items():
        if not path.exists():
            raise InputError(path, key, "nothing", "a product of the map")
    with xr.open_dataset(products.monthly, engine="netcdf4") as file:
        ds = file[["lat_bnds", "lon_bnds", "time_bnds"]].load()
    bounds = [float(ds[f"{axis}_bnds"][k, k]) for k in (0, -1) for axis in ("lon", "lat")]
    box, footprint = footprint_of(*bounds)
    collection = _collection(name, ds, box, origins, release)
    files = _collection_assets(products)
    items: dict[str, pystac.Item] = {}
    for path in sorted(products.layers.glob("*.tif")):
        asset, period = _layer_asset(path)
        key, _, year = path.stem.rpartition("_")
        if not year.isdigit():
            files[path.stem] = asset
            continue
        if year not in items:
            items[year] = _item(f"{name}-{year}", period, box, footprint)
        items[year].add_asset(key, asset)
    collection.assets = files
    collection.add_items(items.values())
    catalog = pystac.Catalog(
        "concerto", f"Products of the map {name}, written by {release.title}.", "concerto"
    )
    catalog.add_child(collection)
    with whole_directory(folder) as part:
        # Without the slash the folder is taken for a file, for there is a dot in its name.
        catalog.normalize_hrefs(f"{os.path.abspath(part)}/")
        for owner in (collection, *collection.get_items()):
            for asset in owner.assets.values():
                asset.href = os.path.relpath(asset.href, Path(owner.self_href).parent)
        catalog.save(pystac.CatalogType.SELF_CONTAINED)


def footprint_of(
    west: float, south: float, east: float, north: float
) -> tuple[list[float], dict[str, Any]]:
    """Return the box of sides in degrees, of which east may be beyond 180, and its outline.

    Longitudes come out from -180 to 180, as GeoJSON has them (RFC 7946): west of a box across the
    antimeridian is greater than its east (section 5.2), and its outline is cut there (3.1.9).
    """
    turns = 360.0 * np.floor((west + 180.0) / 360.0)
    west, east = float(west - turns), float(east - turns)
    if east >= west + 360.0:
        west, east = -180.0, 180.0
    if east <= 180.0:
        return [west, south, east, north], _outline([(west, east)], south, north)
    parts = [(west, 180.0), (-180.0, east - 360.0)]
    return [west, south, east - 360.0, north], _outline(parts, south, north)


def _outline(parts: Iterable[tuple[float, float]], south: float, north: float) -> dict[str, Any]:
    rings = [
        [[[west, south], [east, south], [east, north], [west, north], [west, south]]]
        for west, east in parts
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def _collection(
    name: str, ds: xr.Dataset, box: list[float], origins: Sequence[Origin], release: Release
) -> pystac.Collection:
    times = ds["time_bnds"].to_numpy()
    said = ds.attrs
    collection = pystac.Collection(
        name,
        title=said["title"],
        description=f"{said['source']}. {said['comment']}",
        extent=pystac.Extent(
            pystac.SpatialExtent([box]),
            pystac.TemporalExtent([[_moment(times[0, 0]), _moment(times[-1, 1]) - SECOND]]),
        ),
        # Sources have licences of their own, which no identifier stands for as a whole.
        license="other",
        keywords=["carbon cycle", "data assimilation", "GPP", "NEE", "biomass", "uncertainty"],
        providers=[
            pystac.Provider(
                f"concerto {release.version}",
                description=release.title,
                roles=[pystac.ProviderRole.PROCESSOR, pystac.ProviderRole.PRODUCER],
            )
        ],
        stac_extensions=[VERSION, PROJECTION],
        extra_fields={
            "version": release.version,
            "concerto:configuration_sha256": said["configuration_sha256"],
            "concerto:software": said["software"],
            "concerto:run_id": said["run_id"],
        },
    )
    for origin in origins:
        collection.add_link(
            pystac.Link(
                pystac.RelType.DERIVED_FROM,
                origin.homepage,
                pystac.MediaType.HTML,
                f"{origin.title}: {origin.citation}",
            )
        )
        collection.add_link(
            pystac.Link(
                pystac.RelType.LICENSE,
                origin.homepage,
                pystac.MediaType.HTML,
                f"{origin.name}: {origin.licence}",
            )
        )
    return collection


def _collection_assets(products: Products) -> dict[str, pystac.Asset]:
    described = {
        "netcdf": (products.monthly, NETCDF, "All variables by month, CF NetCDF"),
        "zarr": (products.monthly_store, ZARR, f"All variables by month, {_CONSOLIDATED}"),
        "annual_netcdf": (products.annual, NETCDF, "All variables by year, CF NetCDF"),
        "annual_zarr": (products.annual_store, ZARR, f"All variables by year, {_CONSOLIDATED}"),
        "regions": (products.regions, NETCDF, "Sums over regions, each member of the ensemble"),
        "regions_table": (products.table, CSV, "Sums over regions and years with uncertainty"),
    }
    return {
        key: pystac.Asset(os.path.abspath(path), title, media_type=kind, roles=["data"])
        for key, (path, kind, title) in described.items()
    }


def _layer_asset(path: Path) -> tuple[pystac.Asset, str]:
    """Return the asset of a layer, and the period that it is of."""
    with rasterio.open(path) as file:
        found = file.tags(1)
        fields = {
            "data_type": file.dtypes[0],
            "nodata": "nan" if np.isnan(file.nodata) else int(file.nodata),
            "proj:code": GEOGRAPHIC,
            "proj:shape": list(file.shape),
            "proj:transform": list(file.transform)[:6],
            "proj:bbox": list(file.bounds),
        }
        if file.units[0]:
            fields["unit"] = file.units[0]
        statistics = {word: float(found[key]) for word, key in _STATISTICS.items() if key in found}
        if statistics:
            fields["statistics"] = statistics
        asset = pystac.Asset(
            os.path.abspath(path),
            file.descriptions[0],
            media_type=pystac.MediaType.COG,
            roles=["data"],
            extra_fields=fields,
        )
        return asset, file.tags()["period"]


def _item(name: str, period: str, box: list[float], outline: dict[str, Any]) -> pystac.Item:
    first, last = period.split("/")
    return pystac.Item(
        name,
        geometry=outline,
        bbox=box,
        datetime=None,
        start_datetime=_moment(first),
        end_datetime=_moment(last) + timedelta(days=1) - SECOND,
        properties={"title": f"Layers of {first} to {last}"},
        stac_extensions=[PROJECTION],
    )


def _moment(time: str | np.datetime64) -> datetime:
    """Return a time, UTC, to the second."""
    return datetime.fromisoformat(str(np.datetime64(time, "s"))).replace(tzinfo=UTC)
