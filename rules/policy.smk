# Tables of regions for policy: what a map's land takes up and stores, beside inventories.


rule weigh_regions:
    input:
        unpack(table_polygons),
        land=lambda wildcards: map_files(policy_config(wildcards)["map"])["land"],
        borders=ancient(BORDERS),
        managed=lambda wildcards: table_file(wildcards, "managed", "cells"),
    output:
        weights=f"{RUN}/policy/{{table}}/weights.nc",
    log:
        f"{RUN}/logs/weigh_regions.{{table}}.log",
    benchmark:
        f"{RUN}/benchmarks/weigh_regions.{{table}}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        library=library("weigh_regions"),
        entry=weight_settings,
        resolution=lambda wildcards: grid_of(
            policy_config(wildcards)["map"]
        ).resolution_deg,
        polygons=lambda wildcards: polygon_file(policy_config(wildcards)),
        borders=config["borders"]["file"],
    message:
        "Weigh the cells of each region of {wildcards.table}"
    script:
        "../scripts/weigh_regions.py"


rule tabulate_regions:
    input:
        tiles=lambda wildcards: tile_files(
            policy_config(wildcards)["map"],
            f"products/{policy_config(wildcards)['map']}/sums",
        ),
        weights=rules.weigh_regions.output.weights,
    output:
        members=f"{RUN}/policy/{{table}}/members.nc",
        table=f"{RUN}/policy/{{table}}/regions.csv",
        trends=f"{RUN}/policy/{{table}}/trends.csv",
        areas=f"{RUN}/policy/{{table}}/areas.csv",
    log:
        f"{RUN}/logs/tabulate_regions.{{table}}.log",
    benchmark:
        f"{RUN}/benchmarks/tabulate_regions.{{table}}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        library=library("tabulate_regions"),
        entry=policy_config,
        seed=config["seed"],
    message:
        "Write the table of {wildcards.table}"
    script:
        "../scripts/tabulate_regions.py"


rule tabulate_futures:
    input:
        parts=future_parts,
        weights=rules.weigh_regions.output.weights,
    output:
        table=f"{RUN}/policy/{{table}}/futures.csv",
        yearly=f"{RUN}/policy/{{table}}/futures_years.csv",
        trends=f"{RUN}/policy/{{table}}/futures_trends.csv",
    log:
        f"{RUN}/logs/tabulate_futures.{{table}}.log",
    benchmark:
        f"{RUN}/benchmarks/tabulate_futures.{{table}}.tsv"
    wildcard_constraints:
        table=one_of(FORETOLD),
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        library=library("tabulate_futures"),
        entry=policy_config,
        baseline=SCENARIOS.get("baseline"),
        seed=config["seed"],
    message:
        "Write the table of {wildcards.table} under scenarios"
    script:
        "../scripts/tabulate_futures.py"


rule reconcile_inventory:
    input:
        members=rules.tabulate_regions.output.members,
        areas=rules.tabulate_regions.output.areas,
        weights=rules.weigh_regions.output.weights,
        inventory=lambda wildcards: table_file(wildcards, "inventory"),
        lateral=lambda wildcards: table_file(wildcards, "lateral"),
        transitions=lambda wildcards: table_file(wildcards, "transitions"),
        land_use=lambda wildcards: table_file(wildcards, "land_use"),
    output:
        table=f"{RUN}/policy/{{table}}/inventory.csv",
    log:
        f"{RUN}/logs/reconcile_inventory.{{table}}.log",
    benchmark:
        f"{RUN}/benchmarks/reconcile_inventory.{{table}}.tsv"
    wildcard_constraints:
        table=one_of([name for name, entry in POLICY.items() if "inventory" in entry]),
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        library=library("reconcile_inventory"),
        entry=policy_config,
        seed=config["seed"],
    message:
        "Reconcile {wildcards.table} with the inventory"
    script:
        "../scripts/reconcile_inventory.py"


rule write_factsheet:
    input:
        template="scripts/concerto/products/factsheet.html.j2",
        table=rules.tabulate_regions.output.table,
        trends=rules.tabulate_regions.output.trends,
        areas=rules.tabulate_regions.output.areas,
        members=rules.tabulate_regions.output.members,
        weights=rules.weigh_regions.output.weights,
        inventory=inventory_of,
        futures=futures_of,
        annual=lambda wildcards: (
            f"{RUN}/products/{policy_config(wildcards)['map']}/annual.nc"
        ),
        land=lambda wildcards: map_files(policy_config(wildcards)["map"])["land"],
        observations=lambda wildcards: map_files(policy_config(wildcards)["map"])[
            "observations"
        ],
        borders=ancient(BORDERS),
        sources=lambda wildcards: sources_of_map(policy_config(wildcards)["map"]),
        citation="CITATION.cff",
    output:
        html=report(
            f"{RUN}/report/{{table}}.{{region}}.html",
            caption="captions/factsheet.rst",
            category="Pages",
            labels={"figure": "{table} {region}"},
        ),
        pdf=f"{RUN}/report/{{table}}.{{region}}.pdf",
    log:
        f"{RUN}/logs/write_factsheet.{{table}}.{{region}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_factsheet.{{table}}.{{region}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("write_factsheet"),
        region=lambda wildcards: SHEETS[wildcards.table][wildcards.region],
        config=config,
        resolution=lambda wildcards: grid_of(
            policy_config(wildcards)["map"]
        ).resolution_deg,
        borders=config["borders"]["file"],
    message:
        "Write the page of {params.region}"
    script:
        "../scripts/write_factsheet.py"


rule write_region_page:
    input:
        template="scripts/concerto/products/regions.html.j2",
        table=rules.tabulate_regions.output.table,
        trends=rules.tabulate_regions.output.trends,
        areas=rules.tabulate_regions.output.areas,
        inventory=inventory_of,
        pages=sheets_of,
    output:
        page=report(
            f"{RUN}/report/{{table}}.html",
            caption="captions/region_page.rst",
            category="Pages",
            labels={"figure": "{table}"},
        ),
    log:
        f"{RUN}/logs/write_region_page.{{table}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_region_page.{{table}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("write_region_page"),
        run=config["run"],
        entry=policy_config,
        pages=lambda wildcards: {
            region: f"{wildcards.table}.{name}.html"
            for name, region in SHEETS[wildcards.table].items()
        },
    message:
        "Write the page of {wildcards.table}"
    script:
        "../scripts/write_region_page.py"
