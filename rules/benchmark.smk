# How fast the models run: `snakemake benchmark`. Ratios within one run are what is worth quoting.

TIMED = {
    "dalec2": ["day", "month"],
    "dalec_water": ["day", "month"],
    "dalec_cn": ["day", "month"],
    "pmodel": ["day"],
    "canopy": ["half-hour"],
}
TIMED_FILES = {name: model_files({"model": name, "sites": {}}) for name in TIMED}


rule benchmark:
    input:
        f"{RUN}/speed/models.csv",
        f"{RUN}/speed/models.png",
        f"{RUN}/speed/cells.csv",
        f"{RUN}/speed/cells.png",


rule measure_speed:
    input:
        models=sorted({file for files in TIMED_FILES.values() for file in files}),
    output:
        models=f"{RUN}/speed/models.csv",
        cells=f"{RUN}/speed/cells.csv",
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
        steps=TIMED,
        in_cells=["dalec2", "dalec_water"],
        seed=config["seed"],
    message:
        "Measure how fast the models run"
    script:
        "../scripts/measure_speed.py"


rule plot_speed:
    input:
        models=f"{RUN}/speed/models.csv",
        cells=f"{RUN}/speed/cells.csv",
    output:
        models=f"{RUN}/speed/models.png",
        models_words=f"{RUN}/speed/models.json",
        cells=f"{RUN}/speed/cells.png",
        cells_words=f"{RUN}/speed/cells.json",
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
