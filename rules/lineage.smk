# What the rules of provenance share: the folders of sources and the products of the whole run.


def raw_of_run():
    """Return all folders of raw data: of sources of records, and of each request to others."""
    records = [name for name in SOURCES if "members" in source_file(name)]
    return [f"{RUN}/raw/{name}" for name in records] + [
        f"{RUN}/raw/{request.source}/{request.place}/{request.period}"
        for request in REQUESTED
    ]


def products_of_run():
    """Return what a run makes for others to use, beside its pages."""
    return [
        *expand(f"{RUN}/products/{{site}}/{{file}}", site=SITES, file=SITE_PRODUCTS),
        *expand(f"{RUN}/products/{{map}}/{{file}}", map=MAPS, file=MAP_PRODUCTS),
        *rules.write_citations.output,
    ]


def rules_of_run():
    """Return the file of each rule of the run, in their order, and which rule feeds which."""
    needed = {job: workflow.dag.dependencies[job] for job in workflow.dag.jobs}
    names = {job.rule.name for job in needed} - {"all"}
    return {
        "stages": {
            one.name: Path(one.snakefile).stem
            for one in workflow.rules
            if one.name in names
        },
        "pairs": sorted(
            {
                (first.rule.name, job.rule.name)
                for job, before in needed.items()
                for first in before
            }
        ),
    }


def deployment_options():
    """Return the words that give another Snakemake the environments of this one."""
    methods = sorted(
        method.item_to_choice()
        for method in workflow.deployment_settings.deployment_method
    )
    return ["--software-deployment-method", *methods] if methods else []
