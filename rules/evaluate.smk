# How good predictions of withheld observations are, beside simple baselines.


rule fit_baselines:
    input:
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        projection=f"{RUN}/projection/{{site}}/{config['assimilation']['product']}.nc",
    output:
        ensembles=f"{RUN}/evaluation/{{site}}/baselines.nc",
    log:
        f"{RUN}/logs/fit_baselines.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/fit_baselines.{{site}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("fit_baselines"),
        members=config["projection"]["members"],
        seed=config["seed"],
    message:
        "Fit the baselines of {wildcards.site}"
    script:
        "../scripts/fit_baselines.py"


rule score_site:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        projections=expand(
            f"{RUN}/projection/{{{{site}}}}/{{method}}.nc", method=METHODS
        ),
        baselines=f"{RUN}/evaluation/{{site}}/baselines.nc",
    output:
        scores=f"{RUN}/evaluation/{{site}}/scores.csv",
        notes=f"{RUN}/evaluation/{{site}}/notes.csv",
    log:
        f"{RUN}/logs/score_site.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/score_site.{{site}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("score_site"),
        methods=METHODS,
        seed=config["seed"],
    message:
        "Score the predictions of {wildcards.site}"
    script:
        "../scripts/score_site.py"


rule score_forecast:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        forecast=f"{RUN}/projection/{{site}}/forecast.{FORECAST['method']}.nc",
        projection=f"{RUN}/projection/{{site}}/{config['assimilation']['product']}.nc",
        baselines=f"{RUN}/evaluation/{{site}}/baselines.nc",
    output:
        scores=f"{RUN}/evaluation/{{site}}/forecast.csv",
    log:
        f"{RUN}/logs/score_forecast.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/score_forecast.{{site}}.tsv"
    wildcard_constraints:
        site=one_of(FORECAST["sites"]),
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=10,
    params:
        library=library("score_forecast"),
        method=config["assimilation"]["product"],
        seed=config["seed"],
    message:
        "Score the forecast of {wildcards.site} by lead time"
    script:
        "../scripts/score_forecast.py"


rule compare_methods:
    input:
        posteriors=expand(f"{RUN}/posterior/{{{{site}}}}/{{method}}.nc", method=METHODS),
    output:
        table=f"{RUN}/evaluation/{{site}}/methods.csv",
        verdicts=f"{RUN}/evaluation/{{site}}/verdicts.txt",
    log:
        f"{RUN}/logs/compare_methods.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/compare_methods.{{site}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("compare_methods"),
        methods=METHODS,
        reference=config["assimilation"]["product"],
    message:
        "Compare the methods of {wildcards.site}"
    script:
        "../scripts/compare_methods.py"


rule sum_regions:
    input:
        tiles=lambda wildcards: tile_files(
            wildcards.map, f"products/{wildcards.map}/sums"
        ),
    output:
        sums=f"{RUN}/products/{{map}}/regions.nc",
        table=f"{RUN}/products/{{map}}/regions.csv",
    log:
        f"{RUN}/logs/sum_regions.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/sum_regions.{{map}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        library=library("sum_regions"),
        run_id=RUN_ID,
    message:
        "Add up the regions of {wildcards.map}"
    script:
        "../scripts/sum_regions.py"


rule score_towers:
    input:
        observations=f"{RUN}/cubes/{{network}}/observations.nc",
        land=f"{RUN}/cubes/{{network}}/land.nc",
        learned=learned_of(ALL),
        inner=learned_of(INNER),
        untold=lambda wildcards: projections_of(wildcards.network, UNSEEN),
        priors=prior_runs,
    output:
        scores=f"{RUN}/evaluation/{{network}}/scores.csv",
        judged=f"{RUN}/evaluation/{{network}}/judged.nc",
    log:
        f"{RUN}/logs/score_towers.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/score_towers.{{network}}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("score_towers"),
        network=network_config,
        seed=config["seed"],
    message:
        "Score the predictions of {wildcards.network} on what was withheld"
    script:
        "../scripts/score_towers.py"
