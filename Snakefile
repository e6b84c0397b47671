"""The land carbon cycle, from raw records to budgets with uncertainty.

Configuration, its validation, the rules in the order in which data flow, and what a run makes.
"""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from concerto.config import load_yaml, source_identity, validate_config
from concerto.errors import ConcertoError
from concerto.imports import library_modules
from concerto.scripting import failures


configfile: "config/config.yaml"


try:
    for file in workflow.configfiles:
        load_yaml(Path(file))
    validate_config(config)
except ConcertoError as error:
    raise WorkflowError(str(error)) from None

RUN = f"results/{config['run']}"
SITES = list(config["sites"])
METHODS = config["assimilation"]["methods"]
REPORT = f"{RUN}/report/index.html"

os.environ["NUMBA_CACHE_DIR"] = str(Path(RUN, "numba_cache").resolve())
# One job, one core: libraries must not start threads of their own.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


wildcard_constraints:
    site="|".join(SITES),
    method="|".join(METHODS),
    source="[a-z0-9_]+",


def library(script):
    """Return the library modules of a rule's script, so that editing one reruns the rule."""
    return [str(file) for file in library_modules(Path(workflow.basedir, "scripts", f"{script}.py"))]


def site_config(wildcards):
    """Return the configuration of the site of a job."""
    return config["sites"][wildcards.site]


include: "rules/acquire.smk"
include: "rules/prepare.smk"
include: "rules/simulate.smk"
include: "rules/assimilate.smk"
include: "rules/project.smk"
include: "rules/evaluate.smk"
include: "rules/publish.smk"


rule all:
    default_target: True
    input:
        REPORT,
        expand(f"{RUN}/report/{{site}}.html", site=SITES),
        expand(f"{RUN}/products/{{site}}/fluxes.nc", site=SITES),


onsuccess:
    print(f"Done. Report: {REPORT}")


onerror:
    for place, message in failures(Path(RUN, "logs")):
        print(f"Failed: {place}: {message}")
    pages = [page for site in SITES if (page := Path(RUN, "report", f"{site}.html")).exists()]
    print(f"Sites with a report: {', '.join(map(str, pages)) or 'none'}")
