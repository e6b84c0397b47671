# Fluxes of a map's cells as the towers of a network teach them: `snakemake upscaling`.

UPSCALING = config.get("upscaling", {"network": "none", "cubes": []})
TEACHERS = f"{RUN}/cubes/{UPSCALING['network']}"
TEACHING = config["networks"].get(UPSCALING["network"], {"name": "", "records": {}})
UPSCALED = f"{RUN}/upscaled/{{target}}"


rule upscaling:
    input:
        [f"{RUN}/report/upscaling.html"] if UPSCALING["cubes"] else [],


rule classify_towers:
    input:
        land=f"{TEACHERS}/land.nc",
        classes=ancient(f"{RUN}/raw/land_classes"),
        legends="config/sources/land_classes.yaml",
    output:
        table=f"{RUN}/upscaled/climates.csv",
    log:
        f"{RUN}/logs/classify_towers.log",
    benchmark:
        f"{RUN}/benchmarks/classify_towers.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("classify_towers"),
    message:
        "Look up the climate zones of towers"
    script:
        "../scripts/classify_towers.py"


rule monthly_cells:
    input:
        drivers=f"{RUN}/cubes/{{target}}/drivers.nc",
        observations=f"{RUN}/cubes/{{target}}/observations.nc",
        land=f"{RUN}/cubes/{{target}}/land.nc",
    output:
        drivers=f"{UPSCALED}/months/drivers.nc",
        observations=f"{UPSCALED}/months/observations.nc",
        land=f"{UPSCALED}/months/land.nc",
        masking=f"{UPSCALED}/months/masking.csv",
    log:
        f"{RUN}/logs/monthly_cells.{{target}}.log",
    benchmark:
        f"{RUN}/benchmarks/monthly_cells.{{target}}.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=15,
    params:
        library=library("monthly_cells"),
    message:
        "Make monthly cubes of {wildcards.target}"
    script:
        "../scripts/monthly_cells.py"


rule learn_upscaling:
    input:
        drivers=f"{TEACHERS}/drivers.nc",
        observations=f"{TEACHERS}/observations.nc",
        land=f"{TEACHERS}/land.nc",
        climates=rules.classify_towers.output.table,
        cells=[
            rules.monthly_cells.output.drivers,
            rules.monthly_cells.output.observations,
            rules.monthly_cells.output.land,
        ],
        source=f"config/sources/{TEACHING['records'].get('source')}.yaml",
    output:
        model=f"{UPSCALED}/{{flux}}.pkl",
        card=f"{UPSCALED}/{{flux}}_card.json",
        splits=f"{UPSCALED}/{{flux}}_splits.csv",
        scores=f"{UPSCALED}/{{flux}}_scores.csv",
        judged=f"{UPSCALED}/{{flux}}_judged.nc",
        attributions=f"{UPSCALED}/{{flux}}_attributions.csv",
        curve=f"{UPSCALED}/{{flux}}_curve.csv",
    log:
        f"{RUN}/logs/learn_upscaling.{{target}}.{{flux}}.log",
    benchmark:
        f"{RUN}/benchmarks/learn_upscaling.{{target}}.{{flux}}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        library=library("learn_upscaling"),
        network=[UPSCALING["network"], TEACHING],
        seed=config["seed"],
    message:
        "Learn {wildcards.flux} of {wildcards.target} from towers"
    script:
        "../scripts/learn_upscaling.py"


rule map_upscaling:
    input:
        drivers=rules.monthly_cells.output.drivers,
        observations=rules.monthly_cells.output.observations,
        land=rules.monthly_cells.output.land,
        models=expand(f"{UPSCALED}/{{flux}}.pkl", flux=FLUXES, allow_missing=True),
    output:
        fluxes=f"{UPSCALED}/fluxes.nc",
        observations=f"{UPSCALED}/observations.nc",
        statuses=f"{UPSCALED}/status.csv",
    log:
        f"{RUN}/logs/map_upscaling.{{target}}.log",
    benchmark:
        f"{RUN}/benchmarks/map_upscaling.{{target}}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        library=library("map_upscaling"),
    message:
        "Map the fluxes of {wildcards.target} that towers teach"
    script:
        "../scripts/map_upscaling.py"


rule plot_upscaling:
    input:
        judged=expand(f"{UPSCALED}/{{flux}}_judged.nc", flux=FLUXES, allow_missing=True),
        scores=expand(
            f"{UPSCALED}/{{flux}}_scores.csv", flux=FLUXES, allow_missing=True
        ),
        attributions=expand(
            f"{UPSCALED}/{{flux}}_attributions.csv", flux=FLUXES, allow_missing=True
        ),
        curves=expand(f"{UPSCALED}/{{flux}}_curve.csv", flux=FLUXES, allow_missing=True),
        fluxes=rules.map_upscaling.output.fluxes,
    output:
        skill=f"{RUN}/figures/{{target}}/upscaling_skill.png",
        skill_words=f"{RUN}/figures/{{target}}/upscaling_skill.json",
        told=f"{RUN}/figures/{{target}}/upscaling_told.png",
        told_words=f"{RUN}/figures/{{target}}/upscaling_told.json",
        map=f"{RUN}/figures/{{target}}/upscaling_map.png",
        map_words=f"{RUN}/figures/{{target}}/upscaling_map.json",
    log:
        f"{RUN}/logs/plot_upscaling.{{target}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_upscaling.{{target}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_upscaling"),
    message:
        "Draw what towers teach of {wildcards.target}"
    script:
        "../scripts/plot_upscaling.py"


rule write_upscaling:
    input:
        template="scripts/concerto/products/sections.html.j2",
        scores=expand(
            f"{RUN}/upscaled/{{target}}/{{flux}}_scores.csv",
            target=UPSCALING["cubes"],
            flux=FLUXES,
        ),
        cards=expand(
            f"{RUN}/upscaled/{{target}}/{{flux}}_card.json",
            target=UPSCALING["cubes"],
            flux=FLUXES,
        ),
        statuses=expand(
            f"{RUN}/upscaled/{{target}}/status.csv", target=UPSCALING["cubes"]
        ),
        figures=expand(
            f"{RUN}/figures/{{target}}/upscaling_{{figure}}.png",
            target=UPSCALING["cubes"],
            figure=["map", "skill", "told"],
        ),
    output:
        page=report(
            f"{RUN}/report/upscaling.html",
            caption="captions/upscaling.rst",
            category="Pages",
            labels={"figure": "Upscaling"},
        ),
    log:
        f"{RUN}/logs/write_upscaling.log",
    benchmark:
        f"{RUN}/benchmarks/write_upscaling.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("write_upscaling"),
        config=config,
    message:
        "Write the page of upscaled fluxes"
    script:
        "../scripts/write_upscaling.py"
