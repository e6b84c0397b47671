# The report of the run as a whole: where one begins to read, what one may look at, where it comes from.


rule write_explorer:
    input:
        template="scripts/concerto/products/explorer.html.j2",
        maps=expand(
            f"{RUN}/products/{{map}}/{{file}}.nc",
            map=MAPS,
            file=["map", "annual", "regions"],
        ),
        towers=expand(f"{RUN}/products/{{site}}/fluxes.nc", site=SITES),
        borders=ancient(BORDERS),
    output:
        page=report(
            f"{RUN}/report/explorer.html",
            caption="captions/explorer.rst",
            category="Pages",
            labels={"figure": "Explorer"},
        ),
    log:
        f"{RUN}/logs/write_explorer.log",
    benchmark:
        f"{RUN}/benchmarks/write_explorer.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=10,
    params:
        library=library("write_explorer"),
        run_id=RUN_ID,
        config=config,
        borders=config["borders"]["file"],
    message:
        "Write the page to explore the run in"
    script:
        "../scripts/write_explorer.py"


rule write_assimilation_page:
    input:
        template="scripts/concerto/products/sections.html.j2",
        posteriors=expand(
            f"{RUN}/posterior/{{site}}/{{method}}.nc", site=SITES, method=METHODS
        ),
        cells=[
            file for name in CELLWISE for file in tile_files(name, f"posterior/{name}")
        ],
        statements=expand(
            f"{RUN}/posterior/{{place}}/errors.json", place=[*SITES, *CELLWISE]
        ),
    output:
        page=report(
            f"{RUN}/report/assimilation.html",
            caption="captions/assimilation.rst",
            category="Pages",
            labels={"figure": "Assimilation"},
        ),
    log:
        f"{RUN}/logs/write_assimilation_page.log",
    benchmark:
        f"{RUN}/benchmarks/write_assimilation_page.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("write_assimilation_page"),
        config=config,
        mapped=CELLWISE,
        pages=lambda wildcards: pages_of_places(),
    message:
        "Write the page of all assimilations"
    script:
        "../scripts/write_assimilation_page.py"


rule write_evaluation_page:
    input:
        template="scripts/concerto/products/sections.html.j2",
        scores=expand(f"{RUN}/evaluation/{{site}}/scores.csv", site=SITES),
        forecasts=expand(
            f"{RUN}/evaluation/{{site}}/forecast.csv", site=FORECAST["sites"]
        ),
        benchmarked=expand(
            f"{RUN}/evaluation/{{place}}/ilamb.csv", place=[*SITES, *MAPS]
        ),
        figures=expand(
            f"{RUN}/figures/{{place}}/ilamb.{{kind}}",
            place=[*SITES, *MAPS],
            kind=["png", "json"],
        ),
        towers=expand(f"{RUN}/evaluation/{{network}}/scores.csv", network=NETWORKS),
    output:
        page=report(
            f"{RUN}/report/evaluation.html",
            caption="captions/evaluation.rst",
            category="Pages",
            labels={"figure": "Evaluation"},
        ),
    log:
        f"{RUN}/logs/write_evaluation_page.log",
    benchmark:
        f"{RUN}/benchmarks/write_evaluation_page.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("write_evaluation_page"),
        config=config,
        pages=lambda wildcards: pages_of_places(),
    message:
        "Write the page of all evaluations"
    script:
        "../scripts/write_evaluation_page.py"


rule write_start_page:
    input:
        template="scripts/concerto/products/start.html.j2",
        posteriors=expand(
            f"{RUN}/posterior/{{site}}/{{method}}.nc", site=SITES, method=METHODS
        ),
        scores=expand(f"{RUN}/evaluation/{{site}}/scores.csv", site=SITES),
        budgets=expand(f"{RUN}/products/{{site}}/budget_mean.csv", site=SITES),
        maps=expand(
            f"{RUN}/products/{{map}}/{{file}}",
            map=MAPS,
            file=["map.nc", "regions.csv"],
        ),
        networks=[
            file
            for name in NETWORKS
            for file in [
                f"{RUN}/evaluation/{name}/scores.csv",
                *tile_files(
                    trial_name(name, ALL), f"posterior/{trial_name(name, ALL)}"
                ),
            ]
        ],
        figure=rules.plot_sites.output if SITES else [],
    output:
        page=report(
            REPORT,
            caption="captions/start.rst",
            category="Pages",
            labels={"figure": "Start page"},
        ),
    log:
        f"{RUN}/logs/write_start_page.log",
    benchmark:
        f"{RUN}/benchmarks/write_start_page.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("write_start_page"),
        run_id=RUN_ID,
        config=config,
        pages=lambda wildcards: other_pages("index.html"),
    message:
        "Write the report's first page: {output.page}"
    script:
        "../scripts/write_start_page.py"


# It draws the jobs of the whole run, which a cluster's job does not see.
localrules:
    write_provenance_page,


rule write_provenance_page:
    input:
        template="scripts/concerto/products/provenance.html.j2",
        raw=lambda wildcards: ancient(raw_of_run()),
        products=lambda wildcards: [
            file for file in PUBLISHED if file != f"{RUN}/report/provenance.html"
        ],
        citation="CITATION.cff",
    output:
        page=report(
            f"{RUN}/report/provenance.html",
            caption="captions/provenance.rst",
            category="Pages",
            labels={"figure": "Provenance"},
        ),
    log:
        f"{RUN}/logs/write_provenance_page.log",
    benchmark:
        f"{RUN}/benchmarks/write_provenance_page.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("write_provenance_page"),
        run_id=RUN_ID,
        config=config,
        code=lambda wildcards: code_sha256(Path(workflow.basedir)),
        # A param that looks at the output is no reason to run again.
        flow=lambda wildcards, output: rules_of_run(),
    message:
        "Write where the run comes from: {output.page}"
    script:
        "../scripts/write_provenance_page.py"
