"""Where the towers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas
import numpy as np

from concerto.domain import IGBP
from concerto.plots import style

MARGIN_DEGREES = 4.5
_HALO = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.9}


@style.styled
def draw(sites: Mapping[str, Mapping[str, Any]], borders: geopandas.GeoDataFrame) -> style.Drawing:
    """Draw the sites on the countries' borders.

    Parameters
    ----------
    sites
        Of each site its latitude and longitude (degrees north and east), igbp and elevation_m.
    borders
        Polygons of the countries, in longitude and latitude.
    """
    longitudes = np.array([site["longitude"] for site in sites.values()])
    latitudes = np.array([site["latitude"] for site in sites.values()])
    # A degree of longitude is drawn as long as it is at the map's middle.
    stretch = 1 / np.cos(np.radians(np.clip(latitudes.mean(), -75, 75)))
    margin = 2 * MARGIN_DEGREES * stretch
    west, east = longitudes.min() - margin, longitudes.max() + margin
    south, north = latitudes.min() - MARGIN_DEGREES, latitudes.max() + MARGIN_DEGREES
    height = float(np.clip(6.0 * stretch * (north - south) / (east - west), 3.0, 7.0)) + 0.8
    figure = style.new_figure(height, width=7.2)
    axes = figure.subplots()
    axes.set_facecolor("#EAF1F6")
    borders.plot(ax=axes, color="#F7F5F0", edgecolor="#A8A8A8", linewidth=0.6, aspect=None)
    axes.plot(
        longitudes, latitudes, "^", markersize=10, color=style.WITHHELD, markeredgecolor="white"
    )
    for name, site in sites.items():
        text = f"{name}\n{IGBP.get(site['igbp'], site['igbp'])}, {site['elevation_m']:g} m"
        right = site["longitude"] > (west + east) / 2
        axes.annotate(
            text, (site["longitude"], site["latitude"]), xytext=(-9 if right else 9, 0),
            textcoords="offset points", ha="right" if right else "left", va="center",
            fontsize=8.5, bbox=_HALO,
        )  # fmt: skip
    axes.set(xlim=(west, east), ylim=(south, north), aspect=stretch)
    axes.set_xlabel("Longitude (° E)")
    axes.set_ylabel("Latitude (° N)")
    title = "The tower" if len(sites) == 1 else f"The {len(sites)} towers"
    style.head(figure, title)
    return style.Drawing(
        figure,
        title,
        "Flux towers of this run with their land cover (IGBP class) and height above the sea. "
        "Borders: Natural Earth 1:110 million.",
        "Map with the towers " + ", ".join(sites) + ".",
    )
