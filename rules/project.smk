# The calibrated ensemble over the whole record, and forecasts from the state at a filter's end.


rule project_site:
    input:
        model=site_model,
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        statement=f"{RUN}/posterior/{{site}}/errors.json",
        posterior=f"{RUN}/posterior/{{site}}/{{method}}.nc",
    output:
        ensemble=f"{RUN}/projection/{{site}}/{{method}}.nc",
    log:
        f"{RUN}/logs/project_site.{{site}}.{{method}}.log",
    benchmark:
        f"{RUN}/benchmarks/project_site.{{site}}.{{method}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("project_site"),
        site=site_config,
        members=config["projection"]["members"],
        seed=config["seed"],
    message:
        "Predict {wildcards.site} with the posterior of {wildcards.method}"
    script:
        "../scripts/project_site.py"


rule forecast_site:
    input:
        model=site_model,
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        statement=f"{RUN}/posterior/{{site}}/errors.json",
        posterior=f"{RUN}/posterior/{{site}}/{{method}}.nc",
        weather=weather_ahead,
    output:
        ensemble=f"{RUN}/projection/{{site}}/forecast.{{method}}.nc",
    log:
        f"{RUN}/logs/forecast_site.{{site}}.{{method}}.log",
    benchmark:
        f"{RUN}/benchmarks/forecast_site.{{site}}.{{method}}.tsv"
    wildcard_constraints:
        site=one_of(FORECAST["sites"]),
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("forecast_site"),
        site=site_config,
        days=FORECAST["days"],
        members=FORECAST["members"],
        weather=lambda wildcards: forecast_weather(FORECAST, wildcards.site),
        seed=config["seed"],
    message:
        "Forecast {wildcards.site} from the state that {wildcards.method} leaves"
    script:
        "../scripts/forecast_site.py"


rule project_tile:
    input:
        unpack(map_cubes),
        model=map_model,
        posterior=f"{RUN}/posterior/{{map}}/{{tile}}.nc",
        weights=weights_of,
    output:
        monthly=f"{RUN}/products/{{map}}/tiles/{{tile}}.nc",
        annual=f"{RUN}/products/{{map}}/annual/{{tile}}.nc",
        sums=f"{RUN}/products/{{map}}/sums/{{tile}}.nc",
    log:
        f"{RUN}/logs/project_tile.{{map}}.{{tile}}.log",
    benchmark:
        f"{RUN}/benchmarks/project_tile.{{map}}.{{tile}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=tile_memory,
        runtime=60,
    params:
        library=library("project_tile"),
        map=map_config,
        grid=map_bounds,
    message:
        "Predict tile {wildcards.tile} of {wildcards.map} with its posterior"
    script:
        "../scripts/project_tile.py"


rule project_batch:
    input:
        unpack(map_cubes),
        model=map_model,
        posterior=f"{RUN}/posterior/{{map}}/{{tile}}.nc",
    output:
        projection=f"{RUN}/projection/{{map}}/{{tile}}.nc",
    log:
        f"{RUN}/logs/project_batch.{{map}}.{{tile}}.log",
    benchmark:
        f"{RUN}/benchmarks/project_batch.{{map}}.{{tile}}.tsv"
    wildcard_constraints:
        tile="b[0-9]+",
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=tile_memory,
        runtime=60,
    params:
        library=library("project_batch"),
        map=map_config,
    message:
        "Predict towers {wildcards.tile} of {wildcards.map} with their posteriors"
    script:
        "../scripts/project_batch.py"


rule project_priors:
    input:
        unpack(map_cubes),
        model=map_model,
        taught=f"{RUN}/learned/{{map}}/parameters.{{by}}.nc",
    output:
        projection=f"{RUN}/projection/{{map}}/prior.{{by}}.nc",
    log:
        f"{RUN}/logs/project_priors.{{map}}.{{by}}.log",
    benchmark:
        f"{RUN}/benchmarks/project_priors.{{map}}.{{by}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("project_priors"),
        map=map_config,
        members=config["projection"]["members"],
        seed=config["seed"],
    message:
        "Predict towers of {wildcards.map} with what others teach by {wildcards.by}"
    script:
        "../scripts/project_priors.py"
