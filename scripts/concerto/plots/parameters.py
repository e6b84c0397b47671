"""Parameters before and after calibration."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.stats import gaussian_kde

from concerto.evaluation.comparison import parameter_periods, parameter_samples, unwrap
from concerto.evaluation.quantities import plain_unit, predictor_label
from concerto.plots import style

COLUMNS = 5
# Ranges wider than this factor are drawn on a logarithmic axis.
LOG_FACTOR = 20
_GRID = 200


@style.styled
def draw(
    *, site: str, prior: xr.Dataset, posteriors: dict[str, xr.Dataset], converged: bool
) -> style.Drawing:
    """Draw the density of each parameter under the prior and each method's posterior.

    Parameters
    ----------
    site, converged
        What to say in the title; ``converged`` if all methods are.
    prior
        File with the prior's ``parameters``.
    posteriors
        Posterior of each method.
    """
    reference = next(iter(posteriors.values()))
    names = [str(name) for name in reference["parameter"].to_numpy()]
    units = [str(unit) for unit in reference["parameter_units"].to_numpy()]
    lows = reference["parameter_min"].to_numpy()
    highs = reference["parameter_max"].to_numpy()
    periods = parameter_periods(reference)
    samples = {"prior": parameter_samples(prior)} | {
        method: parameter_samples(posterior) for method, posterior in posteriors.items()
    }
    rows = -(-len(names) // COLUMNS)
    figure = style.new_figure(1.0 + 1.45 * rows)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.remove()
    for axes, name, unit, low, high in zip(panels, names, units, lows, highs, strict=False):
        logarithmic = low > 0 and high / low > LOG_FACTOR
        forward = np.log if logarithmic else np.asarray
        grid = np.linspace(forward(low), forward(high), _GRID)
        x = np.exp(grid) if logarithmic else grid
        for source, table in samples.items():
            density = _density(forward(table[name].to_numpy()), grid, periods[name])
            tint = style.colour(source)
            if source == "prior":
                axes.fill_between(x, density, color=tint, alpha=0.35, linewidth=0, label="prior")
            else:
                axes.plot(x, density, color=tint, label=predictor_label(source))
        if logarithmic:
            axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(bottom=0)
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_title(name.replace("_", " "), fontsize=7.5, fontweight="normal")
        axes.set_xlabel("no unit" if unit == "1" else plain_unit(unit), fontsize=7, labelpad=1)
        axes.tick_params(labelsize=6.5)
        axes.minorticks_off()
    title = f"{site}: what the observations taught about each parameter"
    style.head(figure, title, converged)
    style.shared_legend(figure, panels[0])
    caption = (
        "Density of each parameter before (grey) and after calibration (lines), each scaled to the "
        "same height of its panel; the axis spans the prior's range. Where a line is narrower than "
        "the grey the observations taught something; where the two methods differ, trust neither "
        "more than their difference."
    )
    return style.Drawing(
        figure,
        title,
        caption + style.warning_text(converged),
        f"Small panels with prior and posterior densities of {len(names)} parameters at {site}.",
    )


def _density(values: np.ndarray, grid: np.ndarray, period: float) -> np.ndarray:
    """Return a density on a grid with its highest point at 1.

    Values are mirrored at the bounds, or repeated every period where there is one: else a density
    that reaches a bound would seem to fall off before it.
    """
    if np.ptp(values) == 0:
        return (np.abs(grid - values[0]) == np.abs(grid - values[0]).min()).astype(float)
    kernel = gaussian_kde(unwrap(values, period, values))
    if np.isfinite(period):
        density = sum(kernel(grid + turn * period) for turn in (-1, 0, 1))
    else:
        density = sum(kernel(x) for x in (grid, 2 * grid[0] - grid, 2 * grid[-1] - grid))
    return density / density.max()
