# What the rules of twin experiments share: experiments by name, and what each is made of.

INFORMATION = config.get("twin", {}).get("information", {})
# Experiments by the name of their truths; without the configuration of any, no rule is asked for.
EXPERIMENTS = {"calibration": CALIBRATION, "information": INFORMATION}


def twin_site(experiment):
    """Return the site of an experiment."""
    return EXPERIMENTS[experiment].get("site", next(iter(SITES), None))


def truths_of(experiment):
    """Return how many draws of the prior an experiment needs, of which the first are truths."""
    return experiment.get("free", experiment.get("truths", 0))


def twin_files(experiment):
    """Return what the problem of an experiment is made of."""
    site = twin_site(experiment)
    more = EXPERIMENTS[experiment].get("streams", {})
    return {
        "model": [
            *model_files(
                config
                | {
                    "sites": {
                        site: {"streams": [*config["sites"][site]["streams"], *more]}
                    }
                }
            ),
            *learned_prior(site),
        ],
        "drivers": f"{RUN}/cubes/{site}/drivers.nc",
        "observations": f"{RUN}/cubes/{site}/observations.nc",
        "statement": f"{RUN}/posterior/{site}/errors.json",
    }


# The runs that a page compares; without any, no rule is asked for.
COMPARED = config.get("compare_runs", {})


def compared_files():
    """Return what the compared runs have published, as far as it is there."""
    kinds = (
        "products/*/fluxes.nc",
        "products/*/budget_mean.csv",
        "products/*/regions.csv",
        "evaluation/*/scores.csv",
    )
    found = (Path(folder).glob(kind) for folder in COMPARED.values() for kind in kinds)
    return [ancient(str(file)) for files in found for file in sorted(files)]


# The experiment with a map; without one, no rule is asked for.
TWIN_MAP = config.get("twin_map", {"map": "", "jobs": 1})


def twin_map_files(wildcards):
    """Return what the problems of the cells are made of."""
    entry = config["maps"][TWIN_MAP["map"]]
    folder = f"{RUN}/cubes/{entry['cubes']}"
    return {
        **{what: f"{folder}/{what}.nc" for what in ("drivers", "observations", "land")},
        "model": model_files({**config, "sites": {"cells": entry}}),
        "classes": classes_in(entry),
        "statement": f"{RUN}/posterior/{TWIN_MAP['map']}/errors.json",
    }
