"""Carbon pools through time."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from concerto.evaluation.predictive import one_location
from concerto.evaluation.quantities import POOLS, predictor_label
from concerto.plots import style


@style.styled
def draw(*, site: str, projection: xr.Dataset, method: str, converged: bool) -> style.Drawing:
    """Draw the median and bands of each pool of an ensemble."""
    pools = [name for name in POOLS if name in projection]
    projection = one_location(projection)
    times = pd.DatetimeIndex(projection["time"].to_numpy())
    figure = style.new_figure(4.9)
    panels = figure.subplots(2, -(-len(pools) // 2), squeeze=False, sharex=True).ravel()
    for axes in panels[len(pools) :]:
        axes.remove()
    for axes, name in zip(panels, pools, strict=False):
        members = projection[name].transpose("member", "time").to_numpy().astype(float)
        style.bands(axes, times, members, style.colour(method))
        axes.set_title(POOLS[name].label)
        axes.set_ylabel("gC m⁻²")
        axes.ticklabel_format(axis="y", scilimits=(-2, 5))
        style.date_axis(axes)
        axes.tick_params(axis="x", labelbottom=True)
        axes.margins(x=0.01)
        axes.set_xlabel("Date")
    title = f"{site}: how much carbon each pool holds, by {predictor_label(method)}"
    style.head(figure, title, converged)
    style.shared_legend(figure, panels[0])
    caption = (
        f"Carbon pools at {site}. Bands hold 50 % and 90 % of the ensemble: parameter uncertainty "
        "alone, because nothing measured them and so no model error could be estimated. Slow pools "
        "have wide bands: a few years of fluxes say little about them."
    )
    return style.Drawing(
        figure,
        title,
        caption + style.warning_text(converged),
        f"Median and bands of {len(pools)} carbon pools at {site} from {times[0]:%Y} to "
        f"{times[-1]:%Y}.",
    )
