# Where a run comes from: what to cite, its record as an RO-Crate, and whether it can be repeated.


include: "lineage.smk"


rule write_citations:
    input:
        sources=expand("config/sources/{name}.yaml", name=SOURCES),
        citation="CITATION.cff",
    output:
        text=f"{RUN}/CITATIONS.md",
        entries=f"{RUN}/citations.bib",
    log:
        f"{RUN}/logs/write_citations.log",
    benchmark:
        f"{RUN}/benchmarks/write_citations.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        library=library("write_citations"),
        run_id=RUN_ID,
    message:
        "List what to cite for the run"
    script:
        "../scripts/write_citations.py"


rule write_crate:
    input:
        raw=lambda wildcards: ancient(raw_of_run()),
        products=lambda wildcards: [*PUBLISHED, *products_of_run()],
    output:
        metadata=f"{RUN}/ro-crate-metadata.json",
        workflow=directory(f"{RUN}/workflow"),
    log:
        f"{RUN}/logs/write_crate.log",
    benchmark:
        f"{RUN}/benchmarks/write_crate.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        library=library("write_crate"),
        code=lambda wildcards: code_sha256(Path(workflow.basedir)),
        config=config,
        run_id=RUN_ID,
    message:
        "Write the record of the run: {output.metadata}"
    script:
        "../scripts/write_crate.py"


# It runs Snakemake, on a cluster too from where it was asked for.
localrules:
    reproduce,


rule reproduce:
    input:
        crate=rules.write_crate.output.metadata,
        workflow=rules.write_crate.output.workflow,
    output:
        table=f"{RUN}/reproduction/products.csv",
    log:
        f"{RUN}/logs/reproduce.log",
    benchmark:
        f"{RUN}/benchmarks/reproduce.tsv"
    conda:
        "../envs/publish.yaml"
    threads: workflow.cores
    resources:
        mem_mb=4000,
        runtime=2880,
    params:
        library=library("reproduce"),
        asked=asked("reproduce"),
        wanted=config.get("reproduce", {}),
        folders=config.get("folders", {}),
        # A param that looks at the output is no reason to run again.
        python=lambda wildcards, output: sys.executable,
        options=lambda wildcards, output: deployment_options(),
    message:
        "Make the products of the run again, and compare"
    script:
        "../scripts/reproduce.py"
