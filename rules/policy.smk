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
        "../envs/model.yaml"
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
        "../envs/model.yaml"
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
