# The assimilated ensemble run on to the end of the century, under scenarios of climate and land use.


rule make_scenario:
    input:
        record=scenario_record,
        folders=CO2_FOLDERS,
        sources=CO2_SOURCES,
        supplied=supplied_climates,
    output:
        expand(
            f"{RUN}/scenarios/{{{{place}}}}/drivers.{{climate}}.nc",
            climate=SCENARIOS["climates"],
        ),
    log:
        f"{RUN}/logs/make_scenario.{{place}}.log",
    benchmark:
        f"{RUN}/benchmarks/make_scenario.{{place}}.tsv"
    wildcard_constraints:
        place=one_of(FUTURES),
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        library=library("make_scenario"),
        climates=SCENARIOS["climates"],
        until=SCENARIOS.get("until"),
        monthly=lambda wildcards: wildcards.place in MAPS,
    message:
        "Make the climates to come of {wildcards.place}"
    script:
        "../scripts/make_scenario.py"


rule make_land_use:
    input:
        record=scenario_record,
        files=luh2_files,
    output:
        land_use=f"{RUN}/scenarios/{{place}}/land_use.{{land_use}}.nc",
    log:
        f"{RUN}/logs/make_land_use.{{place}}.{{land_use}}.log",
    benchmark:
        f"{RUN}/benchmarks/make_land_use.{{place}}.{{land_use}}.tsv"
    wildcard_constraints:
        place=one_of(FUTURES),
        land_use=one_of(
            [name for name, use in SCENARIOS["land_uses"].items() if "luh2" in use]
        ),
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    params:
        library=library("make_land_use"),
        scenarios=SCENARIOS,
        resolution=cell_size,
    message:
        "Make the land use {wildcards.land_use} of {wildcards.place}"
    script:
        "../scripts/make_land_use.py"


rule project_scenario:
    input:
        unpack(scenario_inputs),
        climates=expand(
            f"{RUN}/scenarios/{{{{place}}}}/drivers.{{climate}}.nc",
            climate=SCENARIOS["climates"],
        ),
        supplied=supplied_land_use,
    output:
        outcome=f"{RUN}/projection/{{place}}/scenarios.{{part}}.nc",
    log:
        f"{RUN}/logs/project_scenario.{{place}}.{{part}}.log",
    benchmark:
        f"{RUN}/benchmarks/project_scenario.{{place}}.{{part}}.tsv"
    wildcard_constraints:
        place=one_of(FUTURES),
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
    params:
        library=library("project_scenario"),
        scenarios=scenario_settings,
        seed=config["seed"],
    message:
        "Run {wildcards.place} ({wildcards.part}) through all scenarios"
    script:
        "../scripts/project_scenario.py"


rule compare_scenarios:
    input:
        parts=scenario_parts,
    output:
        regions=f"{RUN}/projection/{{place}}/scenarios.nc",
        landuse=f"{RUN}/projection/{{place}}/landuse.nc",
        table=f"{RUN}/evaluation/{{place}}/scenarios.csv",
        variance=f"{RUN}/evaluation/{{place}}/variance.csv",
    log:
        f"{RUN}/logs/compare_scenarios.{{place}}.log",
    benchmark:
        f"{RUN}/benchmarks/compare_scenarios.{{place}}.tsv"
    wildcard_constraints:
        place=one_of(FUTURES),
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        library=library("compare_scenarios"),
        baseline=SCENARIOS.get("baseline"),
    message:
        "Compare the scenarios of {wildcards.place}"
    script:
        "../scripts/compare_scenarios.py"


rule plot_scenarios:
    input:
        regions=f"{RUN}/projection/{{place}}/scenarios.nc",
        variance=f"{RUN}/evaluation/{{place}}/variance.csv",
    output:
        expand(
            f"{RUN}/figures/{{{{place}}}}/scenario_{{figure}}.png",
            figure=SCENARIO_FIGURES,
        ),
    log:
        f"{RUN}/logs/plot_scenarios.{{place}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_scenarios.{{place}}.tsv"
    wildcard_constraints:
        place=one_of(FUTURES),
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_scenarios"),
        name=lambda wildcards: scenario_place(wildcards.place)["name"],
        scenarios=SCENARIOS,
        crossed=lambda wildcards: SCENARIOS[
            "map_crossed" if wildcards.place in MAPS else "crossed"
        ],
    message:
        "Draw the scenarios of {wildcards.place}"
    script:
        "../scripts/plot_scenarios.py"


rule write_scenarios_page:
    input:
        template="scripts/concerto/products/scenarios.html.j2",
        tables=expand(f"{RUN}/evaluation/{{place}}/scenarios.csv", place=FUTURES),
        regions=expand(f"{RUN}/projection/{{place}}/scenarios.nc", place=FUTURES),
        figures=expand(
            f"{RUN}/figures/{{place}}/scenario_{{figure}}.png",
            place=FUTURES,
            figure=SCENARIO_FIGURES,
        ),
    output:
        page=report(
            f"{RUN}/report/scenarios.html",
            caption="captions/scenarios.rst",
            category="Pages",
            labels={"figure": "Scenarios"},
        ),
    log:
        f"{RUN}/logs/write_scenarios_page.log",
    benchmark:
        f"{RUN}/benchmarks/write_scenarios_page.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("write_scenarios_page"),
        config=config,
        places=FUTURES,
    message:
        "Write the page of scenarios"
    script:
        "../scripts/write_scenarios_page.py"
