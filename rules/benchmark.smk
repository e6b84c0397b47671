# How fast the models run, what posteriors cost and, where the configuration has `scale`, what maps
# cost: `snakemake benchmark`; the latter alone: `snakemake cost`, `snakemake scale`. Ratios within one
# run are what is worth quoting.

TIMED = {
    "dalec2": ["day", "month"],
    "dalec_water": ["day", "month"],
    "dalec_cn": ["day", "month"],
    "pmodel": ["day"],
    "canopy": ["half-hour"],
}
TIMED_FILES = {name: model_files({"model": name, "sites": {}}) for name in TIMED}

COST = config.get("cost", {})
CASES = COST.get("cases", {site: [site] for site in SITES[-1:]}) if COST else {}
COST_TABLES = {
    site: f"{RUN}/speed/methods.{site}.csv"
    for names in CASES.values()
    for site in names
}
COST_FILES = [f"{RUN}/speed/cost.csv"] * bool(CASES) + expand(
    f"{RUN}/speed/cost.{{case}}.png", case=CASES
)


rule benchmark:
    input:
        COST_FILES,
        f"{RUN}/speed/models.csv",
        f"{RUN}/speed/models.png",
        f"{RUN}/speed/cells.csv",
        f"{RUN}/speed/cells.png",
        rules.scale.input,


rule cost:
    input:
        COST_FILES,


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
        budgets=COST.get("budgets", {}),
        seed=config["seed"],
    message:
        "Measure what the posterior of {wildcards.site} costs by each method"
    script:
        "../scripts/measure_methods.py"


rule tabulate_methods:
    input:
        tables=list(COST_TABLES.values()),
    output:
        cost=f"{RUN}/speed/cost.csv",
    log:
        f"{RUN}/logs/tabulate_methods.log",
    benchmark:
        f"{RUN}/benchmarks/tabulate_methods.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("tabulate_methods"),
        sites=list(COST_TABLES),
        cases=CASES,
    message:
        "Tabulate what posteriors cost by each method, case by case"
    script:
        "../scripts/tabulate_methods.py"


rule plot_methods:
    input:
        cost=f"{RUN}/speed/cost.csv",
    output:
        figure=f"{RUN}/speed/cost.{{case}}.png",
        words=f"{RUN}/speed/cost.{{case}}.json",
    log:
        f"{RUN}/logs/plot_methods.{{case}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_methods.{{case}}.tsv"
    wildcard_constraints:
        case=one_of(CASES),
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("plot_methods"),
    message:
        "Draw what posteriors of {wildcards.case} cost by each method"
    script:
        "../scripts/plot_methods.py"
