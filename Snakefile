"""The land carbon cycle, from raw records to budgets with uncertainty.

Configuration, its validation, the rules in the order in which data flow, and what a run makes.
"""

import os
import sys
from dataclasses import astuple
from functools import cache
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from concerto.config import (
    CLASSES,
    GRIDS,
    check_targets,
    forecast_weather,
    load_yaml,
    model_files,
    projected_places,
    read_source,
    site_kind,
    source_identity,
    source_names,
    source_words,
    validate_config,
)
from concerto.console import release, watch
from concerto.ending import missing, products, results, verdicts, warned
from concerto.errors import ConcertoError
from concerto.imports import digest
from concerto.maps import map_grid, slug
from concerto.networks import (
    ALL,
    FLUXES,
    INNER,
    MOST_TOWERS,
    TAUGHT_BY,
    TRAITS,
    UNSEEN,
    trial_name,
    trials,
)
from concerto.pace import Pace, Work, expected_seconds
from concerto.places import (
    places,
    record_sources,
    request_of,
    requests,
    shape_of,
    source_identities,
    wanted,
)
from concerto.provenance import code_sha256, run_id
from concerto.patterns import matching
from concerto.scale import (
    CORES,
    cubes_of,
    map_of,
    measured_tiles,
    scale_maps,
    synthetic_grids,
)
from concerto.scripting import failures, texts
from concerto.sources._access import require_logins
from concerto.sources._catalogue import foreseen
from concerto.whole import require_writable

# One's own configuration with places takes that of the default one, whose sites it would get.
if not {"sites", "areas", "maps", "networks", "scale"} & config.keys():

    configfile: "config/config.yaml"


try:
    for file in workflow.configfiles:
        load_yaml(Path(file))
    validate_config(config)
    check_targets(sys.argv[1:], config)
except ConcertoError as error:
    raise WorkflowError(str(error)) from None

BEGUN = time.time()
RUN = f"results/{config['run']}"
SITES = list(config.setdefault("sites", {}))
AREAS = list(config.setdefault("areas", {}))
MAPS = list(config.setdefault("maps", {}))
NETWORKS = list(config.setdefault("networks", {}))
POLICY = config.get("policy", {})
# Of each table the regions that have a page, by what its files are called.
SHEETS = {
    table: {slug(region): region for region in entry.get("factsheets", [])}
    for table, entry in POLICY.items()
}
FACTSHEETS = [
    f"{RUN}/report/{table}.{name}.{kind}"
    for table, names in SHEETS.items()
    for name in names
    for kind in ("html", "pdf")
]
MAPPED = {
    **config["maps"],
    **scale_maps(config.get("scale", {})),
    **trials(config["networks"]),
}
PLACES = places(config)
REQUESTED = requests(config)
MODEL = model_files(config)
METHODS = config["assimilation"]["methods"]
SOURCES = source_identities(config)
VERSION = str(load_yaml(Path(workflow.basedir, "CITATION.cff"))["version"])
RUN_ID = run_id(config, VERSION, SOURCES)
FORECAST = config.get("forecast", {"sites": [], "method": "", "days": 1, "members": 2})
SCENARIOS = config.get("scenarios", {"climates": {}, "land_uses": {}})
FUTURES = (
    SCENARIOS.get("places", projected_places(config)) if config.get("scenarios") else []
)
# Tables of maps that have scenarios.
FORETOLD = [name for name, entry in POLICY.items() if entry["map"] in FUTURES]
CALIBRATION = config.get("twin", {}).get("calibration", {})
CALIBRATED = list(CALIBRATION.get("budgets", {}))
REPORT = f"{RUN}/report/index.html"
MAPS_COST = (
    f"{RUN}/report/scale.html"
    if "scale" in config
    else "snakemake scale --configfile config/runs/scale.yaml"
)
VERDICTS = [f"{RUN}/evaluation/{site}/verdicts.txt" for site in SITES]

# Machine code of this run, or of all runs where the variable says so.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(RUN, "numba_cache").resolve()))
os.environ.update(NUMBA_CACHE_LOCATOR_CLASSES="concerto.machine_code.LibraryLocator")
# One job, one core: libraries must not start threads of their own.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


include: "rules/common.smk"


wildcard_constraints:
    site=one_of(SITES),
    area=one_of(AREAS),
    map=one_of(MAPPED),
    network=one_of(NETWORKS),
    table=one_of(POLICY),
    region="[a-z0-9-]+",
    tile="r[0-9]+c[0-9]+|b[0-9]+",
    part="all|r[0-9]+c[0-9]+",
    place=one_of(PLACES),
    period="all|[0-9]{4}(-[0-9]{2})?",
    method="|".join({*METHODS, *CALIBRATED}),
    job="[0-9]+",
    flux="|".join(FLUXES),
    by="|".join(TAUGHT_BY),
    experiment="calibration|information",
    source="[a-z0-9_]+",
    target=one_of([*AREAS, *GRIDS]),
    leafy=one_of([*AREAS, *GRIDS, *NETWORKS]),


include: "rules/catalogue.smk"
include: "rules/acquire.smk"
include: "rules/prepare.smk"
include: "rules/learn.smk"
include: "rules/upscale.smk"
include: "rules/reconstruct.smk"
include: "rules/simulate.smk"
include: "rules/assimilate.smk"
include: "rules/project.smk"
include: "rules/evaluate.smk"
include: "rules/publish.smk"
include: "rules/policy.smk"
include: "rules/scenarios.smk"
include: "rules/ilamb.smk"
include: "rules/towers.smk"
include: "rules/canopy.smk"
include: "rules/emulate.smk"
include: "rules/twin.smk"
include: "rules/twin_map.smk"
include: "rules/scale.smk"
include: "rules/benchmark.smk"
include: "rules/compare.smk"
include: "rules/report.smk"
include: "rules/provenance.smk"


# What a run makes unless something else is asked for; its crate describes all of it.
PUBLISHED = [
    *([f"{RUN}/report/explorer.html"] if SITES or MAPS else []),
    *(
        [
            REPORT,
            *rules.write_assimilation_page.output,
            *rules.write_evaluation_page.output,
            *rules.write_provenance_page.output,
        ]
        if SITES or MAPS or NETWORKS
        else []
    ),
    *expand(f"{RUN}/report/{{site}}.html", site=SITES),
    *expand(f"{RUN}/products/{{site}}/fluxes.nc", site=SITES),
    *expand(f"{RUN}/cubes/{{area}}/drivers.nc", area=AREAS),
    *expand(f"{RUN}/figures/{{area}}/gaps.png", area=filter(is_observed, AREAS)),
    *expand(f"{RUN}/report/{{map}}.html", map=MAPS),
    *expand(f"{RUN}/report/{{table}}.html", table=POLICY),
    *expand(f"{RUN}/policy/{{table}}/futures.csv", table=FORETOLD),
    *FACTSHEETS,
    *([f"{RUN}/report/reconstruction.html"] if "reconstruction" in config else []),
    *([f"{RUN}/report/upscaling.html"] if "upscaling" in config else []),
    *(rules.write_predictions.output if NETWORKS else []),
    *expand(f"{RUN}/report/{{network}}.html", network=NETWORKS),
    *([f"{RUN}/report/scenarios.html"] if FUTURES else []),
]


rule all:
    default_target: True
    input:
        PUBLISHED,
        rules.write_crate.output,


onstart:
    jobs = list(workflow.dag.needrun_jobs())
    acquired = [job for job in jobs if "acquire" in job.rule.name]
    try:
        require_writable(file for job in jobs for file in job.output)
        require_logins(
            {job.wildcards.source for job in acquired}, os.environ, Path.home()
        )
    except ConcertoError as error:
        raise WorkflowError(str(error)) from None
    works = works_of(workflow.dag)
    at_once = workflow.resource_settings.cores or workflow.resource_settings.nodes
    pace = Pace(works, expected_seconds(works, "results"), at_once or 1)
    watch(logger, "DefaultStreamHandler", pace)


onsuccess:
    release(logger)
    others = {
        "benchmark": {f"{RUN}/speed": f"Speed (of maps: {MAPS_COST})"},
        "cost": {f"{RUN}/speed": "Cost"},
        "canopy": {f"{RUN}/figures": "Canopy"},
        "emulator": {f"{RUN}/report/emulator.html": "Emulators"},
        "scale": {f"{RUN}/report/scale.html": "Scale"},
        "upscaling": {f"{RUN}/report/upscaling.html": "Upscaled fluxes"},
        "twin": {f"{RUN}/report/twin.html": "Twin experiments"},
        "twin_map": {f"{RUN}/report/twin_map.html": "Twin experiment of a map"},
        "compare_runs": {f"{RUN}/report/compare_runs.html": "Runs compared"},
        "reproduce": {f"{RUN}/reproduction/products.csv": "The same again"},
        **{name: {f"{RUN}/plan/{PLANS[name]}.txt": "Plan"} for name in PLANS},
    }
    shown = [f"{RUN}/plan/{PLANS[name]}.txt" for name in PLANS if name in sys.argv]
    twin = [
        f"{RUN}/{target}/verdicts.txt"
        for target in ("twin", "twin_map")
        if target in sys.argv
    ]
    named = {}
    for target, pages in others.items():
        named |= pages if target in sys.argv else {}
    files = list(workflow.dag.targetfiles)
    if not named and not files:
        named |= {REPORT: "Report"}
        named |= {f"{RUN}/report/{name}.html": "Map" for name in MAPS}
        named |= {f"{RUN}/report/{name}.html": "Table" for name in POLICY}
        named |= {page: "Page" for page in FACTSHEETS if page.endswith("html")}
        named |= {f"{RUN}/report/{name}.html": "Report" for name in NETWORKS}
        named |= {f"{RUN}/report/scenarios.html": "Scenarios"}
        named |= {f"{RUN}/cubes/{name}": f"Cubes of {name}" for name in AREAS}
        print(verdicts(VERDICTS), products(f"{RUN}/products"), sep="", end="")
    print(
        texts(shown), verdicts(twin), warned(f"{RUN}/logs", BEGUN), sep="", end=""
    )
    made = [
        file for job in workflow.dag.targetjobs for file in job.output or job.input
    ]
    print(missing(made), end="")
    print(results(named, files, RUN))


onerror:
    release(logger)
    for place, message in failures(Path(RUN, "logs")):
        print(f"Failed: {place}: {message}")
    pages = [Path(RUN, "report", f"{site}.html") for site in SITES]
    found = [str(page) for page in pages if page.exists()]
    print(verdicts(VERDICTS), end="")
    print(f"Sites with a report: {', '.join(found) or 'none'}")
