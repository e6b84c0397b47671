# Raw records, each downloaded once, verified and kept with its provenance.


rule acquire_source:
    input:
        # What a source's file says of reading it must not fetch it again: `params` holds the rest.
        # Nor is the library an input: records do not change with the code that fetched them.
        source=ancient("config/sources/{source}.yaml"),
    output:
        directory(f"{RUN}/raw/{{source}}"),
    log:
        f"{RUN}/logs/acquire_source.{{source}}.log",
    benchmark:
        f"{RUN}/benchmarks/acquire_source.{{source}}.tsv"
    retries: 2
    conda:
        "../envs/acquire.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=60,
    params:
        identity=lambda wildcards: source_identity(wildcards.source),
        folder=lambda wildcards: config.get("folders", {}).get(wildcards.source),
    message:
        "Acquire {wildcards.source}"
    script:
        "../scripts/acquire_source.py"
