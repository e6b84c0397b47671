# What a run publishes: NetCDF, budget, figures and the report.


include: "pages.smk"


rule write_product:
    input:
        projection=f"{RUN}/projection/{{site}}/{PRODUCT}.nc",
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
    output:
        product=f"{RUN}/products/{{site}}/fluxes.nc",
    log:
        f"{RUN}/logs/write_product.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_product.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=10,
    params:
        library=library("write_product"),
        run_id=RUN_ID,
        site=site_config,
        licences=lambda wildcards: {
            name: words_of(name)["licence"] for name in sources_of([wildcards.site])
        },
    message:
        "Write the product of {wildcards.site}"
    script:
        "../scripts/write_product.py"


rule write_budget:
    input:
        projection=f"{RUN}/projection/{{site}}/{PRODUCT}.nc",
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
    output:
        years=f"{RUN}/products/{{site}}/budget.csv",
        means=f"{RUN}/products/{{site}}/budget_mean.csv",
    log:
        f"{RUN}/logs/write_budget.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_budget.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=10,
    params:
        library=library("write_budget"),
        run_id=RUN_ID,
        seed=config["seed"],
    message:
        "Write the carbon budget of {wildcards.site}"
    script:
        "../scripts/write_budget.py"


rule plot_timeseries:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        projection=f"{RUN}/projection/{{site}}/{PRODUCT}.nc",
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/timeseries.png",
            caption="captions/timeseries.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Time series"},
        ),
        words=f"{RUN}/figures/{{site}}/timeseries.json",
    log:
        f"{RUN}/logs/plot_timeseries.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_timeseries.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=10,
    params:
        library=library("plot_timeseries"),
        method=PRODUCT,
    message:
        "Draw the time series of {wildcards.site}"
    script:
        "../scripts/plot_timeseries.py"


rule plot_seasonal_cycle:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        projection=f"{RUN}/projection/{{site}}/{PRODUCT}.nc",
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
        prior=f"{RUN}/prior/{{site}}.nc",
        baselines=f"{RUN}/evaluation/{{site}}/baselines.nc",
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/seasonal_cycle.png",
            caption="captions/seasonal_cycle.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Mean season"},
        ),
        words=f"{RUN}/figures/{{site}}/seasonal_cycle.json",
    log:
        f"{RUN}/logs/plot_seasonal_cycle.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_seasonal_cycle.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("plot_seasonal_cycle"),
        method=PRODUCT,
    message:
        "Draw the mean season of {wildcards.site}"
    script:
        "../scripts/plot_seasonal_cycle.py"


rule plot_observed_predicted:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        projection=f"{RUN}/projection/{{site}}/{PRODUCT}.nc",
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
        scores=f"{RUN}/evaluation/{{site}}/scores.csv",
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/observed_predicted.png",
            caption="captions/observed_predicted.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Predicted against observed"},
        ),
        words=f"{RUN}/figures/{{site}}/observed_predicted.json",
    log:
        f"{RUN}/logs/plot_observed_predicted.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_observed_predicted.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=10,
    params:
        library=library("plot_observed_predicted"),
        method=PRODUCT,
    message:
        "Draw predicted against observed values of {wildcards.site}"
    script:
        "../scripts/plot_observed_predicted.py"


rule plot_coverage:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        projections=expand(
            f"{RUN}/projection/{{{{site}}}}/{{method}}.nc", method=METHODS
        ),
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
        baselines=f"{RUN}/evaluation/{{site}}/baselines.nc",
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/coverage.png",
            caption="captions/coverage.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Coverage"},
        ),
        words=f"{RUN}/figures/{{site}}/coverage.json",
    log:
        f"{RUN}/logs/plot_coverage.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_coverage.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("plot_coverage"),
        methods=METHODS,
        seed=config["seed"],
    message:
        "Draw the coverage of {wildcards.site}"
    script:
        "../scripts/plot_coverage.py"


rule plot_pools:
    input:
        projection=f"{RUN}/projection/{{site}}/{PRODUCT}.nc",
        posterior=f"{RUN}/posterior/{{site}}/{PRODUCT}.nc",
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/pools.png",
            caption="captions/pools.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Pools"},
        ),
        words=f"{RUN}/figures/{{site}}/pools.json",
    log:
        f"{RUN}/logs/plot_pools.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_pools.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=10,
    params:
        library=library("plot_pools"),
        method=PRODUCT,
    message:
        "Draw the carbon pools of {wildcards.site}"
    script:
        "../scripts/plot_pools.py"


rule plot_parameters:
    input:
        prior=f"{RUN}/prior/{{site}}.nc",
        posteriors=expand(f"{RUN}/posterior/{{{{site}}}}/{{method}}.nc", method=METHODS),
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/parameters.png",
            caption="captions/parameters.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Parameters"},
        ),
        words=f"{RUN}/figures/{{site}}/parameters.json",
    log:
        f"{RUN}/logs/plot_parameters.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_parameters.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_parameters"),
        methods=METHODS,
    message:
        "Draw the parameters of {wildcards.site}"
    script:
        "../scripts/plot_parameters.py"


rule plot_forecast:
    input:
        observations=f"{RUN}/cubes/{{site}}/observations.nc",
        forecast=f"{RUN}/projection/{{site}}/forecast.{FORECAST['method']}.nc",
        projection=f"{RUN}/projection/{{site}}/{PRODUCT}.nc",
        baselines=f"{RUN}/evaluation/{{site}}/baselines.nc",
        scores=f"{RUN}/evaluation/{{site}}/forecast.csv",
    output:
        figure=report(
            f"{RUN}/figures/{{site}}/forecast.png",
            caption="captions/forecast.rst",
            category="Towers",
            subcategory="{site}",
            labels={"figure": "Forecast"},
        ),
        words=f"{RUN}/figures/{{site}}/forecast.json",
    log:
        f"{RUN}/logs/plot_forecast.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_forecast.{{site}}.tsv"
    wildcard_constraints:
        site=one_of(FORECAST["sites"]),
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=10,
    params:
        library=library("plot_forecast"),
        method=PRODUCT,
    message:
        "Draw the forecast of {wildcards.site}"
    script:
        "../scripts/plot_forecast.py"


rule plot_sites:
    input:
        borders=ancient(BORDERS),
    output:
        figure=report(
            f"{RUN}/figures/sites.png",
            caption="captions/sites.rst",
            category="Towers",
            labels={"figure": "Where they are"},
        ),
        words=f"{RUN}/figures/sites.json",
    log:
        f"{RUN}/logs/plot_sites.log",
    benchmark:
        f"{RUN}/benchmarks/plot_sites.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_sites"),
        sites=config["sites"],
        borders=config["borders"]["file"],
    message:
        "Draw the map of the towers"
    script:
        "../scripts/plot_sites.py"


rule write_report:
    input:
        template="scripts/concerto/products/report.html.j2",
        raw=ancient(
            lambda wildcards: [
                *(f"{RUN}/raw/{name}" for name in sources_of([wildcards.site])),
                BORDERS,
            ]
        ),
        masking=f"{RUN}/cubes/{{site}}/masking.csv",
        posteriors=expand(f"{RUN}/posterior/{{{{site}}}}/{{method}}.nc", method=METHODS),
        evaluation=[
            f"{RUN}/evaluation/{{site}}/scores.csv",
            f"{RUN}/evaluation/{{site}}/notes.csv",
            f"{RUN}/evaluation/{{site}}/methods.csv",
        ],
        products=[
            f"{RUN}/products/{{site}}/fluxes.nc",
            f"{RUN}/products/{{site}}/budget.csv",
            f"{RUN}/products/{{site}}/budget_mean.csv",
        ],
        map=rules.plot_sites.output,
        figures=expand(
            f"{RUN}/figures/{{{{site}}}}/{{figure}}.{{kind}}",
            figure=FIGURES,
            kind=["png", "json"],
        ),
        forecasts=page_forecasts(
            f"{RUN}/evaluation/{{site}}/forecast.csv",
            f"{RUN}/figures/{{site}}/forecast.png",
            f"{RUN}/figures/{{site}}/forecast.json",
        ),
    output:
        page=report(
            f"{RUN}/report/{{site}}.html",
            caption="captions/tower_page.rst",
            category="Pages",
            labels={"figure": "{site}"},
        ),
    log:
        f"{RUN}/logs/write_report.{{site}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_report.{{site}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("write_report"),
        figures=FIGURES,
        config=config,
        words=lambda wildcards: {
            name: words_of(name)
            for name in [
                *sources_of([wildcards.site]),
                config["borders"]["source"],
            ]
        },
    message:
        "Write the report: {output.page}"
    script:
        "../scripts/write_report.py"


rule plot_gaps:
    input:
        observations=f"{RUN}/cubes/{{area}}/observations.nc",
    output:
        figure=f"{RUN}/figures/{{area}}/gaps.png",
        words=f"{RUN}/figures/{{area}}/gaps.json",
    log:
        f"{RUN}/logs/plot_gaps.{{area}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_gaps.{{area}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("plot_gaps"),
    message:
        "Draw when and where {wildcards.area} has observations"
    script:
        "../scripts/plot_gaps.py"


rule write_map:
    input:
        monthly=lambda wildcards: tile_files(
            wildcards.map, f"products/{wildcards.map}/tiles"
        ),
        annual=lambda wildcards: tile_files(
            wildcards.map, f"products/{wildcards.map}/annual"
        ),
        sources=map_sources,
        citation="CITATION.cff",
    output:
        monthly=f"{RUN}/products/{{map}}/map.nc",
        monthly_store=directory(f"{RUN}/products/{{map}}/map.zarr"),
        annual=f"{RUN}/products/{{map}}/annual.nc",
        annual_store=directory(f"{RUN}/products/{{map}}/annual.zarr"),
    log:
        f"{RUN}/logs/write_map.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_map.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        library=library("write_map"),
        run_id=RUN_ID,
        grid=map_bounds,
        settings=map_settings,
    message:
        "Write the map {wildcards.map} on its grid"
    script:
        "../scripts/write_map.py"


rule write_layers:
    input:
        annual=rules.write_map.output.annual,
    output:
        layers=directory(f"{RUN}/products/{{map}}/layers"),
    log:
        f"{RUN}/logs/write_layers.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_layers.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        library=library("write_layers"),
    message:
        "Write the key layers of {wildcards.map} as GeoTIFF"
    script:
        "../scripts/write_layers.py"


rule write_catalog:
    input:
        monthly=rules.write_map.output.monthly,
        monthly_store=rules.write_map.output.monthly_store,
        annual=rules.write_map.output.annual,
        annual_store=rules.write_map.output.annual_store,
        layers=rules.write_layers.output.layers,
        regions=f"{RUN}/products/{{map}}/regions.nc",
        table=f"{RUN}/products/{{map}}/regions.csv",
        sources=map_sources,
        citation="CITATION.cff",
    output:
        catalog=directory(f"{RUN}/products/{{map}}/catalog"),
    log:
        f"{RUN}/logs/write_catalog.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_catalog.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        library=library("write_catalog"),
    message:
        "Write the catalogue of {wildcards.map}"
    script:
        "../scripts/write_catalog.py"


rule plot_map:
    input:
        annual=f"{RUN}/products/{{map}}/annual.nc",
        borders=ancient(BORDERS),
    output:
        figure=report(
            f"{RUN}/figures/{{map}}/maps.png",
            caption="captions/maps.rst",
            category="Maps",
            subcategory="{map}",
            labels={"figure": "Maps"},
        ),
        words=f"{RUN}/figures/{{map}}/maps.json",
    log:
        f"{RUN}/logs/plot_map.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_map.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        library=library("plot_map"),
        name=map_name,
        borders=config["borders"]["file"],
    message:
        "Draw the maps of {wildcards.map}"
    script:
        "../scripts/plot_map.py"


rule plot_status:
    input:
        map=f"{RUN}/products/{{map}}/map.nc",
        borders=ancient(BORDERS),
    output:
        figure=report(
            f"{RUN}/figures/{{map}}/status.png",
            caption="captions/status.rst",
            category="Maps",
            subcategory="{map}",
            labels={"figure": "Status"},
        ),
        words=f"{RUN}/figures/{{map}}/status.json",
    log:
        f"{RUN}/logs/plot_status.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_status.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("plot_status"),
        name=map_name,
        borders=config["borders"]["file"],
    message:
        "Draw what became of the cells of {wildcards.map}"
    script:
        "../scripts/plot_status.py"


rule plot_hovmoller:
    input:
        map=f"{RUN}/products/{{map}}/map.nc",
        annual=f"{RUN}/products/{{map}}/annual.nc",
    output:
        seasons=report(
            f"{RUN}/figures/{{map}}/hovmoller.png",
            caption="captions/hovmoller.rst",
            category="Maps",
            subcategory="{map}",
            labels={"figure": "Seasons"},
        ),
        seasons_words=f"{RUN}/figures/{{map}}/hovmoller.json",
        profile=report(
            f"{RUN}/figures/{{map}}/profile.png",
            caption="captions/profile.rst",
            category="Maps",
            subcategory="{map}",
            labels={"figure": "Profile"},
        ),
        profile_words=f"{RUN}/figures/{{map}}/profile.json",
    log:
        f"{RUN}/logs/plot_hovmoller.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_hovmoller.{{map}}.tsv"
    wildcard_constraints:
        map=one_of(TRANSECTS),
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("plot_hovmoller"),
        name=map_name,
    message:
        "Draw {wildcards.map} over latitude and months"
    script:
        "../scripts/plot_hovmoller.py"


rule plot_fapar:
    input:
        map=f"{RUN}/products/{{map}}/map.nc",
        observations=lambda wildcards: map_cubes(wildcards)["observations"],
    output:
        figure=report(
            f"{RUN}/figures/{{map}}/fapar.png",
            caption="captions/fapar.rst",
            category="Maps",
            subcategory="{map}",
            labels={"figure": "fAPAR"},
        ),
        words=f"{RUN}/figures/{{map}}/fapar.json",
    log:
        f"{RUN}/logs/plot_fapar.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_fapar.{{map}}.tsv"
    wildcard_constraints:
        map=one_of(TRANSECTS),
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=10,
    params:
        library=library("plot_fapar"),
        name=map_name,
    message:
        "Draw the fAPAR of {wildcards.map}, observed and calibrated"
    script:
        "../scripts/plot_fapar.py"


rule plot_regions:
    input:
        regions=f"{RUN}/products/{{map}}/regions.csv",
    output:
        figure=report(
            f"{RUN}/figures/{{map}}/regions.png",
            caption="captions/regions.rst",
            category="Maps",
            subcategory="{map}",
            labels={"figure": "Regions"},
        ),
        words=f"{RUN}/figures/{{map}}/regions.json",
    log:
        f"{RUN}/logs/plot_regions.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/plot_regions.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        library=library("plot_regions"),
        name=map_name,
    message:
        "Draw sums over the regions of {wildcards.map}"
    script:
        "../scripts/plot_regions.py"


rule write_map_page:
    input:
        template="scripts/concerto/products/map.html.j2",
        map=f"{RUN}/products/{{map}}/map.nc",
        regions=f"{RUN}/products/{{map}}/regions.csv",
        others=expand(
            f"{RUN}/products/{{{{map}}}}/{{product}}",
            product=MAP_PRODUCTS,
        ),
        figures=lambda wildcards: expand(
            f"{RUN}/figures/{wildcards.map}/{{figure}}.png",
            figure=map_figures(wildcards),
        ),
        sources=map_sources,
        citation="CITATION.cff",
    output:
        page=report(
            f"{RUN}/report/{{map}}.html",
            caption="captions/map_page.rst",
            category="Pages",
            labels={"figure": "{map}"},
        ),
    log:
        f"{RUN}/logs/write_map_page.{{map}}.log",
    benchmark:
        f"{RUN}/benchmarks/write_map_page.{{map}}.tsv"
    conda:
        "../envs/publish.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("write_map_page"),
        config=config,
    message:
        "Write the page of {wildcards.map}"
    script:
        "../scripts/write_map_page.py"


rule write_predictions:
    input:
        observations=expand(
            f"{RUN}/cubes/{{network}}/observations.nc", network=NETWORKS
        ),
        learned=expand(learned_of(ALL), network=NETWORKS),
        inner=expand(learned_of(INNER), network=NETWORKS),
        batches=[file for name in NETWORKS for file in projections_of(name, ALL)],
    output:
        known=f"{RUN}/predictions.nc",
        unseen=f"{RUN}/predictions_unseen_sites.nc",
    log:
        f"{RUN}/logs/write_predictions.log",
    benchmark:
        f"{RUN}/benchmarks/write_predictions.tsv"
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        library=library("write_predictions"),
        run_id=RUN_ID,
        network=next(iter(config["networks"].values()), {}),
    message:
        "Write the predictions of all towers"
    script:
        "../scripts/write_predictions.py"
