# The half-hourly canopy beside what towers measure: `snakemake canopy`. Nothing is calibrated.

CANOPY = config.get("canopy", {"sites": [], "members": 16, "known": {}})


rule canopy:
    input:
        expand(f"{RUN}/figures/{{site}}/canopy.png", site=CANOPY["sites"]),


rule run_canopy:
    input:
        model=model_files({"model": "canopy", "sites": {}}),
        record=f"{RUN}/cubes/{{site}}/halfhourly.nc",
    output:
        ensemble=f"{RUN}/projection/{{site}}/canopy.nc",
    log:
        f"{RUN}/logs/run_canopy.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/run_canopy.{{site}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("run_canopy"),
        site=site_config,
        fixed=CANOPY["known"],
        members=CANOPY["members"],
        seed=config["seed"],
    message:
        "Run the canopy of {wildcards.site} through its half-hours"
    script:
        "../scripts/run_canopy.py"


rule score_canopy:
    input:
        record=f"{RUN}/cubes/{{site}}/halfhourly.nc",
        ensemble=f"{RUN}/projection/{{site}}/canopy.nc",
    output:
        table=f"{RUN}/evaluation/{{site}}/canopy.csv",
    log:
        f"{RUN}/logs/score_canopy.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/score_canopy.{{site}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("score_canopy"),
    message:
        "Score the canopy of {wildcards.site}"
    script:
        "../scripts/score_canopy.py"


rule plot_canopy:
    input:
        record=f"{RUN}/cubes/{{site}}/halfhourly.nc",
        ensemble=f"{RUN}/projection/{{site}}/canopy.nc",
        scores=f"{RUN}/evaluation/{{site}}/canopy.csv",
    output:
        figure=f"{RUN}/figures/{{site}}/canopy.png",
        words=f"{RUN}/figures/{{site}}/canopy.json",
    log:
        f"{RUN}/logs/plot_canopy.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_canopy.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("plot_canopy"),
    message:
        "Draw the canopy of {wildcards.site}"
    script:
        "../scripts/plot_canopy.py"
