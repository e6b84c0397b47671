# The free run: what the model says before it has seen an observation.


rule simulate_prior:
    input:
        model=site_model,
        drivers=f"{RUN}/cubes/{{site}}/drivers.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
    output:
        ensemble=f"{RUN}/prior/{{site}}.nc",
    log:
        f"{RUN}/logs/simulate_prior.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/simulate_prior.{{site}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("simulate_prior"),
        site=site_config,
        members=config["projection"]["members"],
        settings=config["assimilation"].get("errors", {}),
        seed=config["seed"],
    message:
        "Run {wildcards.site} with parameters from the prior"
    script:
        "../scripts/simulate_prior.py"
