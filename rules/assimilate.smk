# Observations into parameters: first how wrong the model is, then its posterior by each method.


rule state_errors:
    input:
        model=site_model,
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
    output:
        statement=f"{RUN}/posterior/{{site}}/errors.json",
    log:
        f"{RUN}/logs/state_errors.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/state_errors.{{site}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("state_errors"),
        site=site_config,
        constraints=config["constraints"],
        budget=config["assimilation"]["budgets"]["esmda"],
        settings=config["assimilation"].get("errors", {}),
        seed=config["seed"],
    message:
        "State the errors of model and observations of {wildcards.site}"
    script:
        "../scripts/state_errors.py"


rule assimilate_site:
    input:
        model=site_model,
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        statement=f"{RUN}/posterior/{{site}}/errors.json",
    output:
        posterior=f"{RUN}/posterior/{{site}}/{{method}}.nc",
    log:
        f"{RUN}/logs/assimilate_site.{{site}}.{{method}}.log",
    benchmark:
        f"{RUN}/benchmarks/assimilate_site.{{site}}.{{method}}.tsv"
    # Longest jobs first.
    priority: 10
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        library=library("assimilate_site"),
        site=site_config,
        constraints=config["constraints"],
        budget=method_budget,
        seed=config["seed"],
    message:
        "Assimilate {wildcards.site} by {wildcards.method}"
    script:
        "../scripts/assimilate_site.py"
