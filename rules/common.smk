# What rules of several stages share.


def library(script):
    """Return a digest of the library modules of a rule's script, so that editing one reruns it."""
    return digest(Path(workflow.basedir, "scripts", f"{script}.py"))


def works_of(dag):
    """Return the jobs that are to be run, by their numbers."""
    numbers = {job: dag.jobid(job) for job in dag.needrun_jobs()}
    return {
        number: Work(
            job.rule.name,
            str(job.benchmark or ""),
            minutes if isinstance(minutes := job.resources.get("runtime"), int) else 0,
            frozenset(
                numbers[other] for other in dag.dependencies[job] if other in numbers
            ),
        )
        for job, number in numbers.items()
    }


def memory(base):
    """Return the memory of a job in MB: ``base``, and twice as much each time it is tried again."""
    return lambda wildcards, attempt: base * 2 ** (attempt - 1)


def site_config(wildcards):
    """Return the configuration of the site of a job."""
    return config["sites"][wildcards.site]


def weather_ahead(wildcards):
    """Return the file with the weather of a site's forecast, or nothing."""
    weather = forecast_weather(FORECAST, wildcards.site)
    return [weather] if Path(weather).suffix else []


def network_config(wildcards):
    """Return the configuration of the network of a job."""
    return config["networks"][wildcards.network]


def heights_of(wildcards):
    """Return the folder of a network's grid of heights and its source's file, or nothing."""
    heights = network_config(wildcards).get("heights")
    if heights is None:
        return []
    name = heights["source"]
    return [ancient(f"{RUN}/raw/{name}"), f"config/sources/{name}.yaml"]


def one_of(names):
    """Return the pattern of a wildcard that is one of some names, which may be none."""
    return "|".join(names) or "(?!)"


def sites_of(kind):
    """Return a pattern of the sites whose cubes come from ``kind``, which may be none."""
    return one_of([site for site in SITES if site_kind(config["sites"][site]) == kind])


def origin_cubes(wildcards):
    """Return the daily cubes that a derived site is taken from."""
    folder = f"{RUN}/cubes/{site_config(wildcards)['cubes']['of']}"
    return {what: f"{folder}/{what}.nc" for what in ("drivers", "observations")}


def method_budget(wildcards):
    """Return the budget of a method, with what the site's own configuration says of it."""
    method = wildcards.method
    own = site_config(wildcards).get("budgets", {}).get(method, {})
    return config["assimilation"]["budgets"][method] | own


def learned_prior(site):
    """Return the file of the prior that a site was taught, or none: a list."""
    taught = "prior" in config["sites"][site]
    return [f"{RUN}/learned/{site}/prior.yaml"] if taught else []


def site_model(wildcards):
    """Return the files of the model at the site of a job, a prior that it was taught the last."""
    return [*MODEL, *learned_prior(wildcards.site)]


def teaching_posterior(wildcards):
    """Return the posterior that becomes the prior of the site of a job."""
    prior = site_config(wildcards)["prior"]
    run = prior.get("run", config["run"])
    return f"results/{run}/posterior/{prior['learned_from']}/{prior['method']}.nc"


def fields_of(place, kind):
    """Return files of a place's aggregated fields: ``nc`` or, of what was masked, ``csv``."""
    return [
        f"{RUN}/cubes/{place}/fields/{request.source}.{request.period}.{kind}"
        for request in REQUESTED
        if request.place == place
    ]


def fields_by_source(place):
    """Return the files of a place's aggregated fields by their source."""
    files = fields_of(place, "nc")
    return {
        source: [file for file in files if Path(file).name.split(".")[0] == source]
        for source in PLACES.get(place, {}).get("fields", {})
    }


def field_sources(place, *more):
    """Return the files of a place's sources of fields, and of other sources."""
    names = [*PLACES.get(place, {}).get("fields", {}), *more]
    return [f"config/sources/{name}.yaml" for name in names]


def outlines_of(place):
    """Return the folder of an area's polygons and the layer in it, or nothing where it has cells."""
    polygons = PLACES[place].get("polygons")
    if polygons is None:
        return []
    folder = f"{RUN}/raw/{polygons['source']}"
    return [ancient(folder), f"{folder}/{polygons['file']}"]


def is_observed(area):
    """Return whether an area's fields have an observation among them: what an operator shows."""
    return any(
        "operator" in source_file(source)["variables"][name]
        for source, names in PLACES[area]["fields"].items()
        for name in names
    )


def map_config(wildcards):
    """Return the configuration of the map of a job."""
    return MAPPED[wildcards.map]


def map_cubes(wildcards):
    """Return the cubes that the map of a job works on, by what is in them."""
    return map_files(wildcards.map)


def map_files(name):
    """Return the cubes that a map works on, by what is in them."""
    entry = MAPPED[name]
    folder = f"{RUN}/cubes/{entry['cubes']}"
    if entry.get("upscaled"):
        folder = f"{RUN}/upscaled/{entry['cubes']}/months"
    files = {
        what: f"{folder}/{what}.nc" for what in ("drivers", "observations", "land")
    }
    if entry.get("upscaled"):
        files["observations"] = f"{RUN}/upscaled/{entry['cubes']}/observations.nc"
    return files


def months_of(wildcards):
    """Return the monthly cubes of cells, or of a network of towers, by what is in them."""
    of_network = wildcards.leafy in NETWORKS
    folder = "cubes/{}" if of_network else "upscaled/{}/months"
    folder = f"{RUN}/{folder.format(wildcards.leafy)}"
    return {what: f"{folder}/{what}.nc" for what in ("drivers", "observations", "land")}


def policy_config(wildcards):
    """Return the configuration of the table of a job."""
    return POLICY[wildcards.table]


def polygon_file(entry):
    """Return the file of the polygons of a table's regions."""
    polygons = entry["polygons"]
    if "path" in polygons:
        return polygons["path"]
    return f"{RUN}/raw/{polygons['source']}/{polygons['file']}"


def table_polygons(wildcards):
    """Return what the polygons of a table come from: one's own file, or a source's folder."""
    polygons = policy_config(wildcards)["polygons"]
    if "path" in polygons:
        return {"outlines": polygons["path"]}
    return {"outlines": ancient(f"{RUN}/raw/{polygons['source']}")}


def table_file(wildcards, *keys):
    """Return a file of one's own that a table's configuration names, or none: a list."""
    found = policy_config(wildcards)
    for key in keys:
        found = found.get(key, {})
    return [found] if found else []


def weight_settings(wildcards):
    """Return what the parts of cells in regions depend on of a table's configuration."""
    entry = policy_config(wildcards)
    return {key: entry[key] for key in ("polygons", "managed") if key in entry}


def inventory_of(wildcards):
    """Return the table that a table of regions is reconciled with its inventory in, or none."""
    asked = "inventory" in policy_config(wildcards)
    return [f"{RUN}/policy/{wildcards.table}/inventory.csv"] if asked else []


def futures_of(wildcards):
    """Return the tables of a table's regions under scenarios, or nothing: a list."""
    if wildcards.table not in FORETOLD:
        return []
    folder = f"{RUN}/policy/{wildcards.table}"
    return [f"{folder}/futures.csv", f"{folder}/futures_years.csv"]


def sheets_of(wildcards):
    """Return the pages of a table's regions."""
    names = SHEETS[wildcards.table]
    return expand(f"{RUN}/report/{wildcards.table}.{{region}}.html", region=names)


def weights_of(wildcards):
    """Return the files of weights of the tables of the map of a job."""
    tables = [name for name, entry in POLICY.items() if entry["map"] == wildcards.map]
    return expand(f"{RUN}/policy/{{table}}/weights.nc", table=tables)


def map_model(wildcards):
    """Return the files of the model of a map, with those of the operators of its streams."""
    return model_files({**config, "sites": {wildcards.map: map_config(wildcards)}})


def classes_in(entry):
    """Return the file of a map's priors by class, or none: a list."""
    names = [entry["prior_classes"]] if "prior_classes" in entry else []
    return [f"config/priors/{name}.yaml" for name in names]


def map_classes(wildcards):
    """Return the file of priors by class of the map of a job, or none: a list."""
    return classes_in(map_config(wildcards))


def network_learning(wildcards):
    """Return how the towers of the trial of a job learn from each other."""
    return config["networks"][map_config(wildcards)["cubes"]]["learning"]


def network_source(wildcards):
    """Return the description of where the records of the towers of a trial are from."""
    network = config["networks"][map_config(wildcards)["cubes"]]
    return f"config/sources/{network['records']['source']}.yaml"


def taught_parameters(wildcards):
    """Return the file of what other towers teach of a tower's parameters, or none: a list.

    Towers as if without fluxes of their own are taught by all fluxes of the others.
    """
    if not is_network(wildcards.map) or "parameters" not in network_learning(wildcards):
        return []
    network = map_config(wildcards)["cubes"]
    trial = INNER if wildcards.map == trial_name(network, INNER) else ALL
    return [f"{RUN}/learned/{trial_name(network, trial)}/parameters.{TRAITS}.nc"]


def prior_runs(wildcards):
    """Return what priors that were taught say of a network's towers, or nothing: a list."""
    if "parameters" not in network_config(wildcards)["learning"]:
        return []
    name = trial_name(wildcards.network, ALL)
    return expand(f"{RUN}/projection/{name}/prior.{{by}}.nc", by=TAUGHT_BY)


def is_network(name):
    """Return whether a map is a network of towers, which has batches for tiles."""
    return "batches" in MAPPED[name]


def grid_of(name):
    """Return the grid of a map, a MapGrid."""
    return map_grid(MAPPED[name], config["areas"])


def map_bounds(wildcards):
    """Return the bounds and the resolution of the map of a job; of a network nothing."""
    return [] if is_network(wildcards.map) else list(astuple(grid_of(wildcards.map)))


def tile_memory(wildcards, attempt):
    """Return the megabytes of a tile's job, from the number of its cells; twice that when retried.

    Measured with 240 months: libraries and compilation take 350 to 450, a cell 0.04 to 0.1 and a
    member of it 0.0006.
    """
    entry = map_config(wildcards)
    members = entry["budget"]["members"]
    if is_network(wildcards.map):
        cells = MOST_TOWERS / entry["batches"]
    else:
        cells = (
            min(entry["tile_size"], grid_of(wildcards.map).columns) * entry["tile_size"]
        )
    return round((600 + cells * (0.1 + 0.0006 * members)) * 2 ** (attempt - 1))


def tiles_of(name):
    """Return the names of the tiles of a map, or of the batches of a network."""
    if is_network(name):
        return [f"b{number}" for number in range(MAPPED[name]["batches"])]
    return grid_of(name).tiles(MAPPED[name]["tile_size"])


def tile_files(name, folder):
    """Return the files of all tiles of a map, or batches of a trial, in a folder of the run."""
    return expand(f"{RUN}/{folder}/{{tile}}.nc", tile=tiles_of(name))


def classes_of(area):
    """Return the source of an area's maps of classes, or none: a list."""
    classes = PLACES.get(area, {}).get("classes")
    return [classes["source"]] if classes else []


def map_settings(wildcards):
    """Return the part of the configuration that a map rests on."""
    entry = map_config(wildcards)
    kept = {key: config[key] for key in ("seed", "model", "constraints", "borders")}
    area = config["areas"].get(entry["cubes"], {})
    return {**kept, "map": entry, "area": area}


def map_sources(wildcards):
    """Return the files of the sources that the map of a job rests on."""
    return sources_of_map(wildcards.map)


def sources_of_map(name):
    """Return the files of the sources that a map rests on."""
    cubes, borders = MAPPED[name]["cubes"], config["borders"]["source"]
    if cubes in GRIDS:
        return field_sources(cubes, GRIDS[cubes], CLASSES, borders)
    return field_sources(
        cubes, PLACES[cubes]["co2"]["source"], *classes_of(cubes), borders
    )


def co2_of(wildcards):
    """Return the source of an area's CO2."""
    return PLACES[wildcards.area]["co2"]["source"]


def download_of(source, place, period):
    """Return in words how much a request will bring, from where and under which licence."""
    request = request_of(REQUESTED, source, place, period)
    return foreseen(source_file(source), request.to_foresee())


# Many jobs ask for the same few files.
source_file = cache(read_source)
identity_of = cache(source_identity)
words_of = cache(source_words)


def asked(name):
    """Return when a rule was asked for by its name, so that it shows its table each time."""
    return time.time() if name in sys.argv else None


def projections_of(network, trial):
    """Return the projections of all batches of towers in a trial."""
    name = trial_name(network, trial)
    return tile_files(name, f"projection/{name}")


def learned_of(trial):
    """Return the files of all fluxes of a network, whose name is a wildcard, in a trial."""
    name = trial_name("{network}", trial)
    return [f"{RUN}/learned/{name}/{flux}.nc" for flux in FLUXES]


def scenario_place(place):
    """Return the configuration of a site or map that has scenarios."""
    return config["sites"].get(place) or MAPPED[place]


def scenario_record(wildcards):
    """Return the drivers of the record that a scenario goes on from."""
    origin = scenario_place(wildcards.place) if wildcards.place in MAPS else {}
    return f"{RUN}/cubes/{origin.get('cubes', wildcards.place)}/drivers.nc"


def supplied_climates(wildcards):
    """Return the files that climates are supplied in, which may be none."""
    entries = SCENARIOS["climates"].values()
    named = [entry["supplied"] for entry in entries if "supplied" in entry]
    models = matching(name for entry in entries for name in entry.get("cmip6", []))
    return [
        *(file.replace("{place}", wildcards.place) for file in named),
        *map(str, models),
    ]


def supplied_land_use(wildcards):
    """Return the files that land uses are supplied in, which may be none."""
    entries = scenario_settings(wildcards)["land_uses"].values()
    named = [entry["supplied"] for entry in entries if "supplied" in entry]
    return [file.replace("{place}", wildcards.place) for file in named]


def scenario_settings(wildcards):
    """Return the configuration of scenarios, with what is made of LUH2's files as supplied."""
    made = f"{RUN}/scenarios/{{place}}/land_use.{{name}}.nc"
    uses = {
        name: (
            {**entry, "supplied": made.replace("{name}", name)}
            if "luh2" in entry
            else entry
        )
        for name, entry in SCENARIOS["land_uses"].items()
    }
    return {**SCENARIOS, "land_uses": uses}


def luh2_files(wildcards):
    """Return the files of LUH2 that a land use is made of."""
    entry = SCENARIOS["land_uses"][wildcards.land_use]["luh2"]
    return list(map(str, matching([*entry["states"], *entry["transitions"]])))


def cell_size(wildcards):
    """Return the width of the cells of a place, degrees; 0 of a site."""
    place = wildcards.place
    return grid_of(place).resolution_deg if place in MAPS else 0.0


def scenario_inputs(wildcards):
    """Return what a part of a place is projected from, by what it is."""
    place, part = wildcards.place, wildcards.part
    inputs = {"record": scenario_record(wildcards)}
    cubes = Path(inputs["record"]).parent
    inputs["land"] = f"{cubes}/land.nc"
    if place in MAPS:
        files = model_files({**config, "sites": {place: MAPPED[place]}})
        return {
            **inputs,
            "model": files,
            "posterior": f"{RUN}/posterior/{place}/{part}.nc",
        }
    product = config["assimilation"]["product"]
    return {
        **inputs,
        "model": [*MODEL, *learned_prior(place)],
        "posterior": f"{RUN}/posterior/{place}/{product}.nc",
        "statement": f"{RUN}/posterior/{place}/errors.json",
    }


def scenario_parts(wildcards):
    """Return the projections of all parts of a place: tiles of a map, or the one of a site."""
    return parts_of(wildcards.place)


def future_parts(wildcards):
    """Return the projections of all tiles of the map of a table under scenarios."""
    return parts_of(policy_config(wildcards)["map"])


def parts_of(place):
    """Return the files of all parts of a place under scenarios."""
    parts = tiles_of(place) if place in MAPS else ["all"]
    return expand(f"{RUN}/projection/{place}/scenarios.{{part}}.nc", part=parts)
