# What is shown of a network of towers: its scores, its worst towers with a reason, its page.


rule explain_towers:
    input:
        judged=f"{RUN}/evaluation/{{network}}/judged.nc",
        plausibility=f"{RUN}/cubes/{{network}}/plausibility.csv",
        posteriors=posteriors_of(INNER),
    output:
        table=f"{RUN}/evaluation/{{network}}/worst.csv",
    log:
        f"{RUN}/logs/explain_towers.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/explain_towers.{{network}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("explain_towers"),
    message:
        "Say what is special about the worst towers of {wildcards.network}"
    script:
        "../scripts/explain_towers.py"


rule plot_tower_scores:
    input:
        scores=f"{RUN}/evaluation/{{network}}/scores.csv",
    output:
        figure=f"{RUN}/figures/{{network}}/scores.png",
        words=f"{RUN}/figures/{{network}}/scores.json",
        classes=f"{RUN}/figures/{{network}}/classes.png",
        classes_words=f"{RUN}/figures/{{network}}/classes.json",
    log:
        f"{RUN}/logs/plot_tower_scores.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_tower_scores.{{network}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_tower_scores"),
        name=network_name,
    message:
        "Draw the scores of {wildcards.network}"
    script:
        "../scripts/plot_tower_scores.py"


rule plot_tower_map:
    input:
        scores=f"{RUN}/evaluation/{{network}}/scores.csv",
        judged=f"{RUN}/evaluation/{{network}}/judged.nc",
        borders=ancient(BORDERS),
    output:
        figure=f"{RUN}/figures/{{network}}/map.png",
        words=f"{RUN}/figures/{{network}}/map.json",
    log:
        f"{RUN}/logs/plot_tower_map.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_tower_map.{{network}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_tower_map"),
        name=network_name,
        borders=config["borders"]["file"],
    message:
        "Draw the map of the towers of {wildcards.network} with their skill"
    script:
        "../scripts/plot_tower_map.py"


rule plot_tower_reliability:
    input:
        judged=f"{RUN}/evaluation/{{network}}/judged.nc",
    output:
        figure=f"{RUN}/figures/{{network}}/reliability.png",
        words=f"{RUN}/figures/{{network}}/reliability.json",
    log:
        f"{RUN}/logs/plot_tower_reliability.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_tower_reliability.{{network}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_tower_reliability"),
        name=network_name,
        seed=config["seed"],
    message:
        "Draw how reliable intervals of {wildcards.network} are"
    script:
        "../scripts/plot_tower_reliability.py"


rule plot_tower_worst:
    input:
        worst=rules.explain_towers.output.table,
        judged=f"{RUN}/evaluation/{{network}}/judged.nc",
        predictions=rules.write_predictions.output.known,
    output:
        figure=f"{RUN}/figures/{{network}}/worst.png",
        words=f"{RUN}/figures/{{network}}/worst.json",
    log:
        f"{RUN}/logs/plot_tower_worst.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_tower_worst.{{network}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_tower_worst"),
        name=network_name,
    message:
        "Draw the worst towers of {wildcards.network}"
    script:
        "../scripts/plot_tower_worst.py"


rule write_network_page:
    input:
        template="scripts/concerto/products/network.html.j2",
        scores=f"{RUN}/evaluation/{{network}}/scores.csv",
        worst=rules.explain_towers.output.table,
        plausibility=f"{RUN}/cubes/{{network}}/plausibility.csv",
        faults=f"{RUN}/cubes/{{network}}/faults.csv",
        all=posteriors_of(ALL),
        inner=posteriors_of(INNER),
        unseen=posteriors_of(UNSEEN),
        products=[
            *rules.write_predictions.output,
            *rules.score_towers.output,
            rules.explain_towers.output.table,
            f"{RUN}/cubes/{{network}}/plausibility.csv",
        ],
        figures=expand(
            f"{RUN}/figures/{{{{network}}}}/{{figure}}.png", figure=TOWER_FIGURES
        ),
        sources=network_sources,
        citation="CITATION.cff",
    output:
        page=report(
            f"{RUN}/report/{{network}}.html",
            caption="captions/network_page.rst",
            category="Pages",
            labels={"figure": "{network}"},
        ),
    log:
        f"{RUN}/logs/write_network_page.{{network}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_network_page.{{network}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("write_network_page"),
        config=config,
    message:
        "Write the page of {wildcards.network}"
    script:
        "../scripts/write_network_page.py"
