"""The page on how work grows with maps: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from concerto.evaluation.scale import LEAST, WITHIN
from concerto.products.report import Picture, plain, templates

TEMPLATE = "scale.html.j2"
GAIN = 1.8
"""What a second core must gain."""


def render_scale(
    config: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    figure: Picture,
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    config
        The run's configuration.
    tables
        ``scale``, ``linearity``, ``cores``, ``places`` and ``extrapolation``, as
        :mod:`concerto.evaluation.scale` has them.
    figure
        Of :mod:`concerto.plots.scale`.
    """
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title="Scale: what maps of many cells take",
            config=config,
            within=WITHIN,
            least=LEAST,
            gain=GAIN,
            cores=tables["cores"].iloc[0].to_dict(),
            figure=figure,
            config_text=yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True),
            **{
                name: tables[name].to_dict("records")
                for name in ("scale", "linearity", "places", "extrapolation")
            },
        )
    )
