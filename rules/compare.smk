# Several runs beside each other, this one or any others:
#   snakemake compare_runs


rule compare_runs:
    input:
        f"{RUN}/report/compare_runs.html",


rule tabulate_runs:
    input:
        compared_files(),
    output:
        scores=f"{RUN}/comparison/scores.csv",
        sums=f"{RUN}/comparison/sums.csv",
    log:
        f"{RUN}/logs/tabulate_runs.log",
    benchmark:
        f"{RUN}/benchmarks/tabulate_runs.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("tabulate_runs"),
        runs=COMPARED,
    message:
        "Tabulate verdicts, scores and sums of several runs"
    script:
        "../scripts/tabulate_runs.py"


rule plot_runs:
    input:
        scores=f"{RUN}/comparison/scores.csv",
        sums=f"{RUN}/comparison/sums.csv",
    output:
        figure=f"{RUN}/comparison/runs.png",
        words=f"{RUN}/comparison/runs.json",
    log:
        f"{RUN}/logs/plot_runs.log",
    benchmark:
        f"{RUN}/benchmarks/plot_runs.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("plot_runs"),
        names=list(COMPARED),
    message:
        "Draw several runs beside each other"
    script:
        "../scripts/plot_runs.py"


rule write_runs:
    input:
        compared_files(),
        template="scripts/concerto/products/runs.html.j2",
        scores=f"{RUN}/comparison/scores.csv",
        sums=f"{RUN}/comparison/sums.csv",
        figure=f"{RUN}/comparison/runs.png",
    output:
        page=report(
            f"{RUN}/report/compare_runs.html",
            caption="captions/compare_runs.rst",
            category="Pages",
            labels={"figure": "Comparison of runs"},
        ),
    log:
        f"{RUN}/logs/write_runs.log",
    benchmark:
        f"{RUN}/benchmarks/write_runs.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("write_runs"),
        runs=COMPARED,
    message:
        "Write the page that compares several runs"
    script:
        "../scripts/write_runs.py"
