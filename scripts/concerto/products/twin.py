"""The page on twin experiments: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from concerto.evaluation.calibration import LEVEL
from concerto.evaluation.information import FREE
from concerto.evaluation.quantities import label
from concerto.evaluation.sum_coverage import LEVEL as SUMS_LEVEL
from concerto.products.report import Picture, plain, templates

TEMPLATE = "twin.html.j2"
MAP_TEMPLATE = "twin_map.html.j2"


def render_twin(
    config: Mapping[str, Any],
    calibration: pd.DataFrame,
    methods: pd.DataFrame,
    reduction: pd.DataFrame,
    figures: Mapping[str, Picture],
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    config
        The run's configuration.
    calibration, methods
        Verdicts of quantities and of methods, of :mod:`concerto.evaluation.calibration`.
    reduction
        Of :func:`concerto.evaluation.information.error_reduction`.
    figures
        By name: ``METHOD_ecdf`` and ``METHOD_histogram`` of each method, ``error_reduction`` and
        ``stream_values``.
    """
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title="Twin experiments: is the stated uncertainty true?",
            config=config,
            level=LEVEL,
            methods=methods.to_dict("records"),
            quantities=_grouped(calibration, "method"),
            reduction=_grouped(reduction.assign(words=reduction.subset.map(_words)), "quantity"),
            figures=figures,
            config_text=yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True),
        )
    )


def render_twin_map(
    config: Mapping[str, Any],
    coverage: pd.DataFrame,
    summary: pd.DataFrame,
    verdicts: str,
    figure: Picture,
) -> str:
    """Return the HTML of the page on the twin experiment of a map.

    Parameters
    ----------
    config
        The run's configuration.
    coverage, summary
        Of :mod:`concerto.evaluation.sum_coverage`.
    verdicts
        The lines of :func:`concerto.evaluation.verdicts.of_sums`.
    figure
        Of :func:`concerto.plots.sums.draw`.
    """
    return (
        templates()
        .get_template(MAP_TEMPLATE)
        .render(
            title="Twin experiment of a map: do sums over regions hold the truth?",
            config=config,
            map=config["maps"][config["twin_map"]["map"]],
            level=SUMS_LEVEL,
            coverage=coverage.to_dict("records"),
            summary=summary.to_dict("records"),
            verdicts=verdicts,
            figure=figure,
            config_text=yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True),
        )
    )


def _grouped(table: pd.DataFrame, by: str) -> dict[str, list[dict]]:
    return {str(name): rows.to_dict("records") for name, rows in table.groupby(by, sort=False)}


def _words(subset: str) -> str:
    if subset == FREE:
        return "none: the free run"
    return ", ".join(label(name) for name in subset.split("+"))
