"""How wrong an emulator is where it was not taught, and how that shrinks with runs."""

from __future__ import annotations

import pandas as pd

from concerto.plots import style

TARGET = 2.0
"""Percent of the outputs' size that an emulator may be wrong by."""
_LOOK = {"gpp": ("GPP", "#117733"), "le": ("latent heat", "#0072B2"), "sif": ("SIF", "#882255")}


@style.styled
def draw(name: str, scores: pd.DataFrame, curve: pd.DataFrame) -> style.Drawing:
    """Draw errors of days and of annual means by the number of runs that taught."""
    figure = style.new_figure(3.4)
    left, right = figure.subplots(1, 2, sharex=True)
    for output, (label, tint) in _LOOK.items():
        own = curve[curve["output"] == output]
        left.plot(own["runs"], 100.0 * own["relative"], "o-", color=tint, label=label)
        right.plot(own["runs"], 100.0 * own["relative_mean"], "o-", color=tint)
        right.plot(own["runs"], 100.0 * own["worst"], "x--", color=tint, linewidth=0.8)
    for axes, what in ((left, "Days"), (right, "Means of the year")):
        axes.axhline(TARGET, color="#999999", linewidth=0.8)
        axes.set_title(what)
        axes.set_xlabel("runs that teach")
        axes.set_ylim(bottom=0.0)
    left.set_ylabel("root mean square error (%)")
    style.shared_legend(figure, left)
    faster = scores["faster"].iloc[0]
    said = ", ".join(
        f"{_LOOK[row.output][0]} {100 * row.relative:.2g} %" for row in scores.itertuples()
    )
    title = f"{name}: what stands in for the canopy"
    return style.Drawing(
        figure,
        title,
        "Errors of the emulator on runs that taught nothing, anywhere in the range of parameters, "
        "over the mean size of each output. Left: of daily values. Right: of annual means, the "
        f"largest of any run dashed. The grey line is {TARGET:g} %. Of days it is {said}. A member "
        f"of an ensemble takes 1/{faster:.0f} of the processor time of the model.",
        f"Lines that fall with the number of runs. Errors of days: {said}.",
    )
