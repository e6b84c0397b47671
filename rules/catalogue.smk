# What the catalogue of sources has, which logins a run needs, and how much it will download: none of
# these asks the network. `snakemake list_sources`, `snakemake check_access`, `snakemake plan_downloads`.

# What places ask of sources of fields: source, place, box, start, end, variables of each.
REQUESTS = wanted(config)
# Its sources of records, with what uses them.
RECORDS = record_sources(config)
# The text that each of these rules writes, which is shown when it is asked for.
PLANS = {
    "list_sources": "sources",
    "check_access": "access",
    "plan_downloads": "downloads",
}
CATALOGUE = sorted(str(file) for file in Path("config/sources").glob("*.yaml"))


# On a cluster too, they are answered here and now.
localrules:
    list_sources,
    check_access,
    plan_downloads,


rule list_sources:
    input:
        sources=CATALOGUE,
    output:
        table=f"{RUN}/plan/sources.csv",
        text=f"{RUN}/plan/sources.txt",
    log:
        f"{RUN}/logs/list_sources.log",
    benchmark:
        f"{RUN}/benchmarks/list_sources.tsv"
    conda:
        "../envs/acquire.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        library=library("list_sources"),
        asked=asked("list_sources"),
    message:
        "List the catalogue of sources"
    script:
        "../scripts/list_sources.py"


rule check_access:
    input:
        sources=CATALOGUE,
    output:
        text=f"{RUN}/plan/access.txt",
    log:
        f"{RUN}/logs/check_access.log",
    benchmark:
        f"{RUN}/benchmarks/check_access.tsv"
    conda:
        "../envs/acquire.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        library=library("check_access"),
        asked=asked("check_access"),
        sources=[*RECORDS, *(request["source"] for request in REQUESTS)],
    message:
        "Check the logins that sources need"
    script:
        "../scripts/check_access.py"


rule plan_downloads:
    input:
        sources=CATALOGUE,
    output:
        table=f"{RUN}/plan/downloads.csv",
        text=f"{RUN}/plan/downloads.txt",
    log:
        f"{RUN}/logs/plan_downloads.log",
    benchmark:
        f"{RUN}/benchmarks/plan_downloads.tsv"
    conda:
        "../envs/acquire.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        library=library("plan_downloads"),
        asked=asked("plan_downloads"),
        requests=REQUESTS,
        records=RECORDS,
    message:
        "Foresee what will be downloaded"
    script:
        "../scripts/plan_downloads.py"
