# What rules of several stages share.


def library(script):
    """Return a digest of the library modules of a rule's script, so that editing one reruns it."""
    return digest(Path(workflow.basedir, "scripts", f"{script}.py"))


def site_config(wildcards):
    """Return the configuration of the site of a job."""
    return config["sites"][wildcards.site]


def method_budget(wildcards):
    """Return the budget of a method, with what the site's own configuration says of it."""
    method = wildcards.method
    own = site_config(wildcards).get("budgets", {}).get(method, {})
    return config["assimilation"]["budgets"][method] | own
