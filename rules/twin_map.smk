# Twin experiments of a map: do sums over regions hold the truth, and would they if cells were alone?
#   snakemake twin_map


rule twin_map:
    input:
        f"{RUN}/report/twin_map.html",


rule draw_truth_maps:
    input:
        unpack(twin_map_files),
    output:
        truths=f"{RUN}/twin_map/truths.nc",
    log:
        f"{RUN}/logs/draw_truth_maps.log",
    benchmark:
        f"{RUN}/benchmarks/draw_truth_maps.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        library=library("draw_truth_maps"),
        map=config["maps"].get(TWIN_MAP["map"]),
        settings=TWIN_MAP,
        constraints=config["constraints"],
        seed=config["seed"],
    message:
        "Draw maps of truths from the random field and the constraints"
    script:
        "../scripts/draw_truth_maps.py"


rule place_sums:
    input:
        unpack(twin_map_files),
        truths=f"{RUN}/twin_map/truths.nc",
    output:
        places=f"{RUN}/twin_map/{{job}}.csv",
    log:
        f"{RUN}/logs/place_sums.{{job}}.log",
    benchmark:
        f"{RUN}/benchmarks/place_sums.{{job}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        library=library("place_sums"),
        map=config["maps"].get(TWIN_MAP["map"]),
        settings=TWIN_MAP,
        constraints=config["constraints"],
        seed=config["seed"],
    message:
        "Assimilate maps of truths and place their sums, share {wildcards.job}"
    script:
        "../scripts/place_sums.py"


rule judge_sums:
    input:
        places=expand(f"{RUN}/twin_map/{{job}}.csv", job=range(TWIN_MAP["jobs"])),
    output:
        coverage=f"{RUN}/twin_map/coverage.csv",
        summary=f"{RUN}/twin_map/summary.csv",
        verdicts=f"{RUN}/twin_map/verdicts.txt",
    log:
        f"{RUN}/logs/judge_sums.log",
    benchmark:
        f"{RUN}/benchmarks/judge_sums.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("judge_sums"),
    message:
        "Judge whether intervals of sums over regions hold the truth"
    script:
        "../scripts/judge_sums.py"


rule plot_sums:
    input:
        coverage=f"{RUN}/twin_map/coverage.csv",
    output:
        figure=f"{RUN}/twin_map/coverage.png",
        words=f"{RUN}/twin_map/coverage.json",
    log:
        f"{RUN}/logs/plot_sums.log",
    benchmark:
        f"{RUN}/benchmarks/plot_sums.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("plot_sums"),
    message:
        "Draw how many truths the intervals of sums over regions hold"
    script:
        "../scripts/plot_sums.py"


rule write_twin_map:
    input:
        coverage=f"{RUN}/twin_map/coverage.csv",
        summary=f"{RUN}/twin_map/summary.csv",
        verdicts=f"{RUN}/twin_map/verdicts.txt",
        figure=f"{RUN}/twin_map/coverage.png",
    output:
        page=report(
            f"{RUN}/report/twin_map.html",
            caption="captions/twin_map.rst",
            category="Pages",
            labels={"figure": "Twin maps"},
        ),
    log:
        f"{RUN}/logs/write_twin_map.log",
    benchmark:
        f"{RUN}/benchmarks/write_twin_map.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("write_twin_map"),
        config=config,
    message:
        "Write the page on the twin experiment of a map"
    script:
        "../scripts/write_twin_map.py"
