# Twin experiments, in which the truth is known:
#   snakemake twin --configfile config/runs/twin.yaml


include: "experiments.smk"


rule twin:
    input:
        f"{RUN}/report/twin.html",


rule draw_truths:
    input:
        unpack(lambda wildcards: twin_files(wildcards.experiment)),
    output:
        truths=f"{RUN}/twin/{{experiment}}/truths.nc",
    log:
        f"{RUN}/logs/draw_truths.{{experiment}}.log",
    benchmark:
        f"{RUN}/benchmarks/draw_truths.{{experiment}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        library=library("draw_truths"),
        site=lambda wildcards: config["sites"][twin_site(wildcards.experiment)],
        constraints=config["constraints"],
        more=lambda wildcards: EXPERIMENTS[wildcards.experiment].get("streams", {}),
        truths=lambda wildcards: truths_of(EXPERIMENTS[wildcards.experiment]),
        seed=config["seed"],
    message:
        "Draw truths for {wildcards.experiment} from the prior"
    script:
        "../scripts/draw_truths.py"


rule rank_truths:
    input:
        unpack(lambda wildcards: twin_files("calibration")),
        truths=f"{RUN}/twin/calibration/truths.nc",
    output:
        ranks=f"{RUN}/twin/calibration/{{method}}.{{job}}.csv",
    log:
        f"{RUN}/logs/rank_truths.{{method}}.{{job}}.log",
    benchmark:
        f"{RUN}/benchmarks/rank_truths.{{method}}.{{job}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        library=library("rank_truths"),
        site=config["sites"].get(twin_site("calibration")),
        constraints=config["constraints"],
        jobs=CALIBRATION.get("jobs", 1),
        budgets=lambda wildcards: CALIBRATION["budgets"][wildcards.method],
        draws=CALIBRATION.get("draws", 1),
        seed=config["seed"],
    message:
        "Rank truths among draws of {wildcards.method}, share {wildcards.job}"
    script:
        "../scripts/rank_truths.py"


rule judge_ranks:
    input:
        ranks=expand(
            f"{RUN}/twin/calibration/{{method}}.{{job}}.csv",
            method=CALIBRATED,
            job=range(CALIBRATION.get("jobs", 1)),
        ),
    output:
        ranks=f"{RUN}/twin/ranks.csv",
        calibration=f"{RUN}/twin/calibration.csv",
        methods=f"{RUN}/twin/methods.csv",
        verdicts=f"{RUN}/twin/verdicts.txt",
    log:
        f"{RUN}/logs/judge_ranks.log",
    benchmark:
        f"{RUN}/benchmarks/judge_ranks.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("judge_ranks"),
        draws=CALIBRATION.get("draws", 1),
    message:
        "Judge whether the uncertainty of each method is true"
    script:
        "../scripts/judge_ranks.py"


rule plot_ranks:
    input:
        ranks=f"{RUN}/twin/ranks.csv",
    output:
        ecdf=f"{RUN}/twin/{{method}}_ecdf.png",
        ecdf_words=f"{RUN}/twin/{{method}}_ecdf.json",
        histogram=f"{RUN}/twin/{{method}}_histogram.png",
        histogram_words=f"{RUN}/twin/{{method}}_histogram.json",
    log:
        f"{RUN}/logs/plot_ranks.{{method}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_ranks.{{method}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("plot_ranks"),
        site=twin_site("calibration"),
        draws=CALIBRATION.get("draws", 1),
    message:
        "Draw the ranks of truths among draws of {wildcards.method}"
    script:
        "../scripts/plot_ranks.py"


rule weigh_streams:
    input:
        unpack(lambda wildcards: twin_files("information")),
        truths=f"{RUN}/twin/information/truths.nc",
    output:
        results=f"{RUN}/twin/information/{{job}}.csv",
    log:
        f"{RUN}/logs/weigh_streams.{{job}}.log",
    benchmark:
        f"{RUN}/benchmarks/weigh_streams.{{job}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        library=library("weigh_streams"),
        site=config["sites"].get(twin_site("information")),
        method=INFORMATION.get("method"),
        jobs=INFORMATION.get("jobs", 1),
        first_truths=INFORMATION.get("truths", 0),
        constraints=config["constraints"],
        more=INFORMATION.get("streams", {}),
        subsets=INFORMATION.get("subsets", []),
        budget=INFORMATION.get("budget", {}),
        seed=config["seed"],
    message:
        "Assimilate truths with subsets of their streams, share {wildcards.job}"
    script:
        "../scripts/weigh_streams.py"


rule tabulate_streams:
    input:
        results=expand(
            f"{RUN}/twin/information/{{job}}.csv",
            job=range(INFORMATION.get("jobs", 1)),
        ),
    output:
        reduction=f"{RUN}/twin/error_reduction.csv",
        values=f"{RUN}/twin/stream_values.csv",
    log:
        f"{RUN}/logs/tabulate_streams.log",
    benchmark:
        f"{RUN}/benchmarks/tabulate_streams.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("tabulate_streams"),
        seed=config["seed"],
    message:
        "Tabulate what each stream takes off the errors"
    script:
        "../scripts/tabulate_streams.py"


rule plot_streams:
    input:
        reduction=f"{RUN}/twin/error_reduction.csv",
        values=f"{RUN}/twin/stream_values.csv",
    output:
        reduction=f"{RUN}/twin/error_reduction.png",
        reduction_words=f"{RUN}/twin/error_reduction.json",
        values=f"{RUN}/twin/stream_values.png",
        values_words=f"{RUN}/twin/stream_values.json",
    log:
        f"{RUN}/logs/plot_streams.log",
    benchmark:
        f"{RUN}/benchmarks/plot_streams.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("plot_streams"),
    message:
        "Draw what each stream takes off the errors"
    script:
        "../scripts/plot_streams.py"


rule write_twin:
    input:
        calibration=f"{RUN}/twin/calibration.csv",
        methods=f"{RUN}/twin/methods.csv",
        reduction=f"{RUN}/twin/error_reduction.csv",
        values=f"{RUN}/twin/stream_values.csv",
        ranks=expand(
            f"{RUN}/twin/{{method}}_{{kind}}.png",
            method=CALIBRATED,
            kind=["ecdf", "histogram"],
        ),
        streams=[f"{RUN}/twin/error_reduction.png", f"{RUN}/twin/stream_values.png"],
    output:
        page=report(
            f"{RUN}/report/twin.html",
            caption="captions/twin.rst",
            category="Pages",
            labels={"figure": "Twin experiments"},
        ),
    log:
        f"{RUN}/logs/write_twin.log",
    benchmark:
        f"{RUN}/benchmarks/write_twin.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("write_twin"),
        config=config,
    message:
        "Write the page on twin experiments"
    script:
        "../scripts/write_twin.py"
