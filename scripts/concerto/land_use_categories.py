"""The six categories of land of the IPCC, what belongs to them, and what inventories call them.

Categories are those of the 2006 IPCC Guidelines for National Greenhouse Gas Inventories, volume 4,
chapter 3, section 3.2, which the 2019 Refinement kept; codes are those of its table 1.1 (3B1 ...)
and of the common reporting tables under the Convention (4.A ...).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from concerto.domain import IGBP

FOREST, CROPLAND, GRASSLAND, WETLANDS, SETTLEMENTS, OTHER = CATEGORIES = (
    "forest land",
    "cropland",
    "grassland",
    "wetlands",
    "settlements",
    "other land",
)
TOTAL = "total"
"""All land of a region."""
PRODUCTS = "harvested wood products"
UNKNOWN = "not classified"
"""Category of land whose cover is not known."""
REMAINING, CONVERTED = "remaining", "converted"
CONVERSION_YEARS = 20
"""For how long land counts as converted (IPCC 2006, volume 4, chapter 3, section 3.2)."""

OF_IGBP: Mapping[str, str] = {
    "ENF": FOREST,
    "EBF": FOREST,
    "DNF": FOREST,
    "DBF": FOREST,
    "MF": FOREST,
    "WSA": FOREST,
    "CSH": GRASSLAND,
    "OSH": GRASSLAND,
    "SAV": GRASSLAND,
    "GRA": GRASSLAND,
    "WET": WETLANDS,
    "WAT": WETLANDS,
    "CRO": CROPLAND,
    "CVM": CROPLAND,
    "URB": SETTLEMENTS,
    "SNO": OTHER,
    "BSV": OTHER,
}
"""Category of each IGBP class.

Woody savanna has 30 to 60 % of trees, more than the 10 to 30 % from which on countries call land a
forest; savanna and shrubland are below such a threshold or may be, and are grassland, which holds
woody vegetation that is no forest (section 3.2).
"""
assert OF_IGBP.keys() == IGBP.keys()

_LETTERS = dict(zip(CATEGORIES, "abcdef", strict=True))


def category_name(category: str, history: str | None = None) -> str:
    """Return the name of a category, or of its land that remained or was converted."""
    if history is None:
        return category
    if history == REMAINING:
        return f"{category} remaining {category}"
    return f"land converted to {category}"


def _names() -> dict[str, tuple[str, str | None]]:
    """Return what each name and code of a category means: a category and its land's history."""
    known: dict[str, tuple[str, str | None]] = {
        TOTAL: (TOTAL, None), "lulucf": (TOTAL, None), "4": (TOTAL, None),
        PRODUCTS: (PRODUCTS, None), "4g": (PRODUCTS, None), "3d1": (PRODUCTS, None),
    }  # fmt: skip
    for number, category in enumerate(CATEGORIES, 1):
        letter = _LETTERS[category]
        for history, part, small in ((None, "", ""), (REMAINING, "1", "a"), (CONVERTED, "2", "b")):
            for name in (
                category_name(category, history),
                f"4{letter}{part}",
                f"3b{number}{small}",
            ):
                known[name] = category, history
    return known


KNOWN = _names()


def read_category(text: str) -> tuple[str, str | None] | None:
    """Return the category that a name or a code means and its land's history, or nothing.

    ``4.A.1``, ``3B1a`` and ``Forest land remaining forest land`` are the same.
    """
    plain = re.sub(r"\s+", " ", text.strip().lower())
    code = re.sub(r"[ .]", "", plain)
    return KNOWN.get(plain) or (KNOWN.get(code) if code[:1].isdigit() else None)
