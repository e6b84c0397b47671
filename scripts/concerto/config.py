"""Check configurations, and say of all their faults which key it is, where, and what would do."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

from concerto.errors import ConcertoError, InputError
from concerto.maps import slug
from concerto.networks import trials
from concerto.plugins import PACKAGES, available, declaring, suggestion
from concerto.scale import scale_maps, synthetic_grids

ROOT = Path(__file__).resolve().parents[2]
# Folders of a run whose files and folders are called by a site's name, but for those named here.
SITE_STAGES: Mapping[str, tuple[str, ...]] = {
    "cubes": ("transect",),
    "learned": (),
    "prior": (),
    "posterior": (),
    "scenarios": (),
    "projection": (),
    "evaluation": (),
    "products": (),
    "figures": ("sites",),
    "report": (
        "index",
        "explorer",
        "provenance",
        "compare_runs",
        "emulator",
        "reconstruction",
        "scale",
        "scenarios",
        "twin",
        "twin_map",
        "upscaling",
    ),
}
# What a run works on, by the key of its configuration.
PLACES = ("sites", "areas", "maps", "networks")
# Cubes of grid cells, by their folder, with the source that they are made of.
GRIDS: Mapping[str, str] = {"transect": "transect_2000"}
# The source of the classes of these cells.
CLASSES = "land_classes"
# What of a source decides the bytes of the files that it brings, beside the bands of the variables
# that are wanted. Words about it do not, nor do mirrors, which have the same files.
IDENTITY = ("protocol", "locator", "members", "request")
# Targets that are made of the part of the configuration of the same name.
ASKED = ("canopy", "compare_runs", "cost", "emulator", "scale", "twin", "twin_map", "upscaling")
# Words about a source that people read in products and reports.
WORDS = ("title", "licence", "citation")


def validate_config(config: Mapping[str, Any], root: Path = ROOT) -> None:
    """Check a run's configuration and the source and model files that it names.

    Parameters
    ----------
    config
        The configuration, as read.
    root
        The folder that has the folder config.

    Raises
    ------
    ConcertoError
        Naming every fault: where it is, what was found and what was expected.
    """
    _refuse("configuration", _faults(config, _schema(), root))
    whole = {**{kind: {} for kind in PLACES}, **config}
    _refuse("configuration", _faults_of_cubes(whole["sites"]))
    faults = [
        *_faults_of_cases(whole),
        *_faults_of_forecast(whole),
        *_faults_of_scenarios(whole),
        *_faults_of_files(whole, root),
        *_faults_of_fields(whole, root),
        *_faults_of_priors(whole),
        *_faults_of_maps(whole, root),
        *_faults_of_networks(whole),
        *_faults_of_tables(whole),
        *_faults_of_upscaling(whole),
        *_faults_of_reconstruction(whole),
    ]
    _refuse("configuration", faults)


def check_targets(targets: Iterable[str], config: Mapping[str, Any], root: Path = ROOT) -> None:
    """Check that the configuration has what is asked for: experiments by name, places by path.

    Parameters
    ----------
    targets
        Names of rules, or paths from the folder that has the folder results.
    config
        The configuration, valid.
    root
        The folder that has the folder config.

    Raises
    ------
    ConcertoError
        Naming the experiment, and the files that have one; or the site that is unknown, the nearest
        one and all that there are.
    """
    for target in targets:
        if target in ASKED and not config.get(target):
            files = [root / "config/config.yaml", *sorted(root.glob("config/runs/*.yaml"))]
            having = [str(file.relative_to(root)) for file in files if target in load_yaml(file)]
            raise ConcertoError(
                f"{target}: found no {target} in the configuration; expected what to do, as in "
                f"{', '.join(having)}"
            )
        parts = Path(target).parts
        if len(parts) < 4 or parts[:2] != ("results", config["run"]) or parts[2] not in SITE_STAGES:
            continue
        name = parts[3].partition(".")[0]
        places = [place for kind in PLACES for place in config.get(kind, {})]
        scale = config.get("scale", {})
        places += [*scale_maps(scale), *synthetic_grids(scale)]
        places += trials(config.get("networks", {}))
        tables = config.get("policy", {}) if parts[2] == "report" else ()
        if name not in (*places, *tables, *SITE_STAGES[parts[2]]):
            offer = suggestion(name, places)
            raise ConcertoError(f"{target}: unknown site {name!r}; {offer}")


def site_kind(site: Mapping[str, Any]) -> str:
    """Return where a site's cubes come from: ``daily`` or ``monthly`` records, or ``derived``."""
    if "cubes" in site:
        return "derived"
    return "monthly" if site_step(site) == "month" else "daily"


def site_step(site: Mapping[str, Any]) -> str:
    """Return the step of a site's cubes: ``day`` or ``month``."""
    return site.get("cubes", site).get("step", "day")


def projected_places(config: Mapping[str, Any]) -> list[str]:
    """Return the sites and maps of a run that scenarios can go on from: those known by day."""
    sites = config.get("sites", {})
    return [*(name for name in sites if site_step(sites[name]) == "day"), *config.get("maps", {})]


def source_names(site: Mapping[str, Any], sites: Mapping[str, Any]) -> list[str]:
    """Return the names of the sources that a site's cubes rest on, each once."""
    origin = site["cubes"]["of"] if "cubes" in site else None
    if origin in GRIDS:
        return [GRIDS[origin]]
    records = (sites[origin] if origin else site)["records"]
    return list(dict.fromkeys(record["source"] for record in records))


def read_source(name: str, root: Path = ROOT) -> dict[str, Any]:
    """Read and check a source's file, config/sources/NAME.yaml.

    A source of records has ``members``, a source of fields ``variables``.

    Raises
    ------
    ConcertoError
        If there is no such source; or naming every fault of its file.
    """
    return _read("source", root / "config/sources", name, root)


def source_identity(name: str, variables: Iterable[str] = (), root: Path = ROOT) -> str:
    """Return a short hash of all that decides the files of a source; how to read them does not.

    Parameters
    ----------
    name
        The source's name.
    variables
        Those of its variables that are wanted: of their bands are files made.
    root
        The folder that has the folder config.
    """
    source = read_source(name, root)
    said = {key: source[key] for key in IDENTITY if key in source}
    known = source.get("variables", {})
    bands = {band for key in variables if key in known for band in bands_of(known[key])}
    said["bands"] = sorted(bands)
    text = json.dumps(said, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def source_words(name: str, root: Path = ROOT) -> dict[str, str]:
    """Return what people are told of a source: its title, licence and citation."""
    source = read_source(name, root)
    return {key: source[key] for key in WORDS}


def bands_of(variable: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the bands that a variable needs: its own, of its quality rules, of its uncertainty."""
    rules = (rule["band"] for rule in variable.get("quality", ()))
    error = variable.get("uncertainty", {})
    return tuple(dict.fromkeys((variable["band"], *rules, error.get("band", variable["band"]))))


def read_model(name: str, root: Path = ROOT) -> dict[str, Any]:
    """Read and check a model's parameters and priors, config/models/NAME.yaml.

    Raises
    ------
    ConcertoError
        If there is no such model; or naming every fault of its file, such as a prior whose min is
        not less than its max.
    """
    return _read("model", root / "config/models", name, root)


def read_component(name: str, root: Path = ROOT) -> dict[str, Any]:
    """Read and check a component's file, config/models/components/NAME.yaml.

    Raises
    ------
    ConcertoError
        If there is no such component; or naming every fault of its file.
    """
    return _read("component", root / "config/models/components", name, root)


def read_class_prior(name: str, root: Path = ROOT) -> dict[str, Any]:
    """Read and check the file of priors of classes of land, config/priors/NAME.yaml.

    Raises
    ------
    ConcertoError
        If there is no such file; or naming every fault of it.
    """
    return _read("class_prior", root / "config/priors", name, root)


def read_operator(name: str, root: Path = ROOT) -> dict[str, Any]:
    """Read and check the file of an operator's own parameters, config/operators/NAME.yaml.

    Raises
    ------
    ConcertoError
        If the operator has no such file; or naming every fault of it.
    """
    return _read("operator", root / "config/operators", name, root)


def model_files(config: Mapping[str, Any], root: Path = ROOT) -> list[str]:
    """Return the files that say what a run's model is: its own, then those of its components.

    Those of its streams' operators follow, where these have parameters of their own.

    Raises
    ------
    ConcertoError
        If a component is named for a role that the model does not have or the component does not
        play; if two files have a parameter of the same name; or if a file is at fault.
    """
    name = config["model"]
    model = read_model(name, root)
    roles, named = model["components"], config.get("components", {})
    for role in named:
        if role not in roles:
            raise ConcertoError(
                f"components.{role}: {name} has no such role; {suggestion(role, roles)}"
            )
    chosen = {**roles, **named}
    owners: dict[str, str] = {}
    _own(name, model, owners, f"config/models/{name}.yaml")
    for role, part in chosen.items():
        component = read_component(part, root)
        if component["role"] != role:
            raise ConcertoError(
                f"components.{role}: found {part}, which is for {component['role']}; "
                f"expected a component for {role}"
            )
        _own(part, component, owners, f"components.{role}")
    files = [f"config/models/components/{part}.yaml" for part in chosen.values()]
    for stream in sorted({item for site in config["sites"].values() for item in site["streams"]}):
        file = f"config/operators/{stream}.yaml"
        if (root / file).exists():
            _own(stream, read_operator(stream, root), owners, file)
            files.append(file)
    return [f"config/models/{name}.yaml", *files]


def _own(part: str, content: Mapping[str, Any], owners: dict[str, str], where: str) -> None:
    """Add a file's parameters to those that have an owner; each name may have one."""
    for name in (item["name"] for item in content["parameters"]):
        if name in owners:
            raise ConcertoError(
                f"{where}: {part} has a parameter {name!r}, which {owners[name]} has already; "
                "expected each name once"
            )
        owners[name] = part


def load_yaml(file: Path) -> Any:
    """Read a YAML file.

    Raises
    ------
    InputError
        If it is missing, not well-formed, or has a key twice in one mapping.
    """
    if not file.exists():
        raise InputError(file, "file", "nothing", "a YAML file")
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "text"
        raise InputError(file, place, error.problem, "well-formed YAML, each key once") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(file, "text", error, "well-formed YAML in UTF-8") from error


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """PyYAML keeps the last of two equal keys; here they are an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"key {key.value!r} a second time"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(kind: str, folder: Path, name: str, root: Path) -> dict[str, Any]:
    file = folder / f"{name}.yaml"
    if not file.exists():
        names = (other.stem for other in folder.glob("*.yaml"))
        raise ConcertoError(f"unknown {kind} {name!r}; {suggestion(name, names)}")
    content = load_yaml(file)
    schema = {"$ref": f"#/$defs/{kind}", "$defs": _schema()["$defs"]}
    _refuse(file, _faults(content, schema, root))
    return content


def _faults_of_files(config: Mapping[str, Any], root: Path) -> list[str]:
    """Return the faults of the model and sources named, and of the members wanted of them."""
    wanted = _wanted(config)
    faults, sources = [], {}
    try:
        model_files(config, root)
    except ConcertoError as error:
        faults.append(str(error))
    for name in sorted({request["source"] for request in wanted.values()}):
        try:
            sources[name] = read_source(name, root)
        except ConcertoError as error:
            faults.append(str(error))
    for where, request in wanted.items():
        source = sources.get(request["source"], {"members": None})
        members = source.get("members")
        if "members" not in source:
            found = f"{request['source']!r}, a source of fields"
            faults.append(f"{where}.source: found {found}; expected one of records")
        elif members is not None and not any(fnmatch(request["file"], key) for key in members):
            offer = suggestion(request["file"], members)
            key = request.get("key", "file")
            faults.append(f"{where}.{key}: unknown member {request['file']!r}; {offer}")
    return faults


def _wanted(config: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """Return the ``source`` and ``file`` of each member of records that is wanted, by its place.

    ``key`` is what the configuration calls the file, where it calls it otherwise.
    """
    wanted = {"borders": config["borders"]}
    for site, settings in config["sites"].items():
        for number, record in enumerate(settings.get("records", [])):
            wanted[f"sites.{site}.records[{number}]"] = record
    for area, settings in config["areas"].items():
        wanted[f"areas.{area}.co2"] = settings["co2"]
        if "polygons" in settings:
            wanted[f"areas.{area}.polygons"] = settings["polygons"]
        classes = settings.get("classes", {})
        for kind in (kind for kind in classes if kind != "source"):
            request = {"source": classes["source"], "file": classes[kind]}
            wanted[f"areas.{area}.classes.{kind}"] = request
    for table, settings in config.get("policy", {}).items():
        if "source" in settings["polygons"]:
            wanted[f"policy.{table}.polygons"] = {"file": "*", **settings["polygons"]}
    for climate, settings in config.get("scenarios", {"climates": {}})["climates"].items():
        if "co2" in settings:
            wanted[f"scenarios.climates.{climate}.co2"] = settings["co2"]
    for network, settings in config["networks"].items():
        records = settings["records"]
        request = {"source": records["source"], "file": records["table"], "key": "table"}
        wanted[f"networks.{network}.records"] = request
        if "heights" in settings:
            wanted[f"networks.{network}.heights"] = settings["heights"]
    return wanted


def _faults_of_fields(config: Mapping[str, Any], root: Path) -> list[str]:
    """Return the faults of fields: their sources must be of fields and have the variables."""
    faults = []
    for kind in ("areas", "sites"):
        for place, settings in config[kind].items():
            for name, variables in settings.get("fields", {}).items():
                where = f"{kind}.{place}.fields.{name}"
                try:
                    known = read_source(name, root).get("variables")
                except ConcertoError as error:
                    faults.append(str(error))
                    continue
                if known is None:
                    faults.append(f"{where}: found a source of records; expected one of fields")
                    continue
                faults += _faults_of_period(where, settings["period"], read_source(name, root))
                faults += [
                    f"{where}: unknown variable {variable!r}; {suggestion(variable, known)}"
                    for variable in variables
                    if variable not in known
                ]
                if kind == "sites":
                    faults += _faults_of_weather(where, variables, read_source(name, root))
            faults += [
                f"{kind}.{place}.weather.cell_height_m: unknown source {name!r}; "
                f"{suggestion(name, settings['fields'])}"
                for name in settings.get("weather", {}).get("cell_height_m", {})
                if name not in settings["fields"]
            ]
    return faults


def _faults_of_weather(
    where: str, variables: Sequence[str], source: Mapping[str, Any]
) -> list[str]:
    """Return the fault of what shall complete a site's days and is of longer steps.

    That is what changes in time and is no observation, which has an operator.
    """
    step, known = source["grid"]["step"], source["variables"]
    names = ", ".join(
        name for name in variables if not {"operator", "classes"} & known.get(name, {}).keys()
    )
    if not names or step in (None, "P1D") or step.startswith("PT"):
        return []
    return [f"{where}: found {names} in steps of {step}; expected a day or less"]


def _faults_of_period(where: str, period: list[str], source: Mapping[str, Any]) -> list[str]:
    """Return the fault of a period in which a source has nothing."""
    grid = source["grid"]
    first, last = grid["first"] or period[0], grid["last"] or period[1]
    if source["request"] == "all" or (first <= period[1] and last >= period[0]):
        return []
    found = f"nothing from {period[0]} to {period[1]}"
    return [f"{where}: found {found}; expected a period that meets {first} to {last}"]


def _faults_of_priors(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of priors learned in the same run: who teaches must be there, and first."""
    sites, methods = config["sites"], config["assimilation"]["methods"]
    taught = {
        site: settings["prior"]
        for site, settings in sites.items()
        if settings.get("prior", {}).get("run", config["run"]) == config["run"]
        and "prior" in settings
    }
    faults = []
    for site, prior in taught.items():
        where, teacher, method = f"sites.{site}.prior", prior["learned_from"], prior["method"]
        if teacher not in sites:
            offer = suggestion(teacher, sites)
            faults.append(f"{where}.learned_from: unknown site {teacher!r}; {offer}")
        if method not in methods:
            faults.append(f"{where}.method: unknown name {method!r}; {suggestion(method, methods)}")
        line = [site]
        while (last := taught.get(line[-1], {}).get("learned_from")) and last not in line:
            line.append(last)
        if last == site:
            found = " from ".join([*line, site])
            faults.append(f"{where}.learned_from: found {found}; expected no circle")
    return faults


def _faults_of_class_priors(
    config: Mapping[str, Any], where: str, entry: Mapping[str, Any], root: Path
) -> list[str]:
    """Return the faults of a map's priors by class, whose parameters must be the model's."""
    if "prior_classes" not in entry:
        return []
    try:
        classes = read_class_prior(entry["prior_classes"], root)["classes"]
        files = model_files({**config, "sites": {"map": entry}}, root)
    except ConcertoError as error:
        return [f"{where}.prior_classes: {error}"]
    known = [item["name"] for file in files for item in load_yaml(root / file)["parameters"]]
    return [
        f"{where}.prior_classes: {name} of {kind}: unknown parameter; {suggestion(name, known)}"
        for kind, priors in classes.items()
        for name in priors
        if name not in known
    ]


def _faults_of_maps(config: Mapping[str, Any], root: Path) -> list[str]:
    """Return the faults of maps: of whose cubes they are, their grids, and methods."""
    areas, faults = config["areas"], []
    able = declaring("assimilation.methods", "COHERENT")
    for name, entry in config["maps"].items():
        where, origin, method = f"maps.{name}", entry["cubes"], entry["method"]
        if origin not in (*areas, *GRIDS):
            offer = suggestion(origin, (*areas, *GRIDS))
            faults.append(f"{where}.cubes: unknown area {origin!r}; {offer}")
        elif "grid" not in entry and "resolution_deg" not in areas.get(origin, {}):
            faults.append(f"{where}.grid: missing; {origin} has no box with a resolution_deg")
        if method not in able:
            found = f"found {method!r}, which does not take the ensemble to start from"
            faults.append(f"{where}.method: {found}; {suggestion(method, able)}")
        faults += _faults_of_class_priors(config, where, entry, root)
        if name in config["sites"]:
            faults.append(f"{where}: a site has the same name; expected another")
    twin = config.get("twin_map", {}).get("map")
    if twin and twin not in config["maps"]:
        faults.append(f"twin_map.map: unknown map {twin!r}; {suggestion(twin, config['maps'])}")
    return faults


def _faults_of_networks(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of networks: their files may not be called as those of other places."""
    others = [*(name for kind in ("sites", "areas", "maps") for name in config[kind]), *GRIDS]
    faults = [
        f"networks.{name}: another place has the same name; expected one of its own"
        for name in config["networks"]
        if name in others
    ]
    for name, entry in config["networks"].items():
        learning = entry["learning"]
        taught = learning.get("parameters", {}).get("networks", learning["folds"])
        if taught < learning["folds"]:
            found = f"found {taught}; expected at least the {learning['folds']} of folds"
            faults.append(f"networks.{name}.learning.parameters.networks: {found}")
    return faults


def _faults_of_tables(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of tables of regions: their maps must be there, their names their own."""
    faults = []
    others = [*(name for kind in PLACES for name in config[kind]), *GRIDS, *SITE_STAGES["report"]]
    for name, entry in config.get("policy", {}).items():
        where = f"policy.{name}"
        if entry["map"] not in config["maps"]:
            offer = suggestion(entry["map"], config["maps"])
            faults.append(f"{where}.map: unknown map {entry['map']!r}; {offer}")
        if name in others:
            faults.append(f"{where}: a place or a page has the same name; expected one of its own")
        names = [slug(region) for region in entry.get("factsheets", [])]
        for number, region in enumerate(entry.get("factsheets", [])):
            if not names[number] or names[number] in names[:number]:
                found = f"found {region!r}, whose file would be called {names[number]!r}"
                faults.append(f"{where}.factsheets: {found}; expected a name for each file")
        if {"source", "file"} & entry["polygons"].keys() == {"source"}:
            faults.append(f"{where}.polygons.file: missing; source names where it is from")
    return faults


def _faults_of_upscaling(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of upscaling: who teaches, and whose cells, must be there."""
    areas, asked = config["areas"], config.get("upscaling", {"cubes": []})
    known = (*areas, *GRIDS)
    faults = [
        f"upscaling.cubes: unknown area {name!r}; {suggestion(name, known)}"
        for name in asked["cubes"]
        if name not in known
    ]
    if "network" in asked and asked["network"] not in config["networks"]:
        name = asked["network"]
        offer = suggestion(name, config["networks"]) if config["networks"] else "the run has none"
        faults.append(
            f"upscaling.network: unknown network {name!r}; {offer}. One or two towers of a run's "
            "sites cannot teach: what some teach is calibrated and judged at others"
        )
    faults += [
        f"maps.{name}.upscaled: {entry['cubes']} is not among upscaling.cubes; expected it there"
        for name, entry in config["maps"].items()
        if entry.get("upscaled") and entry["cubes"] not in asked["cubes"]
    ]
    return faults


def _faults_of_reconstruction(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of reconstruction: whose leaves they are, and blocks that share cells."""
    asked = config.get("reconstruction", {})
    known = (*config["areas"], *config["networks"], *GRIDS)
    faults = []
    if asked and asked["leaves"]["cubes"] not in known:
        name = asked["leaves"]["cubes"]
        offer = suggestion(name, known)
        faults.append(f"reconstruction.leaves.cubes: unknown area {name!r}; {offer}")
    cover = asked.get("cover", {"region_deg": 1.0, "coarse_deg": 1.0})
    blocks = cover["region_deg"] / cover["coarse_deg"]
    if abs(blocks - round(blocks)) > 1e-9:
        faults.append(
            f"reconstruction.cover.region_deg: found {cover['region_deg']:g}; expected a multiple "
            f"of coarse_deg, {cover['coarse_deg']:g}, or a coarse block teaches and judges"
        )
    return faults


def _faults_of_cubes(sites: Mapping[str, Any]) -> list[str]:
    """Return the faults of sites whose cubes are those of others, which must have daily records."""
    daily = [name for name, site in sites.items() if site_kind(site) == "daily"]
    origins = {name: site["cubes"]["of"] for name, site in sites.items() if "cubes" in site}
    return [
        f"sites.{name}.cubes.of: found {origin!r}, no site with daily records; "
        f"{suggestion(origin, (*daily, *GRIDS))}"
        for name, origin in origins.items()
        if origin not in (*daily, *GRIDS)
    ]


def _faults_of_cases(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of cases of cost, whose sites must be the run's."""
    sites = config["sites"]
    return [
        f"cost.cases.{case}: unknown site {name!r}; {suggestion(name, sites)}"
        for case, names in config.get("cost", {}).get("cases", {}).items()
        for name in names
        if name not in sites
    ]


def _faults_of_forecast(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of forecasts: of sites of days, by a method that is run and has a state."""
    if "forecast" not in config:
        return []
    sites, wanted = config["sites"], config["forecast"]
    daily = [name for name, site in sites.items() if site_step(site) == "day"]
    faults = [
        f"forecast.sites: found {name!r}, no site of days; {suggestion(name, daily)}"
        for name in wanted["sites"]
        if name not in daily
    ]
    method, methods = wanted["method"], config["assimilation"]["methods"]
    filters = declaring("assimilation.methods", "FINAL_STATE")
    if method not in filters:
        faults.append(
            f"forecast.method: found {method!r}, which leaves no state to go on from; "
            f"{suggestion(method, filters)}"
        )
    elif method not in methods:
        faults.append(
            f"forecast.method: found {method!r}; expected it to be one of assimilation.methods, "
            f"which are {', '.join(methods)}"
        )
    return faults


def _faults_of_scenarios(config: Mapping[str, Any]) -> list[str]:
    """Return the faults of scenarios: places, climates, land uses and covers that are not there."""
    if "scenarios" not in config:
        return []
    wanted = config["scenarios"]
    places = projected_places(config)
    named = [("places", name, places) for name in wanted.get("places", [])]
    for name, case in wanted["cases"].items():
        for key, table in (("climate", "climates"), ("land_use", "land_uses")):
            named.append((f"cases.{name}.{key}", case[key], wanted[table]))
    faults = []
    for name, use in wanted["land_uses"].items():
        for k, lever in enumerate(use.get("transitions", [])):
            where = f"land_uses.{name}.transitions[{k}]"
            named += [(f"{where}.{key}", lever[key], wanted["covers"]) for key in ("from", "to")]
            if lever["from"] == lever["to"]:
                faults.append(
                    f"scenarios.{where}.to: found {lever['to']!r}; expected another cover"
                )
        for k, own in enumerate(use.get("management", [])):
            where = f"land_uses.{name}.management[{k}].cover"
            named.append((where, own["cover"], wanted["covers"]))
        for cover in use.get("luh2", {"covers": ()})["covers"]:
            named.append((f"land_uses.{name}.luh2.covers", cover, wanted["covers"]))
    return faults + [
        f"scenarios.{where}: unknown name {name!r}; {suggestion(name, known)}"
        for where, name, known in named
        if name not in known
    ]


def _refuse(what: object, faults: Sequence[str]) -> None:
    if len(faults) == 1:
        raise ConcertoError(f"{what}: {faults[0]}")
    if faults:
        raise ConcertoError("\n  - ".join([f"{what}: {len(faults)} faults", *faults]))


@cache
def _schema() -> dict[str, Any]:
    return load_yaml(ROOT / "config/schema.yaml")


def _faults(content: Any, schema: Mapping[str, Any], root: Path) -> list[str]:
    def known(_validator, place: str, name: Any, _schema) -> Iterator[ValidationError]:
        """Check that a text names a plug-in, or a file of a folder of the configuration."""
        files = (root / place).glob("*.yaml")
        names = available(place) if place in PACKAGES else [file.stem for file in files]
        if isinstance(name, str) and name not in names:
            yield ValidationError(f"unknown name {name!r}; {suggestion(name, names)}")

    checker = validators.extend(_Checker, {"known": known})(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    errors = sorted(checker.iter_errors(content), key=lambda error: [str(p) for p in error.path])
    return [f"{_where(error, content)}: {_wording(error)}" for error in errors]


# The keywords of our own, described at the top of config/schema.yaml, and those whose standard
# form does not say which key is at fault. Each is called with the validator, the keyword's value,
# the content and the schema around the keyword.


def _less(_validator, pair: list, content: Any, _schema) -> Iterator[ValidationError]:
    try:
        low, high = (content[key] for key in pair)
        in_order = low < high
    except (KeyError, IndexError, TypeError):
        return  # another keyword says what is wrong with them
    if not in_order:
        other = f"item {pair[1]}" if isinstance(content, list) else pair[1]
        message = f"found {_found(low)}; expected less than {other}, which is {_found(high)}"
        yield ValidationError(message, path=[pair[0]])


def _among(_validator, pair: list, content: Any, _schema) -> Iterator[ValidationError]:
    name, names = (_texts(content, key) for key in pair)
    if name and name[0] not in names:
        message = f"unknown name {name[0]!r}; {suggestion(name[0], names)}"
        yield ValidationError(message, path=[pair[0]])


def _covers(_validator, pair: list, content: Any, _schema) -> Iterator[ValidationError]:
    keys, names = (_texts(content, key) for key in pair)
    for name in sorted(set(names) - set(keys)):
        yield ValidationError(f"missing; {pair[1]} names it", path=[pair[0], name])


def _apart(_validator, groups: dict, content: Any, _schema) -> Iterator[ValidationError]:
    for key, others in groups.items():
        for other in others:
            if _has_key(content, key) and _has_key(content, other):
                yield ValidationError(f"found beside {key}; expected one of them", path=[other])


def _either(_validator, texts: dict, content: Any, _schema) -> Iterator[ValidationError]:
    if isinstance(content, dict) and not texts.keys() & content.keys():
        expected = " or ".join(f"{key} ({text})" for key, text in texts.items())
        yield ValidationError(f"found neither; expected {expected}", path=["/".join(texts)])


def _has_key(content: Any, key: str) -> bool:
    return isinstance(content, dict) and key in content


def _unique_by(_validator, key: str, content: Any, _schema) -> Iterator[ValidationError]:
    if isinstance(content, list):
        values = [item.get(key) for item in content if isinstance(item, dict)]
        for value in sorted({str(value) for value in values if values.count(value) > 1}):
            yield ValidationError(f"{key} {value!r} more than once; expected once")


def _required(validator, keys: list, content: Any, _schema) -> Iterator[ValidationError]:
    if validator.is_type(content, "object"):
        for key in keys:
            if key not in content:
                yield ValidationError("missing", path=[key])


def _additional(validator, allowed: Any, content: Any, schema: dict) -> Iterator[ValidationError]:
    if allowed is not False:
        standard = Draft202012Validator.VALIDATORS["additionalProperties"]
        yield from standard(validator, allowed, content, schema)
    elif validator.is_type(content, "object"):
        names = schema["properties"]
        for key in content:
            if key not in names:
                yield ValidationError(f"unknown key; {suggestion(str(key), names)}", path=[key])


def _texts(content: Any, key: str) -> list[str]:
    """Return the text or texts under a key, none where the content is of another shape."""
    value = content.get(key, []) if isinstance(content, dict) else []
    values = value if isinstance(value, list | dict) else [value]
    return [item for item in values if isinstance(item, str)]


def _is_number(_checker, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(_checker, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_Checker = validators.extend(
    Draft202012Validator,
    {
        "less": _less,
        "among": _among,
        "covers": _covers,
        "apart": _apart,
        "either": _either,
        "unique_by": _unique_by,
        "required": _required,
        "additionalProperties": _additional,
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": _is_number, "integer": _is_integer}
    ),
)

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a finite number",
    "integer": "a whole number",
    "boolean": "true or false",
}
_EXPECTED = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "at least {} character(s)",
    "minItems": "at least {} item(s)",
    "maxItems": "at most {} item(s)",
    "uniqueItems": "no item twice",
    "minProperties": "at least {} key(s)",
    "maxProperties": "at most {} key(s)",
    "pattern": "text that matches {}",
    "format": "a {}, such as 2013-01-31",
}


def _where(error: ValidationError, content: Any) -> str:
    """Write where a fault is as a dotted path; a list's item goes by its name, if it has one."""
    where = ""
    for key in error.absolute_path:
        content = content[key] if _has(content, key) else None
        if isinstance(key, int):
            where += f"[{content.get('name', key) if isinstance(content, dict) else key}]"
        else:
            where += f".{key}"
    return where.removeprefix(".") or "top level"


def _has(content: Any, key: Any) -> bool:
    return (isinstance(content, dict) and key in content) or isinstance(content, list)


def _wording(error: ValidationError) -> str:
    keyword, value = error.validator, error.validator_value
    if keyword == "type":
        kinds = [value] if isinstance(value, str) else value
        expected = " or ".join(_TYPES[kind] for kind in kinds)
        return f"found {_found(error.instance)}; expected {expected}"
    if keyword == "enum":
        return f"found {_found(error.instance)}; {suggestion(str(error.instance), value)}"
    if keyword in _EXPECTED:
        expected = _EXPECTED[keyword].format(value)
        if keyword.endswith("Properties") and "properties" in error.schema:
            expected += f" of {', '.join(error.schema['properties'])}"
        return f"found {_found(error.instance)}; expected {expected}"
    return error.message


def _found(value: Any) -> str:
    if isinstance(value, date):
        return f"{value} without quotes"
    if isinstance(value, dict):
        return f"a mapping with {', '.join(map(str, value)) or 'no keys'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "nothing" if value is None else repr(value)
