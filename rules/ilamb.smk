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
        figure=f"{RUN}/figures/{{site}}/ilamb.png",
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
