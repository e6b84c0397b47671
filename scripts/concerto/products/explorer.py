"""The page in which one looks at any number of a run: a map, and series with their bands."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from concerto.cubes import meanings_of
from concerto.evaluation.quantities import label, plain_unit
from concerto.products.report import templates

TEMPLATE = "explorer.html.j2"
"""It has explorer.js.j2 in it, which does what happens in the page."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
STATISTICS = {
    "mean": "Mean",
    "sd": "Standard deviation",
    **{f"q{round(100 * q):02d}": f"{round(100 * q)} % quantile" for q in QUANTILES},
}
"""The order of the last dimension of all values, and what they are called."""
DIVERGING = ("nee", "nbe")
LONGEST_BYTES = 6_000_000
"""Of one map's values; of a larger map months, and then all but fluxes, stay in its files."""
KEPT = ("gpp", "nee", "reco")
_TERA = 1e-12
_STOCK = "at the end"


def cells_of(
    title: str, months: xr.Dataset, years: xr.Dataset, longest: int = LONGEST_BYTES
) -> dict[str, Any]:
    """Return the cells of a map that have values, for the page.

    Parameters
    ----------
    title
        The map in words.
    months, years
        The map's products by month and by year.
    longest
        Bytes of values that may go into the page.

    Returns
    -------
    dict
        Values are float32 (time, place, statistic) in base64; ``left_out`` says what was too much.
    """
    status = months["status"].to_numpy()
    words = np.full(status.shape, "", dtype=object)
    for code, name in meanings_of(months["status"]).items():
        words[status == code] = name
    names = [str(name).removesuffix("_mean") for name in months if str(name).endswith("_mean")]
    rows, columns = np.nonzero(np.isfinite(months[f"{names[0]}_mean"]).any("time").to_numpy())
    steps = {"month": months, "year": years}
    left_out = ""
    if _bytes(months, len(rows), names) + _bytes(years, len(rows), names) > longest:
        del steps["month"]
        left_out = "Months are in the map's files alone: there are too many cells for a page."
        if _bytes(years, len(rows), names) > longest:
            names = [name for name in names if name in KEPT]
            left_out = "Months and pools are in the map's files alone: there are too many cells."
    lat, lon = (months[name].to_numpy() for name in ("lat", "lon"))
    country = _countries(months)
    return {
        "kind": "cell",
        "title": title,
        "size": float(abs(lat[1] - lat[0])) if len(lat) > 1 else 0.5,
        "narrow": bool(len(lon) == 1),
        "places": [
            {
                "name": f"{_degrees(lat[r], 'N', 'S')}, {_degrees(lon[c], 'E', 'W')}"
                + (f", {country[r, c]}" if country[r, c] else ""),
                "lat": float(lat[r]),
                "lon": float(lon[c]),
                "note": str(words[r, c]).replace("_", " "),
            }
            for r, c in zip(rows, columns, strict=True)
        ],
        "steps": {
            step: {
                "times": _times(ds, step),
                "units": {name: _unit(name, ds[f"{name}_mean"]) for name in names},
                "values": {
                    name: _packed(
                        [ds[f"{name}_{what}"].to_numpy()[:, rows, columns] for what in STATISTICS]
                    )
                    for name in names
                },
            }
            for step, ds in steps.items()
        },
        "left_out": left_out,
    }


def tower_of(name: str, title: str, product: xr.Dataset) -> dict[str, Any]:
    """Return the days of a tower's published fluxes and pools, for the page.

    Parameters
    ----------
    name, title
        The tower, and what people call it.
    product
        Its product: means, standard deviations and quantiles of each day.
    """
    place = product.isel(location=0)
    names = [str(v).removesuffix("_quantile") for v in place if str(v).endswith("_quantile")]
    chosen = [place[f"{v}_quantile"].sel(quantile=list(QUANTILES)).to_numpy() for v in names]
    return {
        "kind": "tower",
        "title": "Towers",
        "places": [
            {
                "name": f"{name}, {title}" if title else name,
                "lat": float(place["lat"]),
                "lon": float(place["lon"]),
                "note": "converged" if product.attrs["converged"] == "yes" else "not converged",
            }
        ],
        "steps": {
            "day": {
                "times": _times(place, "day"),
                "units": {v: _unit(v, place[v]) for v in names},
                "values": {
                    v: _packed(
                        [
                            part[:, None]
                            for part in (place[v].to_numpy(), place[f"{v}_sd"].to_numpy(), *ranks)
                        ]
                    )
                    for v, ranks in zip(names, chosen, strict=True)
                },
            }
        },
        "left_out": "",
    }


def countries_of(title: str, sums: xr.Dataset, borders: geopandas.GeoDataFrame) -> dict[str, Any]:
    """Return the sums over countries of a map, for the page: TgC by month and by year.

    Parameters
    ----------
    title
        The map in words.
    sums
        Each member's sums by month, a product of the map. A year's flux is summed within members.
    borders
        Polygons of the countries with their ``name``.
    """
    there = sums.isel(region=np.flatnonzero(np.isin(sums["kind"].to_numpy(), ("all", "country"))))
    named = there["region_name"].to_numpy().astype(str)
    there = there.isel(region=np.flatnonzero(~np.isin(named, ("", "none"))))
    named = ["All cells" if n == "all" else n for n in there["region_name"].to_numpy().astype(str)]
    names = [str(name) for name in there.data_vars]
    outlines = _outlines(borders)
    stock = {v: _STOCK in there[v].attrs.get("comment", "") for v in names}
    monthly = {v: there[v].transpose("member", "time", "region") * _TERA for v in names}
    yearly = {
        v: (by.last() if stock[v] else by.sum()).transpose("member", "year", "region")
        for v, by in ((v, part.groupby("time.year")) for v, part in monthly.items())
    }
    units = {v: "TgC" if stock[v] else "TgC {}-1" for v in names}
    years = np.unique(there["time"].dt.year.to_numpy())
    return {
        "kind": "country",
        "title": f"Countries, sums over the cells of: {title}",
        "places": [
            {"name": name, "lat": None, "lon": None, "note": "", "outline": outlines.get(name, [])}
            for name in named
        ],
        "steps": {
            "month": {
                "times": _times(there, "month"),
                "units": {v: plain_unit(unit.format("month")) for v, unit in units.items()},
                "values": {v: _summary(part.to_numpy()) for v, part in monthly.items()},
            },
            "year": {
                "times": [str(year) for year in years],
                "units": {v: plain_unit(unit.format("yr")) for v, unit in units.items()},
                "values": {v: _summary(part.to_numpy()) for v, part in yearly.items()},
            },
        },
        "left_out": "",
    }


def background(
    borders: geopandas.GeoDataFrame, groups: Iterable[Mapping[str, Any]]
) -> tuple[list[float], list[list[list[float]]]]:
    """Return the view of the map (west, south, east, north) and the outlines of land in it."""
    places = [p for group in groups for p in group["places"] if p["lat"] is not None]
    lon, lat = ([p[axis] for p in places] for axis in ("lon", "lat"))
    west, east, south, north = min(lon) - 3, max(lon) + 3, min(lat) - 3, max(lat) + 3
    wanted = max(0.55 * (north - south), 20.0)
    if east - west < wanted:
        middle = (east + west) / 2
        west, east = middle - wanted / 2, middle + wanted / 2
    view = [round(float(edge), 2) for edge in (west, south, east, north)]
    cut = borders.geometry.clip_by_rect(*view)
    return view, [ring for shape in cut for ring in _rings(shape)]


def render_explorer(
    run: str, run_id: str, groups: Sequence[Mapping[str, Any]], borders: geopandas.GeoDataFrame
) -> str:
    """Return the page's HTML, with all its data and plotly.js in it.

    Parameters
    ----------
    run, run_id
        Of the run.
    groups
        Places of one kind each, of :func:`cells_of`, :func:`tower_of`, :func:`countries_of`.
    borders
        Polygons of the countries.
    """
    view, land = background(borders, groups)
    names = dict.fromkeys(
        name for group in groups for step in group["steps"].values() for name in step["values"]
    )
    data = {
        "statistics": STATISTICS,
        "variables": {
            name: {"label": label(name), "diverging": name in DIVERGING} for name in names
        },
        "groups": groups,
        "view": view,
        "land": land,
        "run": run,
        "run_id": run_id,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    library = resources.files("plotly") / "package_data" / "plotly.min.js"
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title=f"Explore run {run}",
            run=run,
            notes=[group["left_out"] for group in groups if group["left_out"]],
            # What would end a script's element early must not stand in it.
            data=text.replace("</", "<\\/"),
            plotly=library.read_text(encoding="utf-8").replace("</script", "<\\/script"),
        )
    )


def _bytes(ds: xr.Dataset, cells: int, names: Sequence[str]) -> int:
    return ds.sizes["time"] * cells * len(names) * len(STATISTICS) * 4 * 4 // 3


def _packed(statistics: Sequence[np.ndarray]) -> str:
    """Return arrays (time, place) as one (time, place, statistic) of float32 in base64."""
    stacked = np.stack(statistics, axis=-1).astype("<f4")
    return base64.b64encode(np.ascontiguousarray(stacked).tobytes()).decode("ascii")


def _summary(members: np.ndarray) -> str:
    """Return statistics over the members of an array (member, time, place), packed."""
    ranks = np.quantile(members, QUANTILES, axis=0)
    return _packed([members.mean(axis=0), members.std(axis=0, ddof=1), *ranks])


def _times(ds: xr.Dataset, step: str) -> list[str]:
    length = {"day": 10, "month": 7, "year": 4}[step]
    return [str(time)[:length] for time in ds["time"].to_numpy().astype("datetime64[D]")]


def _unit(name: str, values: xr.DataArray) -> str:
    """Return a unit as people write it: masses are of carbon, and one has none."""
    unit = values.attrs["units"]
    if unit == "1":
        return "fraction" if name == "fapar" else "m² m⁻²"
    first, _, rest = unit.partition(" ")
    return plain_unit(f"{first}C {rest}" if first in ("g", "kg") else unit)


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):g}° {positive if value >= 0 else negative}"


def _countries(ds: xr.Dataset) -> np.ndarray:
    """Return the names of the cells' countries, empty where there is none."""
    if "country" not in ds:
        return np.full(ds["status"].shape, "", dtype=object)
    attrs = ds["country"].attrs
    codes = np.atleast_1d(attrs.get("flag_values", []))
    known = dict(zip(codes.tolist(), attrs.get("flag_names", "").split("; "), strict=False))
    return np.vectorize(lambda code: known.get(code, ""), otypes=[object])(ds["country"].to_numpy())


def _outlines(borders: geopandas.GeoDataFrame) -> dict[str, list[list[list[float]]]]:
    """Return the outer rings of each country."""
    if "name" not in borders:
        return {}
    pairs = pd.Series(borders.geometry.to_numpy(), index=borders["name"])
    return {str(name): _rings(shape) for name, shape in pairs.items()}


def _rings(shape: shapely.Geometry) -> list[list[list[float]]]:
    parts = [p for p in shapely.get_parts(shape) if isinstance(p, shapely.Polygon)]
    return [
        np.round(shapely.get_coordinates(part.exterior), 2).tolist()
        for part in parts
        if not part.is_empty
    ]
