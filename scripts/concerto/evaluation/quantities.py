"""Names and units for people: one place for tables, figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass

from concerto import domain


@dataclass(frozen=True)
class Quantity:
    """A flux, pool or canopy property as people call it.

    Parameters
    ----------
    label
        Short name for axes and tables.
    unit
        Unit with carbon named (``gC m-2 d-1``), which CF does not allow.
    cf
        Its CF unit, long name and standard name.
    """

    label: str
    unit: str
    cf: domain.Quantity

    @property
    def axis(self) -> str:
        """Label and unit for an axis."""
        return f"{self.label} ({plain_unit(self.unit)})"


def plain_unit(unit: str) -> str:
    """Return a unit with typographic exponents, such as ``gC m⁻² d⁻¹``."""
    for plain, raised in (("-1", "⁻¹"), ("-2", "⁻²"), ("-3", "⁻³"), ("m2", "m²"), ("m3", "m³")):
        unit = unit.replace(plain, raised)
    return unit


def _stream(name: str, shown: str, unit: str) -> Quantity:
    return Quantity(shown, unit, domain.STREAMS[name])


def _pool(shown: str, long_name: str, standard_name: str | None = None) -> Quantity:
    # A state at the end of the day is no mean over it.
    return Quantity(shown, "gC m-2", domain.Quantity("g m-2", long_name, standard_name, ""))


FLUXES = {
    "gpp": _stream("gpp", "GPP", "gC m-2 d-1"),
    "nee": _stream("nee", "NEE", "gC m-2 d-1"),
    "reco": _stream("reco", "RECO", "gC m-2 d-1"),
}
OTHER_STREAMS = {
    "lai": _stream("lai", "LAI", "m2 m-2"),
    "fapar": _stream("fapar", "fAPAR", "fraction"),
    "le": _stream("le", "LE", "W m-2"),
    "et": _stream("et", "ET", "mm d-1"),
    "nbe": _stream("nbe", "NBE", "gC m-2 d-1"),
    "fire_emission": _stream("fire_emission", "Fire emission", "gC m-2 d-1"),
    "sif": _stream("sif", "SIF", "mW m-2 nm-1 sr-1"),
    "vod": _stream("vod", "VOD", "optical depth"),
    "biomass": _stream("biomass", "Biomass", "kgC m-2"),
    "total_biomass": _stream("total_biomass", "Total biomass", "kgC m-2"),
    "surface_soil_moisture": _stream("surface_soil_moisture", "Surface soil moisture", "m3 m-3"),
    "root_zone_soil_moisture": _stream("root_zone_soil_moisture", "Root-zone moisture", "m3 m-3"),
    "lst": _stream("lst", "LST", "°C"),
    "tws": _stream("tws", "Water storage anomaly", "mm"),
}
# Observables that operators brought with them.
OTHER_STREAMS |= {
    name: _stream(name, name.replace("_", " ").upper(), known.units)
    for name, known in domain.STREAMS.items()
    if name not in FLUXES | OTHER_STREAMS
}
POOLS = {
    "c_labile": _pool("Labile C", "carbon in the labile pool"),
    "c_leaf": _pool("Leaf C", "carbon in leaves", "leaf_mass_content_of_carbon"),
    "c_root": _pool("Root C", "carbon in fine roots", "root_mass_content_of_carbon"),
    "c_wood": _pool("Wood C", "carbon in wood and coarse roots"),
    "c_litter": _pool("Litter C", "carbon in litter", "litter_mass_content_of_carbon"),
    "c_soil": _pool("Soil C", "carbon in soil organic matter", "soil_mass_content_of_carbon"),
}
QUANTITIES = FLUXES | OTHER_STREAMS | POOLS

PREDICTORS = {
    "hmc": "HMC",
    "demcz": "DE-MCz",
    "esmda": "ES-MDA",
    "rml": "RML",
    "fourdvar": "4D-Var",
    "fourdenvar": "4DEnVar",
    "letkf": "LETKF",
    "particle_filter": "particle filter",
    "pathfinder": "Pathfinder",
    "forecast": "forecast",
    "climatology": "day-of-year climatology",
    "regression": "regression on weather",
    "map_season": "mean season of other cells",
    "persistence": "persistence of the last week",
}
BASELINES = ("climatology", "regression")
FORECAST = "forecast"
PERSISTENCE = "persistence"
# Steps of a forecast's scores: weeks, counted from one, and all of them.
WEEK, ALL_WEEKS = "week ", "all weeks"
WEEK_DAYS = 7
TARGETS = {
    "annual_nee": "annual NEE",
    "annual_gpp": "annual GPP",
    "mean_lai": "mean LAI",
    "live_biomass": "live biomass",
    "residence_time": "residence time",
}


def label(variable: str) -> str:
    """Return the short name of a variable; a variable not listed here keeps its own name."""
    if variable in QUANTITIES:
        return QUANTITIES[variable].label
    return TARGETS.get(variable, variable)


def predictor_label(predictor: str) -> str:
    """Return a predictor's name for people; a method not listed here keeps its own name."""
    return PREDICTORS.get(predictor, predictor)
