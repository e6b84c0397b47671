"""Figures of scenarios: the gain of carbon, its components, what its variance is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from concerto.evaluation.scenarios import CROSSED, FACTORS, GAIN, MEMBERS, MODEL_ERROR
from concerto.evaluation.variance import INTERACTIONS
from concerto.plots import style

TINTS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
FACTOR_TINTS = {
    "climate": "#D55E00", "land_use": "#009E73", "member": "#0072B2", "state": "#332288",
    "parameters": "#56B4E9", INTERACTIONS: "#8C8C8C", MODEL_ERROR: "#E69F00",
}  # fmt: skip
SOURCES = {
    "clearing": ("burned in clearing", "#882255"),
    "slash_decay": ("slash", "#CC79A7"),
    "product_decay": ("products and crops", "#D55E00"),
    "soil_legacy": ("soil legacy", "#E69F00"),
    "fire": ("fire", "#B00020"),
}
SINK = ("regrowth", "#009E73")
_WHOLE = "all"
_UNIT = "gC m$^{-2}$"


@style.styled
def draw_paths(
    regions: xr.Dataset, name: str, baseline: str, words: Mapping[str, str]
) -> style.Drawing:
    """Draw what land and products gain under each scenario, and paired differences.

    Parameters
    ----------
    regions
        Of :func:`concerto.evaluation.scenarios.by_region`, the whole first.
    name
        Of the place, for people.
    baseline
        The scenario that others are compared with.
    words
        What people call the scenarios.
    """
    gain = regions[GAIN].sel(region=_WHOLE).transpose("scenario", "member", "year")
    years = regions["year"].to_numpy()
    base = gain.sel(scenario=baseline).to_numpy()
    figure = style.new_figure(3.6)
    left, right = figure.subplots(1, 2)
    left.set(title="Gain of carbon by land and products", ylabel=_UNIT)
    right.set(title="Difference to the baseline, within members", ylabel=_UNIT)
    for tint, scenario in zip(TINTS, regions["scenario"].to_numpy(), strict=False):
        members = gain.sel(scenario=scenario).to_numpy()
        _band(left, years, members, tint, words[scenario])
        if scenario != baseline:
            _band(right, years, members - base, tint, words[scenario])
    for axes in (left, right):
        axes.axhline(0.0, color="#666666", linewidth=0.8)
    style.head(figure, f"Scenarios of {name}")
    style.shared_legend(figure, left, columns=3)
    end = int(years[-1])
    parts = [
        f"{words[scenario]}: {np.median(gain.sel(scenario=scenario)[:, -1]):.0f}"
        for scenario in regions["scenario"].to_numpy()
    ]
    caption = (
        f"Left: what land and products of {name} have gained since the end of the record, median "
        "and central 90 % of the members; loss is negative. Right: the difference to "
        f"the baseline, “{words[baseline]}”, taken within each member, so that what is uncertain "
        "but common to both cancels. The model's own error is not in the bands. A demonstration "
        "with stated changes."
    )
    alternative = f"Gain by {end} in gC m-2, median: {'; '.join(parts)}."
    return style.Drawing(figure, "Gain of carbon", caption, alternative)


def _band(axes: Axes, x: np.ndarray, members: np.ndarray, tint: str, label: str) -> None:
    low, middle, high = np.quantile(members, [0.05, 0.5, 0.95], axis=0)
    axes.fill_between(x, low, high, color=tint, alpha=0.18, linewidth=0)
    axes.plot(x, middle, color=tint, label=label)


@style.styled
def draw_components(regions: xr.Dataset, name: str, words: Mapping[str, str]) -> style.Drawing:
    """Draw the component fluxes of each scenario, means over the members.

    Parameters
    ----------
    regions, name, words
        As for :func:`draw_paths`.
    """
    whole = regions.sel(region=_WHOLE).mean("member")
    years = regions["year"].to_numpy()
    scenarios = regions["scenario"].to_numpy().tolist()
    figure = style.new_figure(3.6)
    panels = figure.subplots(1, len(scenarios), sharey=True, squeeze=False)[0]
    for axes, scenario in zip(panels, scenarios, strict=True):
        own = whole.sel(scenario=scenario)
        axes.set(title=words[scenario])
        parts = [own[part].to_numpy() for part in SOURCES]
        labels = [label for label, _ in SOURCES.values()]
        tints = [tint for _, tint in SOURCES.values()]
        axes.stackplot(years, parts, labels=labels, colors=tints, linewidth=0)
        axes.fill_between(
            years, 0.0, -own["regrowth_sink"].to_numpy(), color=SINK[1], linewidth=0, label=SINK[0]
        )
        axes.plot(years, -own["nbp"].to_numpy(), color=style.OBSERVED, linewidth=1.0, label="net")
        axes.plot(
            years, own["harvest"].to_numpy(), color=style.OBSERVED, linewidth=1.0,
            linestyle=":", label="carried away (harvest, yields)",
        )  # fmt: skip
        axes.axhline(0.0, color="#666666", linewidth=0.8)
    panels[0].set(ylabel=f"to the air, {_UNIT} yr$^{{-1}}$")
    style.head(figure, f"Component fluxes of {name}")
    style.shared_legend(figure, panels[0], columns=4)
    caption = (
        f"Fluxes of land use at {name}, means over the members, to the air: what is burned when "
        "land is cleared, the decay of slash and products, the loss of litter and soil under "
        "covers that replaced others, fire; below zero the net uptake of planted land. Net is all "
        "exchange, of land that is not used too; what is carried away is no flux to the air before "
        "it decays."
    )
    end = whole.isel(year=slice(-10, None)).mean("year")
    parts = [
        f"{words[s]}: gross source {float(end['gross_source'].sel(scenario=s)):.0f}, "
        f"regrowth {float(end['regrowth_sink'].sel(scenario=s)):.0f}"
        for s in scenarios
    ]
    alternative = f"Means of the last ten years, gC m-2 yr-1: {'; '.join(parts)}."
    return style.Drawing(figure, "Component fluxes", caption, alternative)


@style.styled
def draw_variance(
    variance: pd.DataFrame, name: str, levels: Sequence[str], crossed: int
) -> style.Drawing:
    """Draw of what the variance of the gain is made, year by year.

    Parameters
    ----------
    variance
        Of :func:`concerto.evaluation.scenarios.variance_table`.
    name
        Of the place, for people.
    levels
        What climates and land uses were crossed, in words.
    crossed
        How many states and sets of parameters were.
    """
    figure = style.new_figure(3.6)
    panels = figure.subplots(1, 3, width_ratios=(2, 2, 1.3))
    titles = ("All, as assimilated", "State and parameters, as if independent")
    said = []
    for axes, design, title in zip(panels, (MEMBERS, CROSSED), titles, strict=False):
        table = variance[variance["design"] == design].pivot_table(
            index="year", columns="factor", values="share"
        )
        known = [factor for factor in FACTORS[design] if factor in table]
        axes.stackplot(
            table.index, [table[factor] for factor in known],
            labels=[FACTORS[design][factor] for factor in known],
            colors=[FACTOR_TINTS[factor] for factor in known], linewidth=0,
        )  # fmt: skip
        axes.set(title=title, ylim=(0, 1), xlim=table.index[[0, -1]])
        last = ", ".join(
            f"{FACTORS[design][factor]} {100 * table[factor].iloc[-1]:.0f} %" for factor in known
        )
        said.append(f"{title}, {table.index[-1]}: {last}.")
        spread = np.sqrt(variance[variance["design"] == design].groupby("year")["variance"].sum())
        panels[2].plot(
            spread.index, spread, color=style.OBSERVED, label=design,
            linestyle="-" if design == MEMBERS else ":",
        )  # fmt: skip
    panels[0].set(ylabel="share of the variance")
    panels[2].set(title="Standard deviation", ylabel=_UNIT, ylim=(0, None))
    panels[2].legend(("as assimilated", "as if independent"), loc="upper left")
    style.head(figure, f"What is uncertain at {name}")
    style.shared_legend(figure, panels[0], panels[1], columns=4)
    error_known = variance.loc[variance["factor"] == MODEL_ERROR, "share"].notna().any()
    without = "" if error_known else " The model's own error is not known here."
    caption = (
        f"Variance of the gain of carbon at {name} from the start to each year. Left: all members, "
        f"each with its own state and parameters, under {'; '.join(levels)}, each combined with "
        f"each. Middle: {crossed} states and {crossed} sets of parameters of the posterior under "
        "the baseline, each combined with each. Members learnt both together, so the variance of "
        "the middle is another than theirs (right). Shares of climate and land use depend on the "
        "scenarios that were chosen and are no probabilities. The model's error is that of the "
        f"record, which forgets within months: it has no lasting bias.{without} "
        "All runs are of one model: what a model of another structure would come to is in no share."
    )
    return style.Drawing(figure, "What the variance is made of", caption, " ".join(said))
