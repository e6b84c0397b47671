"""The page of a network of towers: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from concerto.domain import IGBP
from concerto.errors import InputError
from concerto.evaluation.quantities import QUANTITIES, label, plain_unit
from concerto.networks import ALL, INNER, KNOWN, LEAST_VALUES, NEW, UNSEEN
from concerto.plots import cells, towers
from concerto.products.report import Picture, fixed, percent, plain, templates, whole

TEMPLATE = "network.html.j2"
TRIALS = {
    ALL: "All that is known: what is published",
    INNER: "The last part of each tower's fluxes withheld: what is judged on it",
    UNSEEN: "No flux of any tower told: what new towers are judged on",
}
PRODUCTS = {
    "predictions.nc": "Fluxes of all towers and months with intervals, and the parts that they are "
    "made of; CF NetCDF.",
    "predictions_unseen_sites.nc": "The same, each tower as if it had no flux of its own.",
    "scores.csv": "Scores by flux, setting and predictor: of all towers, by class and by tower.",
    "judged.nc": "Each withheld value with its predictions and its rank in them.",
    "worst.csv": "The towers with the largest errors, with reasons.",
    "plausibility.csv": "Doubts about what towers report.",
}  # fmt: skip
_STATES = [name for name in cells.STATUS if name != cells.NOT_LAND]
_CONVERGED = "converged"


@dataclass(frozen=True)
class NetworkResults:
    """What the page says of a network.

    Parameters
    ----------
    scores
        Of :func:`concerto.plots.towers.read_scores`.
    verdicts
        Of :func:`concerto.evaluation.trial_verdicts.read_verdicts`.
    worst
        Of :func:`concerto.evaluation.tower_reasons.explain`.
    doubts, faults
        Tables of the rule read_network.
    """

    scores: pd.DataFrame
    verdicts: pd.DataFrame
    worst: pd.DataFrame
    doubts: pd.DataFrame
    faults: pd.DataFrame


def render_network(
    name: str,
    config: Mapping[str, Any],
    results: NetworkResults,
    *,
    figures: Sequence[Picture],
    products: Sequence[Path],
    sources: Mapping[str, Mapping[str, Any]],
    citation: Mapping[str, Any],
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    name
        The network in the configuration.
    config
        The run's configuration.
    results
        What to say.
    figures
        In the order of the page.
    products
        Files as seen from the page, of ``PRODUCTS``.
    sources
        What config/sources says of each source, by name.
    citation
        Content of CITATION.cff.

    Raises
    ------
    InputError
        If a product is not one of ``PRODUCTS``.
    """
    unknown = [file.name for file in products if file.name not in PRODUCTS]
    if unknown:
        raise InputError(
            "products of a network", unknown[0], "a product", f"of {', '.join(PRODUCTS)}"
        )
    entry = config["networks"][name]
    scores = results.scores
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            name=name,
            title=entry["name"],
            config=config,
            entry=entry,
            streams=", ".join(label(stream) for stream in entry["streams"]),
            trials=trial_rows(results.verdicts),
            states=[cells.STATUS[state][0] for state in _STATES],
            verdict=verdict(results.verdicts),
            trusted=bool((results.verdicts["status"] == _CONVERGED).all()),
            headlines=headlines(scores),
            scores=score_blocks(scores),
            classes=class_blocks(scores),
            sites=site_rows(scores),
            least=LEAST_VALUES,
            predictors={own: text for own, (text, _) in towers.PREDICTORS.items()},
            fluxes=towers.fluxes_in(scores),
            worst=results.worst.to_dict("records"),
            doubts=results.doubts.to_dict("records"),
            faults=results.faults.to_dict("records"),
            unconverged=unconverged(results.verdicts),
            figures={figure.name: figure for figure in figures},
            products=[(file.name, file.as_posix(), PRODUCTS[file.name]) for file in products],
            sources=sources,
            citation=citation,
            config_text=yaml.safe_dump(plain(entry), sort_keys=False, allow_unicode=True),
        )
    )


def trial_rows(verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    """Return of each trial what it is, its towers, and how many have each status."""
    rows = []
    for trial, words in TRIALS.items():
        status = verdicts.loc[verdicts["trial"] == trial, "status"]
        counts = [int((status == state).sum()) for state in _STATES]
        rows.append({"words": words, "towers": len(status), "counts": counts})
    return rows


def verdict(verdicts: pd.DataFrame) -> str:
    """Return a sentence on how many posteriors have converged, by trial."""
    parts = []
    for trial, words in ((ALL, "with all that is known"), (INNER, "in the trial"),
                         (UNSEEN, "without any flux")):  # fmt: skip
        status = verdicts.loc[verdicts["trial"] == trial, "status"]
        good = int((status == _CONVERGED).sum())
        parts.append(f"{good} of {len(status)} towers {words}")
    return (
        f"The posterior of the process model has converged at {', '.join(parts[:2])} and "
        f"{parts[2]}. Predictions of the other towers rest on it all the same where it has values; "
        "they are listed below with the reason."
    )


def headlines(scores: pd.DataFrame) -> list[str]:
    """Return sentences on how good predictions of each flux are, beside the baselines."""
    every, median = towers.pooled(scores), towers.pooled(scores, "median")
    sentences = []
    for flux in towers.fluxes_in(scores):
        best, base = ((KNOWN, flux, own) for own in (towers.BEST, towers.BASELINE))
        process, learned = ((KNOWN, flux, own) for own in ("process", "learned"))
        gain = 1.0 - every.crps[best] / every.crps[base]
        crps = (
            f"{percent(abs(gain))} {'less' if gain >= 0.0 else 'more'} than the climatology's"
            if np.isfinite(gain)
            else "n/a"
        )
        sentences.append(
            f"{label(flux)} of the months withheld: the combined prediction has an NSE of "
            f"{fixed(every.nse[best], 2)} (climatology {fixed(every.nse[base], 2)}, process model "
            f"{fixed(every.nse[process], 2)}, learned from other towers "
            f"{fixed(every.nse[learned], 2)}); at the median tower {fixed(median.nse[best], 2)} "
            f"(climatology {fixed(median.nse[base], 2)}). Its CRPS is "
            f"{fixed(every.crps[best], 3)} {plain_unit(QUANTITIES[flux].unit)}, {crps}. Its "
            f"intervals of 90\N{NO-BREAK SPACE}% hold {percent(every.coverage90[best])}, those of "
            f"50\N{NO-BREAK SPACE}% {percent(every.coverage50[best])}."
        )
        learned, process = ((NEW, flux, own) for own in ("learned", "process"))
        sentences.append(
            f"{label(flux)} of towers with no flux of their own: NSE "
            f"{fixed(every.nse[learned], 2)}, at the median tower {fixed(median.nse[learned], 2)} "
            f"(process model {fixed(every.nse[process], 2)} and {fixed(median.nse[process], 2)}); "
            f"intervals of 90\N{NO-BREAK SPACE}% hold {percent(every.coverage90[learned])}."
        )
    return sentences


def score_blocks(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each flux and setting a heading and, of each predictor, a row of scores.

    The smallest CRPS is marked as best.
    """
    every, median = towers.pooled(scores), towers.pooled(scores, "median")
    blocks = []
    for flux in towers.fluxes_in(scores):
        for setting, words in towers.SETTINGS.items():
            own = every.loc[setting, flux].join(median.loc[setting, flux]["nse"].rename("median"))
            own = own.reindex(towers.predictors_in(scores, setting))
            own = own.assign(best=own["crps"] == own["crps"].min(), predictor=own.index)
            first = own.iloc[-1]
            blocks.append(
                {
                    "title": f"{label(flux)} ({plain_unit(QUANTITIES[flux].unit)}), {words}: "
                    f"{whole(first.n)} months of {whole(first.towers)} towers",
                    "rows": own.to_dict("records"),
                }
            )
    return blocks


def class_blocks(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each setting its predictors and, a class each, rows of NSE by flux."""
    blocks = []
    for setting, words in towers.SETTINGS.items():
        of_class = scores[(scores["group"] == "class") & (scores["setting"] == setting)]
        chosen = towers.predictors_in(scores, setting)
        rows = []
        for name, own in of_class.groupby("name"):
            nse = own.set_index(["flux", "predictor"])["nse"]
            rows.append(
                {
                    "name": f"{IGBP.get(str(name), str(name))} ({name})",
                    "towers": int(own["towers"].max()),
                    "values": [
                        nse.get((flux, predictor), np.nan)
                        for flux in towers.fluxes_in(scores)
                        for predictor in chosen
                    ],
                }
            )
        rows.sort(key=lambda row: -row["towers"])
        blocks.append({"words": words, "predictors": chosen, "rows": rows})
    return blocks


def site_rows(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Return of each known tower the months judged and the NSE of climatology and combined."""
    fluxes = towers.fluxes_in(scores)
    tables = {flux: {m: towers.by_tower(scores, flux, m) for m in ("n", "nse")} for flux in fluxes}
    names = sorted({name for table in tables.values() for name in table["n"].index})
    rows = []
    for name in names:
        values = []
        for table in tables.values():
            there = name in table["n"].index
            count = int(table["n"].loc[name, towers.BEST]) if there else 0
            enough = count >= LEAST_VALUES
            nse = [
                table["nse"].loc[name].get(own, np.nan) if enough else np.nan
                for own in (towers.BASELINE, towers.BEST)
            ]
            values.append({"n": count, "climatology": nse[0], "combined": nse[1]})
        rows.append({"name": name, "values": values})
    return rows


def unconverged(verdicts: pd.DataFrame) -> list[dict[str, str]]:
    """Return towers whose posterior has not converged, with the trial and the reason."""
    rows = verdicts[verdicts["status"] != _CONVERGED].sort_values(["tower", "trial"])
    return [
        {
            "tower": row.tower,
            "trial": TRIALS[row.trial].split(":")[0],
            "status": cells.STATUS[row.status][0],
            "reason": row.reason,
        }
        for row in rows.itertuples()
    ]
