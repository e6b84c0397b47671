# Twin experiments, in which the truth is known:
#   snakemake twin --configfile config/runs/twin.yaml

TWIN_SITE = CALIBRATION.get("site", SITES[0])
TWIN_FILES = {
    "model": MODEL,
    "drivers": f"{RUN}/cubes/{TWIN_SITE}/drivers.nc",
    "observations": f"{RUN}/cubes/{TWIN_SITE}/observations.nc",
    "statement": f"{RUN}/posterior/{TWIN_SITE}/errors.json",
}


rule twin:
    input:
        f"{RUN}/twin/calibration.csv",


rule draw_truths:
    input:
        **TWIN_FILES,
    output:
        truths=f"{RUN}/twin/truths.nc",
    log:
        f"{RUN}/logs/draw_truths.log",
    benchmark:
        f"{RUN}/benchmarks/draw_truths.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        library=library("draw_truths"),
        site=config["sites"][TWIN_SITE],
        constraints=config["constraints"],
        truths=CALIBRATION.get("truths", 0),
        seed=config["seed"],
    message:
        "Draw truths from the prior"
    script:
        "../scripts/draw_truths.py"


rule rank_truths:
    input:
        **TWIN_FILES,
        truths=f"{RUN}/twin/truths.nc",
    output:
        ranks=f"{RUN}/twin/ranks/{{method}}.{{job}}.csv",
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
        site=config["sites"][TWIN_SITE],
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
            f"{RUN}/twin/ranks/{{method}}.{{job}}.csv",
            method=CALIBRATED,
            job=range(CALIBRATION.get("jobs", 1)),
        ),
    output:
        ranks=f"{RUN}/twin/ranks.csv",
        calibration=f"{RUN}/twin/calibration.csv",
        methods=f"{RUN}/twin/methods.csv",
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
