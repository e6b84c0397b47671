"""Locations and the quantities known at them: canonical names, units, signs.

A location is a tower, a pixel or a grid cell. Every file of the workflow names a quantity as here
and gives it in the unit stated here, so that no later step converts anything.

Carbon fluxes are masses of carbon; NEE is positive to the atmosphere, GPP and RECO are positive.
The unit string is ``g m-2 d-1`` because ``gC`` is no unit of the CF conventions: that the mass is
carbon is said by the long name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from concerto.errors import InputError
from concerto.plugins import declaring, stated

CARBON_FLUX = "g m-2 d-1"


@dataclass(frozen=True)
class Quantity:
    """One quantity: its unit, long name, CF standard name, CF cell method and a remark."""

    units: str
    long_name: str
    standard_name: str | None = None
    cell_methods: str = "time: mean"
    comment: str | None = None

    def attributes(self) -> dict[str, str]:
        """Return the CF attributes of a variable that holds this quantity."""
        attributes = {
            "units": self.units,
            "long_name": self.long_name,
            "standard_name": self.standard_name,
            "cell_methods": self.cell_methods,
            "comment": self.comment,
        }
        if self.units == "degC":
            attributes["units_metadata"] = "temperature: on_scale"
        return {key: text for key, text in attributes.items() if text}


DRIVERS = {
    "tas": Quantity("degC", "air temperature", "air_temperature"),
    "tasmin": Quantity(
        "degC", "lowest air temperature of the day", "air_temperature", "time: minimum"
    ),
    "tasmax": Quantity(
        "degC", "highest air temperature of the day", "air_temperature", "time: maximum"
    ),
    "rsds": Quantity(
        "W m-2", "incoming shortwave radiation", "surface_downwelling_shortwave_flux_in_air"
    ),
    "vpd": Quantity("hPa", "vapour pressure deficit", "water_vapor_saturation_deficit_in_air"),
    "pr": Quantity("mm d-1", "precipitation", "lwe_precipitation_rate"),
    "co2": Quantity("ppm", "CO2 mole fraction", "mole_fraction_of_carbon_dioxide_in_air"),
    "burned_area_fraction": Quantity("d-1", "fraction of the area that burns in a day"),
    "harvested_area_fraction": Quantity("d-1", "fraction of the area that is harvested in a day"),
}
DISTURBANCES = ("burned_area_fraction", "harvested_area_fraction")
STREAMS = {
    "nee": Quantity(
        CARBON_FLUX,
        "net ecosystem exchange, as carbon",
        comment="positive to the atmosphere",
    ),
    "nbe": Quantity(
        CARBON_FLUX,
        "net biome exchange, as carbon",
        comment="net ecosystem exchange and fire, positive to the atmosphere",
    ),
    "gpp": Quantity(
        CARBON_FLUX,
        "gross primary production, as carbon",
        "gross_primary_productivity_of_biomass_expressed_as_carbon",
    ),
    "reco": Quantity(CARBON_FLUX, "ecosystem respiration, as carbon"),
    "fire_emission": Quantity(CARBON_FLUX, "emission by fires, as carbon"),
    "le": Quantity("W m-2", "latent heat flux", "surface_upward_latent_heat_flux"),
    "et": Quantity("mm d-1", "evapotranspiration"),
    "lai": Quantity("1", "leaf area index", "leaf_area_index"),
    "fapar": Quantity(
        "1",
        "absorbed fraction of photosynthetically active radiation",
        "fraction_of_surface_downwelling_photosynthetic_radiative_flux_absorbed_by_vegetation",
    ),
    "sif": Quantity(
        "mW m-2 nm-1 sr-1",
        "solar-induced chlorophyll fluorescence",
        "toa_outgoing_radiance_per_unit_wavelength_due_to_solar_induced_fluorescence",
    ),
    "vod": Quantity("1", "vegetation optical depth"),
    "biomass": Quantity(
        "kg m-2",
        "above-ground biomass, as carbon",
        comment="dry matter times its carbon fraction, 0.47 where it is not known",
    ),
    "total_biomass": Quantity("kg m-2", "living biomass above and below ground, as carbon"),
    "surface_soil_moisture": Quantity(
        "m3 m-3",
        "water content of the surface soil",
        "volume_fraction_of_condensed_water_in_soil",
    ),
    "root_zone_soil_moisture": Quantity(
        "m3 m-3", "water content of the root zone", "volume_fraction_of_condensed_water_in_soil"
    ),
    "lst": Quantity("degC", "land surface temperature", "surface_temperature"),
    "tws": Quantity(
        "mm",
        "anomaly of terrestrial water storage",
        comment="difference from the mean of the product's reference years",
    ),
}


def _declared() -> dict[str, Quantity]:
    """Return the observables that operators bring with them: each whose file has a LONG_NAME."""
    found = {}
    for name in declaring("operators", "LONG_NAME"):
        said = stated("operators", name)
        found[name] = Quantity(
            said["UNIT"],
            said["LONG_NAME"],
            said.get("STANDARD_NAME"),
            said.get("CELL_METHODS", "time: mean"),
            said.get("COMMENT"),
        )
    return found


STREAMS = _declared() | STREAMS
SUBDAILY_DRIVERS = {
    "rlds": Quantity(
        "W m-2", "incoming longwave radiation", "surface_downwelling_longwave_flux_in_air"
    ),
    "ps": Quantity("Pa", "air pressure", "surface_air_pressure"),
    "wind": Quantity("m s-1", "wind speed", "wind_speed"),
}
"""What models of the day's course need besides; daily cubes do without."""
SUBDAILY_STREAMS = {
    "h": Quantity("W m-2", "sensible heat flux", "surface_upward_sensible_heat_flux"),
    "rn": Quantity("W m-2", "net radiation", "surface_net_downward_radiative_flux"),
}
"""What models of the day's course are compared with besides."""
LAND = {
    "elevation": Quantity(
        "m", "height of the ground above sea level", "surface_altitude", "area: mean"
    ),
    "land_cover": Quantity(
        "1", "fraction of the area under each class of cover", "area_fraction", "area: mean"
    ),
    "soil_organic_carbon": Quantity(
        "kg m-2", "organic carbon in the uppermost 30 cm of the soil", cell_methods="area: mean"
    ),
    "clay": Quantity("1", "mass fraction of clay in the fine earth", cell_methods="area: mean"),
    "sand": Quantity("1", "mass fraction of sand in the fine earth", cell_methods="area: mean"),
    "silt": Quantity("1", "mass fraction of silt in the fine earth", cell_methods="area: mean"),
    "bulk_density": Quantity("kg m-3", "dry bulk density of the soil", cell_methods="area: mean"),
}
"""What the ground is like; it does not change within a run."""
INGREDIENTS = {
    "tdps": Quantity("degC", "dew point", "dew_point_temperature"),
    "huss": Quantity("1", "specific humidity", "specific_humidity"),
    "hurs": Quantity("%", "relative humidity", "relative_humidity"),
    "vap": Quantity("hPa", "vapour pressure", "water_vapor_partial_pressure_in_air"),
    "uas": Quantity("m s-1", "wind to the east", "eastward_wind"),
    "vas": Quantity("m s-1", "wind to the north", "northward_wind"),
    "ndvi": Quantity(
        "1", "normalised difference vegetation index", "normalized_difference_vegetation_index"
    ),
    "evi": Quantity("1", "enhanced vegetation index"),
    "red": Quantity("1", "surface reflectance of red light"),
    "nir": Quantity("1", "surface reflectance of near infrared light"),
    "primary_forest": Quantity("1", "share of the area under forest that was never cut"),
    "secondary_forest": Quantity("1", "share of the area under forest that grew back"),
    "urban": Quantity("1", "share of the area that is built up"),
    "burn_date": Quantity("1", "day of the year on which a place burned, 0 where it did not"),
}
"""What archives have and others are made of: dew points become vapour pressure deficits."""
QUANTITIES = DRIVERS | SUBDAILY_DRIVERS | STREAMS | SUBDAILY_STREAMS
FIELDS = QUANTITIES | LAND | INGREDIENTS
"""What sources of fields may bring."""
CARBON_STREAMS = ("nee", "nbe", "gpp", "reco", "fire_emission")
FLUX_STREAMS = (*CARBON_STREAMS, "le", "et")
STATE_STREAMS = tuple(name for name in STREAMS if name not in FLUX_STREAMS)
REQUIRED_DRIVERS = ("tas", "tasmin", "tasmax", "rsds", "co2")

IGBP = {
    "ENF": "evergreen needleleaf forest",
    "EBF": "evergreen broadleaf forest",
    "DNF": "deciduous needleleaf forest",
    "DBF": "deciduous broadleaf forest",
    "MF": "mixed forest",
    "CSH": "closed shrubland",
    "OSH": "open shrubland",
    "WSA": "woody savanna",
    "SAV": "savanna",
    "GRA": "grassland",
    "WET": "permanent wetland",
    "CRO": "cropland",
    "URB": "urban and built-up",
    "CVM": "cropland and natural vegetation mosaic",
    "SNO": "snow and ice",
    "BSV": "barren or sparsely vegetated",
    "WAT": "water",
}
FORESTS = ("ENF", "EBF", "DNF", "DBF", "MF")
CROPLAND = ("CRO", "CVM")

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
"""What products state of a distribution, by the end of their variables' names."""


@dataclass(frozen=True)
class Location:
    """A place on land: identifier, position (degrees north and east), height (m), class, clock."""

    name: str
    latitude: float
    longitude: float
    elevation_m: float
    igbp: str
    utc_offset_hours: float

    def __post_init__(self) -> None:
        for field, low, high in (
            ("latitude", -90, 90),
            ("longitude", -180, 180),
            ("elevation_m", -500, 9000),
            ("utc_offset_hours", -12, 14),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise InputError(self._place, field, value, f"a number from {low} to {high}")
        if self.igbp not in IGBP:
            raise InputError(self._place, "igbp", self.igbp, f"one of {', '.join(IGBP)}")

    @property
    def _place(self) -> str:
        return f"configuration, sites.{self.name}"

    @classmethod
    def from_site(cls, name: str, site: Mapping) -> Location:
        """Make the location that one entry of the configuration's ``sites`` describes.

        Raises
        ------
        InputError
            If a coordinate is missing or out of its range, or the IGBP class is unknown.
        """
        keys = ("latitude", "longitude", "elevation_m", "igbp", "utc_offset_hours")
        for key in keys:
            if key not in site:
                raise InputError(f"configuration, sites.{name}", key, "nothing", "a value")
        return cls(name, **{key: site[key] for key in keys})


def at_location(ds: xr.Dataset, location: Location) -> xr.Dataset:
    """Return a dataset with a leading ``location`` dimension of length one and its coordinates."""
    placed = ds.drop_vars("time_bnds", errors="ignore").expand_dims(location=[location.name])
    if "time_bnds" in ds:
        placed["time_bnds"] = ds["time_bnds"]
    names, north, east = (
        np.array([part]) for part in (location.name, location.latitude, location.longitude)
    )
    return placed.assign_coords(location_coordinates(names, north, east))


def location_coordinates(
    names: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
    """Return the coordinates along ``location``, with their CF attributes; positions in degrees."""
    coordinates = {
        "location": (
            "location",
            names,
            {"long_name": "location identifier", "cf_role": "timeseries_id"},
        )
    }
    for name, full, unit, values in (
        ("lat", "latitude", "degrees_north", latitude),
        ("lon", "longitude", "degrees_east", longitude),
    ):
        attributes = {"standard_name": full, "long_name": full, "units": unit}
        coordinates[name] = ("location", values, attributes)
    return coordinates
