# How fast the models run: `snakemake benchmark`. Ratios within one run are what is worth quoting.

TIMED = ["dalec2", "dalec_water", "dalec_cn"]
TIMED_FILES = {name: model_files({"model": name, "sites": {}}) for name in TIMED}


rule benchmark:
    input:
        f"{RUN}/speed/models.csv",
        f"{RUN}/speed/models.png",


rule measure_speed:
    input:
        models=sorted({file for files in TIMED_FILES.values() for file in files}),
    output:
        table=f"{RUN}/speed/models.csv",
    log:
        f"{RUN}/logs/measure_speed.log",
    benchmark:
        f"{RUN}/benchmarks/measure_speed.tsv"
    conda:
        "../envs/model.yaml"
    # All cores: nothing else may run beside it.
    threads: workflow.cores or 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        library=library("measure_speed"),
        models=TIMED_FILES,
        seed=config["seed"],
    message:
        "Measure how fast the models run"
    script:
        "../scripts/measure_speed.py"


rule plot_speed:
    input:
        table=f"{RUN}/speed/models.csv",
    output:
        figure=f"{RUN}/speed/models.png",
        words=f"{RUN}/speed/models.json",
    log:
        f"{RUN}/logs/plot_speed.log",
    benchmark:
        f"{RUN}/benchmarks/plot_speed.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("plot_speed"),
    message:
        "Draw how fast the models run"
    script:
        "../scripts/plot_speed.py"
