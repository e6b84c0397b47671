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
    # Long jobs wait for it.
    priority: 20
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
        mem_mb=memory(2000),
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


rule state_map_errors:
    input:
        unpack(map_cubes),
        model=map_model,
        classes=map_classes,
    output:
        statement=f"{RUN}/posterior/{{map}}/errors.json",
    log:
        f"{RUN}/logs/state_map_errors.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/state_map_errors.{{map}}.tsv"
    # Tiles wait for it.
    priority: 15
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        library=library("state_map_errors"),
        map=map_config,
        constraints=config["constraints"],
        budget=config["assimilation"]["budgets"]["esmda"],
        settings=config["assimilation"].get("errors", {}),
        seed=config["seed"],
    message:
        "State the errors of model and observations of {wildcards.map}"
    script:
        "../scripts/state_map_errors.py"


rule assimilate_tile:
    input:
        unpack(map_cubes),
        model=map_model,
        classes=map_classes,
        taught=taught_parameters,
        statement=f"{RUN}/posterior/{{map}}/errors.json",
    output:
        posterior=f"{RUN}/posterior/{{map}}/{{tile}}.nc",
    log:
        f"{RUN}/logs/assimilate_tile.{{map}}.{{tile}}.log",
    benchmark:
        f"{RUN}/benchmarks/assimilate_tile.{{map}}.{{tile}}.tsv"
    priority: 5
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=tile_memory,
        runtime=120,
    params:
        library=library("assimilate_tile"),
        map=map_config,
        grid=map_bounds,
        constraints=config["constraints"],
        seed=config["seed"],
    message:
        "Assimilate tile {wildcards.tile} of {wildcards.map}"
    script:
        "../scripts/assimilate_tile.py"
