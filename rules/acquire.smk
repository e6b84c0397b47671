# Raw records, each downloaded once, verified and kept with its provenance.


# Where a cluster runs the other rules, these stay on the machine that has the network.
localrules:
    acquire_source,
    acquire_fields,


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
    # Long jobs wait for it.
    priority: 20
    retries: 2
    conda:
        "../envs/acquire.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=60,
    params:
        identity=lambda wildcards: identity_of(wildcards.source),
        folder=lambda wildcards: config.get("folders", {}).get(wildcards.source),
    message:
        "Acquire {wildcards.source}"
    script:
        "../scripts/acquire_source.py"


rule acquire_fields:
    output:
        directory(f"{RUN}/raw/{{source}}/{{place}}/{{period}}"),
    log:
        f"{RUN}/logs/acquire_fields.{{source}}.{{place}}.{{period}}.log",
    benchmark:
        f"{RUN}/benchmarks/acquire_fields.{{source}}.{{place}}.{{period}}.tsv"
    retries: 2
    conda:
        "../envs/acquire.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=720,
        downloads=1,
    params:
        identity=lambda wildcards: identity_of(
            wildcards.source, request_of(REQUESTED, **wildcards).variables
        ),
        request=lambda wildcards: request_of(REQUESTED, **wildcards),
        # Words are no reason to download again: a param that looks at the output is none.
        plan=lambda wildcards, output: download_of(**wildcards),
    message:
        "Acquire {wildcards.source} for {wildcards.place}, {wildcards.period}: {params.plan}"
    script:
        "../scripts/acquire_fields.py"
