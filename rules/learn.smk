# Priors that other sites have taught: their posteriors, widened.


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
