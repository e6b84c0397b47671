# What rules of several stages share.


def library(script):
    """Return a digest of the library modules of a rule's script, so that editing one reruns it."""
    return digest(Path(workflow.basedir, "scripts", f"{script}.py"))


def site_config(wildcards):
    """Return the configuration of the site of a job."""
    return config["sites"][wildcards.site]


def sites_of(kind):
    """Return a pattern of the sites whose cubes come from ``kind``, which may be none."""
    names = [site for site in SITES if site_kind(config["sites"][site]) == kind]
    return "|".join(names) or "(?!)"


def origin_cubes(wildcards):
    """Return the daily cubes that a derived site is taken from."""
    folder = f"{RUN}/cubes/{site_config(wildcards)['cubes']['of']}"
    return {what: f"{folder}/{what}.nc" for what in ("drivers", "observations")}


def method_budget(wildcards):
    """Return the budget of a method, with what the site's own configuration says of it."""
    method = wildcards.method
    own = site_config(wildcards).get("budgets", {}).get(method, {})
    return config["assimilation"]["budgets"][method] | own
