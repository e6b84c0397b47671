# What places teach each other: priors from another site's posterior, parameters and fluxes of networks.


rule learn_prior:
    input:
        model=MODEL,
        posterior=teaching_posterior,
    output:
        prior=f"{RUN}/learned/{{site}}/prior.yaml",
    log:
        f"{RUN}/logs/learn_prior.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/learn_prior.{{site}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("learn_prior"),
        learned=lambda wildcards: site_config(wildcards)["prior"],
    message:
        "Learn the prior of {wildcards.site} from another site's posterior"
    script:
        "../scripts/learn_prior.py"


rule learn_parameters:
    input:
        unpack(map_cubes),
        model=map_model,
        statement=f"{RUN}/posterior/{{map}}/errors.json",
        source=network_source,
    output:
        taught=f"{RUN}/learned/{{map}}/parameters.{{by}}.nc",
        card=f"{RUN}/learned/{{map}}/parameters.{{by}}_card.json",
        splits=f"{RUN}/learned/{{map}}/parameters.{{by}}_splits.csv",
    log:
        f"{RUN}/logs/learn_parameters.{{map}}.{{by}}.log",
    benchmark:
        f"{RUN}/benchmarks/learn_parameters.{{map}}.{{by}}.tsv"
    # Batches wait for it.
    priority: 15
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        library=library("learn_parameters"),
        trial=map_config,
        learning=network_learning,
        constraints=config["constraints"],
        seed=config["seed"],
    message:
        "Learn the parameters of {wildcards.map} by {wildcards.by} at all towers together"
    script:
        "../scripts/learn_parameters.py"


rule learn_flux:
    input:
        unpack(map_cubes),
        batches=lambda wildcards: tile_files(
            wildcards.map, f"projection/{wildcards.map}"
        ),
        untold=lambda wildcards: projections_of(map_config(wildcards)["cubes"], UNSEEN),
        source=network_source,
    output:
        learned=f"{RUN}/learned/{{map}}/{{flux}}.nc",
        card=f"{RUN}/learned/{{map}}/{{flux}}_card.json",
        splits=f"{RUN}/learned/{{map}}/{{flux}}_splits.csv",
    log:
        f"{RUN}/logs/learn_flux.{{map}}.{{flux}}.log",
    benchmark:
        f"{RUN}/benchmarks/learn_flux.{{map}}.{{flux}}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        library=library("learn_flux"),
        trial=map_config,
        learning=network_learning,
        seed=config["seed"],
    message:
        "Learn {wildcards.flux} of {wildcards.map} from all towers"
    script:
        "../scripts/learn_flux.py"
