# How fast the models run: `snakemake benchmark`. Ratios within one run are what is worth quoting.

TIMED = {
    "dalec2": ["day", "month"],
    "dalec_water": ["day", "month"],
    "dalec_cn": ["day", "month"],
    "pmodel": ["day"],
    "canopy": ["half-hour"],
}
TIMED_FILES = {name: model_files({"model": name, "sites": {}}) for name in TIMED}

# Of the posterior of one site; as much as each takes to converge, if it does.
TIMED_SITE = SITES[-1]
TIMED_BUDGETS = {
    "hmc": {"chains": 16, "warm_up": 600, "draws": 1600},
    "demcz": {"chains": 4, "generations": 550000, "thin": 200},
    "particle_filter": {"populations": 4, "members": 4000, "windows": 12, "moves": 50},
    "pathfinder": {
        "paths": 16,
        "particles": 256,
        "rounds": 8,
        "draws": 40000,
        "members": 1000,
    },
    "fourdvar": {"starts": 8, "members": 500, "most_iterations": 100},
    "fourdenvar": {"members": 200, "most_iterations": 20},
    "letkf": {"members": 500, "window_days": 90, "passes": 16, "relaxation": 0.0},
    "esmda": {"members": 500, "steps": 16, "most_steps": 60},
}


rule benchmark:
    input:
        f"{RUN}/speed/methods.{TIMED_SITE}.csv",
        f"{RUN}/speed/methods.{TIMED_SITE}.png",
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


rule measure_methods:
    input:
        model=site_model,
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        statement=f"{RUN}/posterior/{{site}}/errors.json",
        reference=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
    output:
        methods=f"{RUN}/speed/methods.{{site}}.csv",
    log:
        f"{RUN}/logs/measure_methods.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/measure_methods.{{site}}.tsv"
    conda:
        "../envs/model.yaml"
    # All cores: nothing else may run beside it.
    threads: workflow.cores or 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        library=library("measure_methods"),
        site=site_config,
        constraints=config["constraints"],
        budgets=TIMED_BUDGETS,
        seed=config["seed"],
    message:
        "Measure what the posterior of {wildcards.site} costs by each method"
    script:
        "../scripts/measure_methods.py"


rule plot_methods:
    input:
        methods=f"{RUN}/speed/methods.{{site}}.csv",
    output:
        figure=f"{RUN}/speed/methods.{{site}}.png",
        words=f"{RUN}/speed/methods.{{site}}.json",
    log:
        f"{RUN}/logs/plot_methods.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_methods.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("plot_methods"),
    message:
        "Draw what the posterior of {wildcards.site} costs by each method"
    script:
        "../scripts/plot_methods.py"
