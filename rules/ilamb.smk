# Scores as land models are benchmarked with, beside the baselines, and how fluxes answer to weather.


rule score_ilamb:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        projections=expand(
            f"{RUN}/projection/{{{{site}}}}/{{method}}.nc", method=METHODS
        ),
        baselines=f"{RUN}/evaluation/{{site}}/baselines.nc",
    output:
        scores=f"{RUN}/evaluation/{{site}}/ilamb.csv",
        responses=f"{RUN}/evaluation/{{site}}/responses.csv",
    log:
        f"{RUN}/logs/score_ilamb.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/score_ilamb.{{site}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("score_ilamb"),
        methods=METHODS,
        seed=config["seed"],
    message:
        "Score the predictions of {wildcards.site} as land models are benchmarked"
    script:
        "../scripts/score_ilamb.py"


rule plot_ilamb:
    input:
        scores=f"{RUN}/evaluation/{{site}}/ilamb.csv",
        responses=f"{RUN}/evaluation/{{site}}/responses.csv",
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/ilamb.png",
            caption="captions/tower_scores.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Scores"},
        ),
        words=f"{RUN}/figures/{{site}}/ilamb.json",
    log:
        f"{RUN}/logs/plot_ilamb.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_ilamb.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_ilamb"),
        method=PRODUCT,
    message:
        "Draw the benchmarking scores of {wildcards.site}"
    script:
        "../scripts/plot_ilamb.py"


rule score_map:
    input:
        unpack(map_cubes),
        tiles=lambda wildcards: tile_files(
            wildcards.map, f"products/{wildcards.map}/tiles"
        ),
    output:
        scores=f"{RUN}/evaluation/{{map}}/ilamb.csv",
        responses=f"{RUN}/evaluation/{{map}}/responses.csv",
    log:
        f"{RUN}/logs/score_map.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/score_map.{{map}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        library=library("score_map"),
        method=lambda wildcards: map_config(wildcards)["method"],
    message:
        "Score {wildcards.map} as land models are benchmarked"
    script:
        "../scripts/score_map.py"


rule plot_map_scores:
    input:
        scores=f"{RUN}/evaluation/{{map}}/ilamb.csv",
        responses=f"{RUN}/evaluation/{{map}}/responses.csv",
    output:
        figure=report(
            f"{RUN}/figures/{{map}}/ilamb.png",
            caption="captions/map_scores.rst",
            category="Maps",
            subcategory="{map}",
            labels={"figure": "Scores"},
        ),
        words=f"{RUN}/figures/{{map}}/ilamb.json",
    log:
        f"{RUN}/logs/plot_map_scores.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_map_scores.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_map_scores"),
        name=map_name,
        method=lambda wildcards: map_config(wildcards)["method"],
    message:
        "Draw the benchmarking scores of {wildcards.map}"
    script:
        "../scripts/plot_map_scores.py"
