# From raw records, or from cubes of other places, to checked cubes, one site at a time.


rule read_tower:
    input:
        raw=ancient(
            lambda wildcards: [
                f"{RUN}/raw/{record['source']}"
                for record in site_config(wildcards)["records"]
            ]
        ),
        sources=lambda wildcards: [
            f"config/sources/{record['source']}.yaml"
            for record in site_config(wildcards)["records"]
        ],
    output:
        cube=f"{RUN}/cubes/{{site}}/halfhourly.nc",
    log:
        f"{RUN}/logs/read_tower.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/read_tower.{{site}}.tsv"
    wildcard_constraints:
        site=sites_of("daily"),
    # Long jobs wait for it.
    priority: 20
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        library=library("read_tower"),
        site=site_config,
    message:
        "Read the records of {wildcards.site}"
    script:
        "../scripts/read_tower.py"


# Grid cells are no site of the default run: ask for their cubes.
rule prepare_transect:
    input:
        raw=ancient(f"{RUN}/raw/transect_2000"),
        source="config/sources/transect_2000.yaml",
        classes=ancient(f"{RUN}/raw/land_classes"),
        legends="config/sources/land_classes.yaml",
        borders=ancient(f"{RUN}/raw/{config['borders']['source']}"),
    output:
        drivers=f"{RUN}/cubes/transect/drivers.nc",
        observations=f"{RUN}/cubes/transect/observations.nc",
        land=f"{RUN}/cubes/transect/land.nc",
        masking=f"{RUN}/cubes/transect/masking.csv",
    log:
        f"{RUN}/logs/prepare_transect.log",
    benchmark:
        f"{RUN}/benchmarks/prepare_transect.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=15,
    params:
        library=library("prepare_transect"),
        quality=config["quality"],
        borders=config["borders"]["file"],
    message:
        "Prepare the cells of the transect along 24.25 degrees east"
    script:
        "../scripts/prepare_transect.py"


rule aggregate_daily:
    input:
        record=rules.read_tower.output.cube,
        fields=lambda wildcards: fields_of(wildcards.site, "nc"),
        masking=lambda wildcards: fields_of(wildcards.site, "csv"),
        sources=lambda wildcards: field_sources(wildcards.site),
        borders=ancient(f"{RUN}/raw/{config['borders']['source']}"),
    output:
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        land=f"{RUN}/cubes/{{site}}/land.nc",
        masking=f"{RUN}/cubes/{{site}}/masking.csv",
    log:
        f"{RUN}/logs/aggregate_daily.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/aggregate_daily.{{site}}.tsv"
    wildcard_constraints:
        site=sites_of("daily"),
    # Long jobs wait for it.
    priority: 20
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        library=library("aggregate_daily"),
        site=site_config,
        fields=lambda wildcards: fields_by_source(wildcards.site),
        quality=config["quality"],
        borders=config["borders"]["file"],
    message:
        "Aggregate {wildcards.site} to days"
    script:
        "../scripts/aggregate_daily.py"


rule read_monthly:
    input:
        raw=ancient(
            lambda wildcards: (
                f"{RUN}/raw/{site_config(wildcards)['records'][0]['source']}"
            )
        ),
        source=lambda wildcards: (
            f"config/sources/{site_config(wildcards)['records'][0]['source']}.yaml"
        ),
        borders=ancient(f"{RUN}/raw/{config['borders']['source']}"),
    output:
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        land=f"{RUN}/cubes/{{site}}/land.nc",
        masking=f"{RUN}/cubes/{{site}}/masking.csv",
    log:
        f"{RUN}/logs/read_monthly.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/read_monthly.{{site}}.tsv"
    wildcard_constraints:
        site=sites_of("monthly"),
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        library=library("read_monthly"),
        site=site_config,
        borders=config["borders"]["file"],
    message:
        "Read the monthly record of {wildcards.site}"
    script:
        "../scripts/read_monthly.py"


rule read_network:
    input:
        raw=ancient(
            lambda wildcards: (
                f"{RUN}/raw/{network_config(wildcards)['records']['source']}"
            )
        ),
        source=lambda wildcards: (
            f"config/sources/{network_config(wildcards)['records']['source']}.yaml"
        ),
        heights=heights_of,
        borders=ancient(f"{RUN}/raw/{config['borders']['source']}"),
    output:
        drivers=f"{RUN}/cubes/{{network}}/drivers.nc",
        observations=f"{RUN}/cubes/{{network}}/observations.nc",
        land=f"{RUN}/cubes/{{network}}/land.nc",
        masking=f"{RUN}/cubes/{{network}}/masking.csv",
        faults=f"{RUN}/cubes/{{network}}/faults.csv",
        plausibility=f"{RUN}/cubes/{{network}}/plausibility.csv",
    log:
        f"{RUN}/logs/read_network.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/read_network.{{network}}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=15,
    params:
        library=library("read_network"),
        network=network_config,
        borders=config["borders"]["file"],
    message:
        "Read the records of all towers of {wildcards.network}"
    script:
        "../scripts/read_network.py"


rule derive_site:
    input:
        unpack(origin_cubes),
        borders=ancient(f"{RUN}/raw/{config['borders']['source']}"),
    output:
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        land=f"{RUN}/cubes/{{site}}/land.nc",
        masking=f"{RUN}/cubes/{{site}}/masking.csv",
    log:
        f"{RUN}/logs/derive_site.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/derive_site.{{site}}.tsv"
    wildcard_constraints:
        site=sites_of("derived"),
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        library=library("derive_site"),
        site=site_config,
        borders=config["borders"]["file"],
    message:
        "Take the cubes of {wildcards.site} from those of another place"
    script:
        "../scripts/derive_site.py"


rule aggregate_fields:
    input:
        raw=ancient(f"{RUN}/raw/{{source}}/{{place}}/{{period}}"),
        source="config/sources/{source}.yaml",
        borders=ancient(f"{RUN}/raw/{config['borders']['source']}"),
        outlines=lambda wildcards: outlines_of(wildcards.place)[:1],
    output:
        cells=f"{RUN}/cubes/{{place}}/fields/{{source}}.{{period}}.nc",
        masking=f"{RUN}/cubes/{{place}}/fields/{{source}}.{{period}}.csv",
    log:
        f"{RUN}/logs/aggregate_fields.{{source}}.{{place}}.{{period}}.log",
    benchmark:
        f"{RUN}/benchmarks/aggregate_fields.{{source}}.{{place}}.{{period}}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=240,
    params:
        library=library("aggregate_fields"),
        place=lambda wildcards: shape_of(PLACES[wildcards.place]),
        variables=lambda wildcards: PLACES[wildcards.place]["fields"][wildcards.source],
        borders=config["borders"]["file"],
        outlines=lambda wildcards: outlines_of(wildcards.place)[1:],
        limits=config.get("limits", {}),
    message:
        "Aggregate {wildcards.source} of {wildcards.period} to {wildcards.place}"
    script:
        "../scripts/aggregate_fields.py"


rule compose_area:
    input:
        fields=lambda wildcards: fields_of(wildcards.area, "nc"),
        masking=lambda wildcards: fields_of(wildcards.area, "csv"),
        sources=lambda wildcards: field_sources(
            wildcards.area, co2_of(wildcards), *classes_of(wildcards.area)
        ),
        record=lambda wildcards: ancient(f"{RUN}/raw/{co2_of(wildcards)}"),
        borders=ancient(f"{RUN}/raw/{config['borders']['source']}"),
        outlines=lambda wildcards: outlines_of(wildcards.area)[:1],
        classes=lambda wildcards: [
            ancient(f"{RUN}/raw/{source}") for source in classes_of(wildcards.area)
        ],
    output:
        drivers=f"{RUN}/cubes/{{area}}/drivers.nc",
        observations=f"{RUN}/cubes/{{area}}/observations.nc",
        land=f"{RUN}/cubes/{{area}}/land.nc",
        masking=f"{RUN}/cubes/{{area}}/masking.csv",
        gaps=f"{RUN}/cubes/{{area}}/gaps.csv",
    log:
        f"{RUN}/logs/compose_area.{{area}}.log",
    benchmark:
        f"{RUN}/benchmarks/compose_area.{{area}}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(6000),
        runtime=120,
    params:
        library=library("compose_area"),
        area=lambda wildcards: PLACES[wildcards.area],
        fields=lambda wildcards: fields_by_source(wildcards.area),
        borders=config["borders"]["file"],
        outlines=lambda wildcards: outlines_of(wildcards.area)[1:],
    message:
        "Compose the cubes of {wildcards.area}"
    script:
        "../scripts/compose_area.py"
