# What stands in for the half-hourly canopy: `snakemake emulator`. Its error is measured on runs that taught nothing.

EMULATOR = config.get("emulator", {"sites": []})
EMULATED = EMULATOR["sites"] if "canopy_emulated" in config else []


rule emulator:
    input:
        [f"{RUN}/report/emulator.html"] if EMULATOR["sites"] else [],


rule learn_emulator:
    input:
        model=model_files({"model": "canopy", "sites": {}}),
        record=f"{RUN}/cubes/{{site}}/halfhourly.nc",
    output:
        model=f"{RUN}/learned/{{site}}/emulator.pkl",
        card=f"{RUN}/learned/{{site}}/emulator_card.json",
        scores=f"{RUN}/learned/{{site}}/emulator_scores.csv",
        design=f"{RUN}/learned/{{site}}/emulator_design.csv",
        curve=f"{RUN}/learned/{{site}}/emulator_curve.csv",
    log:
        f"{RUN}/logs/learn_emulator.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/learn_emulator.{{site}}.tsv"
    conda:
        "../envs/emulate.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        library=library("learn_emulator"),
        site=site_config,
        fixed=CANOPY["known"],
        settings=EMULATOR,
        seed=config["seed"],
    message:
        "Teach an emulator of the canopy at {wildcards.site}"
    script:
        "../scripts/learn_emulator.py"


rule assimilate_emulator:
    input:
        model=model_files({"model": "canopy", "sites": {}}),
        record=f"{RUN}/cubes/{{site}}/halfhourly.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        emulator=f"{RUN}/learned/{{site}}/emulator.pkl",
    output:
        posterior=f"{RUN}/learned/{{site}}/emulator_posterior.nc",
        parameters=f"{RUN}/learned/{{site}}/emulator_parameters.csv",
        cost=f"{RUN}/learned/{{site}}/emulator_cost.csv",
    log:
        f"{RUN}/logs/assimilate_emulator.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/assimilate_emulator.{{site}}.tsv"
    conda:
        "../envs/emulate.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=30,
    params:
        library=library("assimilate_emulator"),
        site=site_config,
        settings=config.get("canopy_emulated"),
        seed=config["seed"],
    message:
        "Assimilate {wildcards.site} through the emulator of the canopy"
    script:
        "../scripts/assimilate_emulator.py"


rule plot_emulator:
    input:
        scores=f"{RUN}/learned/{{site}}/emulator_scores.csv",
        curve=f"{RUN}/learned/{{site}}/emulator_curve.csv",
    output:
        figure=f"{RUN}/figures/{{site}}/emulator.png",
        words=f"{RUN}/figures/{{site}}/emulator.json",
    log:
        f"{RUN}/logs/plot_emulator.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_emulator.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("plot_emulator"),
    message:
        "Draw the error of the emulator at {wildcards.site}"
    script:
        "../scripts/plot_emulator.py"


rule write_emulator:
    input:
        template="scripts/concerto/products/sections.html.j2",
        scores=expand(
            f"{RUN}/learned/{{site}}/emulator_scores.csv", site=EMULATOR["sites"]
        ),
        cards=expand(
            f"{RUN}/learned/{{site}}/emulator_card.json", site=EMULATOR["sites"]
        ),
        figures=expand(f"{RUN}/figures/{{site}}/emulator.png", site=EMULATOR["sites"]),
        parameters=expand(
            f"{RUN}/learned/{{site}}/emulator_parameters.csv", site=EMULATED
        ),
        costs=expand(f"{RUN}/learned/{{site}}/emulator_cost.csv", site=EMULATED),
    output:
        page=report(
            f"{RUN}/report/emulator.html",
            caption="captions/emulator.rst",
            category="Pages",
            labels={"figure": "Emulator"},
        ),
    log:
        f"{RUN}/logs/write_emulator.log",
    benchmark:
        f"{RUN}/benchmarks/write_emulator.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("write_emulator"),
        config=config,
    message:
        "Write the page of the emulator"
    script:
        "../scripts/write_emulator.py"
