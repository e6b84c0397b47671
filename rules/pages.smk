# What the rules of publication share: names, and which files belong to a page of the report.

PRODUCT = config["assimilation"]["product"]
# In the order in which the report shows them.
FIGURES = [
    "timeseries",
    "seasonal_cycle",
    "observed_predicted",
    "ilamb",
    "coverage",
    "pools",
    "parameters",
]
# Files and folders that are published of a site and of a map; those of a network are not in folders.
SITE_PRODUCTS = ["fluxes.nc", "budget.csv", "budget_mean.csv"]
MAP_PRODUCTS = [
    "map.nc",
    "map.zarr",
    "annual.nc",
    "annual.zarr",
    "layers",
    "catalog",
    "regions.nc",
    "regions.csv",
]
BORDERS = f"{RUN}/raw/{config['borders']['source']}"


def sources_of(sites):
    """Return the sources that some sites' records come from, each once."""
    known = config["sites"]
    names = [name for site in sites for name in source_names(known[site], known)]
    return list(dict.fromkeys(names))


def page_forecasts(*patterns):
    """Return a function that lists files of the site of a page, if it has a forecast."""
    return lambda wildcards: (
        expand(patterns, site=wildcards.site)
        if wildcards.site in FORECAST["sites"]
        else []
    )


def other_pages(page):
    """Return the names of the pages of the report that a page leads to."""
    names = [Path(file).name for file in PUBLISHED if file.startswith(f"{RUN}/report/")]
    return [name for name in names if name.endswith(".html") and name != page]


# Maps of one column are drawn over latitude and time besides.
TRANSECTS = [name for name in MAPS if grid_of(name).columns == 1]


def map_name(wildcards):
    """Return what people call the map of a job."""
    return map_config(wildcards)["name"]


def map_figures(wildcards):
    """Return the names of the figures of a map, in the order of its page."""
    figures = ["status", "maps"]
    if wildcards.map in TRANSECTS:
        figures += ["hovmoller", "profile"]
        figures += ["fapar"] if "fapar" in map_config(wildcards)["streams"] else []
    return [*figures, "ilamb", "regions"]


# In the order of a network's page.
TOWER_FIGURES = [
    "scores",
    "classes",
    "map",
    "reliability",
    "worst",
]


def network_name(wildcards):
    """Return what people call the network of a job."""
    return network_config(wildcards)["name"]


def posteriors_of(trial):
    """Return a function that lists the posteriors of all batches of a network in a trial."""

    def files(wildcards):
        name = trial_name(wildcards.network, trial)
        return tile_files(name, f"posterior/{name}")

    return files


def network_sources(wildcards):
    """Return the files of the sources that a network rests on."""
    entry = network_config(wildcards)
    names = [entry[key]["source"] for key in ("records", "heights") if key in entry]
    return [
        f"config/sources/{name}.yaml" for name in [*names, config["borders"]["source"]]
    ]


# In the order of the page of scenarios, for each place.
SCENARIO_FIGURES = ["paths", "components", "variance"]

# Sources of CO2 of the climates to come: their folders, and what describes them.
CO2_NAMES = [
    entry["co2"]["source"] for entry in SCENARIOS["climates"].values() if "co2" in entry
]
CO2_FOLDERS = [ancient(f"{RUN}/raw/{name}") for name in dict.fromkeys(CO2_NAMES)]
CO2_SOURCES = [f"config/sources/{name}.yaml" for name in dict.fromkeys(CO2_NAMES)]

# What is assimilated cell by cell or tower by tower: maps, and trials of networks.
CELLWISE = {
    name: {
        "name": (
            entry["name"]
            if name in MAPS
            else f"{entry['name']}, {name.removeprefix(entry['cubes'] + '_')}"
        ),
        "method": entry["method"],
        "parts": tiles_of(name),
    }
    for name, entry in MAPPED.items()
    if name in MAPS or is_network(name)
}


def pages_of_places():
    """Return the pages of sites, maps and networks that the run has, and their words."""
    named = {**config["sites"], **config["maps"], **config["networks"]}
    return {
        f"{name}.html": f"{name}: {entry['name']}" if "name" in entry else name
        for name, entry in named.items()
    }
