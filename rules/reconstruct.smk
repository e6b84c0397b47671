# Land cover and leaf area where neither was seen: learnt, judged on what was held out, and carried through time.

RECONSTRUCTION = config.get("reconstruction", {})
LEAFY = RECONSTRUCTION.get("leaves", {}).get("cubes")
COVER = RECONSTRUCTION.get("cover", {"climate": {"source": "none"}})
RECONSTRUCTED = f"{RUN}/reconstruction"


rule prepare_cover:
    input:
        classes=ancient(f"{RUN}/raw/land_classes"),
        legends="config/sources/land_classes.yaml",
        climate=ancient(f"{RUN}/raw/{COVER['climate']['source']}"),
    output:
        cells=f"{RECONSTRUCTED}/cells.nc",
    log:
        f"{RUN}/logs/prepare_cover.log",
    benchmark:
        f"{RUN}/benchmarks/prepare_cover.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=15,
    params:
        library=library("prepare_cover"),
        settings=COVER,
    message:
        "Make a table of land cover and climate of cells"
    script:
        "../scripts/prepare_cover.py"


rule reconstruct_cover:
    input:
        cells=rules.prepare_cover.output.cells,
        land=f"{RUN}/cubes/{LEAFY}/land.nc",
        legends="config/sources/land_classes.yaml",
    output:
        cover=f"{RECONSTRUCTED}/cover.nc",
        scores=f"{RECONSTRUCTED}/cover_scores.csv",
        splits=f"{RECONSTRUCTED}/cover_splits.csv",
        judged=f"{RECONSTRUCTED}/cover_judged.nc",
        card=f"{RECONSTRUCTED}/cover_card.json",
    log:
        f"{RUN}/logs/reconstruct_cover.log",
    benchmark:
        f"{RUN}/benchmarks/reconstruct_cover.tsv"
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    params:
        library=library("reconstruct_cover"),
        settings=COVER,
        seed=config["seed"],
    message:
        "Learn land cover and carry it through time"
    script:
        "../scripts/reconstruct_cover.py"


rule reconstruct_leaves:
    input:
        unpack(months_of),
        history=(
            [rules.reconstruct_cover.output.cover] if "cover" in RECONSTRUCTION else []
        ),
    output:
        leaves=f"{RECONSTRUCTED}/{{leafy}}_leaves.nc",
        scores=f"{RECONSTRUCTED}/{{leafy}}_leaf_scores.csv",
        splits=f"{RECONSTRUCTED}/{{leafy}}_leaf_splits.csv",
        judged=f"{RECONSTRUCTED}/{{leafy}}_leaf_judged.nc",
        card=f"{RECONSTRUCTED}/{{leafy}}_leaf_card.json",
    log:
        f"{RUN}/logs/reconstruct_leaves.{{leafy}}.log",
    benchmark:
        f"{RUN}/benchmarks/reconstruct_leaves.{{leafy}}.tsv"
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        library=library("reconstruct_leaves"),
        settings=RECONSTRUCTION,
        seed=config["seed"],
    message:
        "Learn the leaf area of {wildcards.leafy}"
    script:
        "../scripts/reconstruct_leaves.py"


rule plot_reconstruction:
    input:
        leaf_scores=f"{RECONSTRUCTED}/{LEAFY}_leaf_scores.csv",
        leaf_judged=f"{RECONSTRUCTED}/{LEAFY}_leaf_judged.nc",
        leaves=f"{RECONSTRUCTED}/{LEAFY}_leaves.nc",
        cover=(
            [
                rules.reconstruct_cover.output.cover,
                rules.reconstruct_cover.output.scores,
                rules.reconstruct_cover.output.judged,
            ]
            if "cover" in RECONSTRUCTION
            else []
        ),
    output:
        figure=f"{RUN}/figures/{LEAFY}/reconstruction.png",
        words=f"{RUN}/figures/{LEAFY}/reconstruction.json",
    log:
        f"{RUN}/logs/plot_reconstruction.log",
    benchmark:
        f"{RUN}/benchmarks/plot_reconstruction.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("plot_reconstruction"),
        name=LEAFY,
    message:
        "Draw reconstructed land cover and leaves"
    script:
        "../scripts/plot_reconstruction.py"


rule write_reconstruction:
    input:
        template="scripts/concerto/products/sections.html.j2",
        scores=[
            *(
                [rules.reconstruct_cover.output.scores]
                if "cover" in RECONSTRUCTION
                else []
            ),
            f"{RECONSTRUCTED}/{LEAFY}_leaf_scores.csv",
        ],
        cards=[
            *(
                [rules.reconstruct_cover.output.card]
                if "cover" in RECONSTRUCTION
                else []
            ),
            f"{RECONSTRUCTED}/{LEAFY}_leaf_card.json",
        ],
        figure=rules.plot_reconstruction.output.figure,
    output:
        page=report(
            f"{RUN}/report/reconstruction.html",
            caption="captions/reconstruction.rst",
            category="Pages",
            labels={"figure": "Reconstruction"},
        ),
    log:
        f"{RUN}/logs/write_reconstruction.log",
    benchmark:
        f"{RUN}/benchmarks/write_reconstruction.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("write_reconstruction"),
        config=config,
    message:
        "Write the page of reconstructed land cover and leaves"
    script:
        "../scripts/write_reconstruction.py"
