# How work, memory and files grow with maps, on synthetic cells:
#   snakemake scale --configfile config/runs/scale.yaml


include: "sizes.smk"


rule scale:
    input:
        f"{RUN}/report/scale.html" if SCALE else [],


rule make_synthetic:
    input:
        lambda wildcards: (
            [] if wildcards.grid == cubes_of(SCALE["cells"][0]) else COMPILED
        ),
    output:
        drivers=f"{RUN}/cubes/{{grid}}/drivers.nc",
        observations=f"{RUN}/cubes/{{grid}}/observations.nc",
        land=f"{RUN}/cubes/{{grid}}/land.nc",
    log:
        f"{RUN}/logs/make_synthetic.{{grid}}.log",
    benchmark:
        f"{RUN}/benchmarks/make_synthetic.{{grid}}.tsv"
    wildcard_constraints:
        grid=one_of(SYNTHETIC),
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards: 500
        + round(
            0.05 * SYNTHETIC[wildcards.grid].rows * SYNTHETIC[wildcards.grid].columns
        ),
        runtime=30,
    params:
        library=library("make_synthetic"),
        grid=lambda wildcards: list(astuple(SYNTHETIC[wildcards.grid])),
        period=SCALE.get("period"),
        seed=config["seed"],
    message:
        "Make up the cells of {wildcards.grid}"
    script:
        "../scripts/make_synthetic.py"


rule measure_cores:
    input:
        cubes=multiext(
            f"{RUN}/cubes/{cubes_of(SCALE['cores']['cells']) if SCALE else 'none'}/",
            "drivers.nc",
            "observations.nc",
            "land.nc",
        ),
        compiled=COMPILED,
        statement=f"{RUN}/posterior/{ON_CORES}/errors.json",
    output:
        cores=f"{RUN}/speed/cores.csv",
    log:
        f"{RUN}/logs/measure_cores.log",
    benchmark:
        f"{RUN}/benchmarks/measure_cores.tsv"
    conda:
        "../envs/model.yaml"
    # All cores: nothing else may run beside it.
    threads: workflow.cores or 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        library=library("measure_cores"),
        snakefile=str(Path(workflow.basedir, "Snakefile")),
        # Of what a configuration leaves out, the workflow has made empty places.
        config={key: value for key, value in config.items() if value != {}},
        map=ON_CORES,
    message:
        "Measure a map on one core and on two"
    script:
        "../scripts/measure_cores.py"


rule count_land:
    input:
        borders=ancient(BORDERS),
    output:
        places=f"{RUN}/speed/places.csv",
    log:
        f"{RUN}/logs/count_land.log",
    benchmark:
        f"{RUN}/benchmarks/count_land.tsv"
    conda:
        "../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("count_land"),
        places=SCALE.get("places", []),
        borders=config["borders"]["file"],
    message:
        "Count the cells of land of places"
    script:
        "../scripts/count_land.py"


rule tabulate_scale:
    input:
        work=[file for item in SCALED for file in work_of(item)],
        places=f"{RUN}/speed/places.csv",
    output:
        scale=f"{RUN}/speed/scale.csv",
        linearity=f"{RUN}/speed/linearity.csv",
        extrapolation=f"{RUN}/speed/extrapolation.csv",
    log:
        f"{RUN}/logs/tabulate_scale.log",
    benchmark:
        f"{RUN}/benchmarks/tabulate_scale.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("tabulate_scale"),
        maps=SCALED,
    message:
        "Tabulate what maps of synthetic cells took"
    script:
        "../scripts/tabulate_scale.py"


rule plot_scale:
    input:
        scale=f"{RUN}/speed/scale.csv",
        linearity=f"{RUN}/speed/linearity.csv",
    output:
        figure=f"{RUN}/speed/scale.png",
        words=f"{RUN}/speed/scale.json",
    log:
        f"{RUN}/logs/plot_scale.log",
    benchmark:
        f"{RUN}/benchmarks/plot_scale.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("plot_scale"),
    message:
        "Draw how the cost of a cell changes with the size of a map"
    script:
        "../scripts/plot_scale.py"


rule write_scale:
    input:
        template="scripts/concerto/products/scale.html.j2",
        scale=f"{RUN}/speed/scale.csv",
        linearity=f"{RUN}/speed/linearity.csv",
        extrapolation=f"{RUN}/speed/extrapolation.csv",
        places=f"{RUN}/speed/places.csv",
        cores=f"{RUN}/speed/cores.csv",
        figure=f"{RUN}/speed/scale.png",
    output:
        page=report(
            f"{RUN}/report/scale.html",
            caption="captions/scale.rst",
            category="Pages",
            labels={"figure": "Scale"},
        ),
    log:
        f"{RUN}/logs/write_scale.log",
    benchmark:
        f"{RUN}/benchmarks/write_scale.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        library=library("write_scale"),
        config=config,
    message:
        "Write the page on scale: {output.page}"
    script:
        "../scripts/write_scale.py"
