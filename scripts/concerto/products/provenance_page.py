"""The page of where a run comes from: workflow, versions, what it took, data and licences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from concerto.products.lineage import Release
from concerto.products.report import plain, templates

TEMPLATE = "provenance.html.j2"
_LETTER, _HIGH, _GAP, _LEFT, _WIDE, _ROW = 6.6, 22, 10, 112, 1040, 46


@dataclass(frozen=True)
class Execution:
    """What the page says of the run: its name, software, machine, and when it was made."""

    run_id: str
    release: Release
    code_sha256: str
    machine: Mapping[str, str]
    packages: Sequence[str]
    began: datetime
    ended: datetime


def read_jobs(folder: Path) -> pd.DataFrame:
    """Return what each job took.

    Parameters
    ----------
    folder
        Files ``RULE.WILDCARDS.tsv`` as Snakemake writes them: seconds, MB.

    Returns
    -------
    pandas.DataFrame
        ``job, seconds, cpu_seconds, peak_mb``, ``job`` being ``RULE.WILDCARDS``; not a number where
        Snakemake could not measure, as of jobs of a moment.
    """
    rows = []
    for file in sorted(folder.glob("*.tsv")):
        last = pd.read_csv(file, sep="\t", na_values=["-", "NA"]).iloc[-1]
        rows.append((file.stem, last["s"], last.get("cpu_time"), last["max_rss"]))
    table = pd.DataFrame(rows, columns=["job", "seconds", "cpu_seconds", "peak_mb"])
    return table.astype(dict.fromkeys(table.columns[1:], float))


def read_benchmarks(folder: Path) -> pd.DataFrame:
    """Return what the jobs of each rule took, the longest first.

    Parameters
    ----------
    folder
        Of :func:`read_jobs`.

    Returns
    -------
    pandas.DataFrame
        ``rule, jobs, seconds, cpu_seconds, peak_mb``: sums over the jobs, and the most memory of
        one.
    """
    table = read_jobs(folder)
    table["rule"] = table["job"].str.split(".").str[0]
    by = table.groupby("rule")
    return (
        by[["seconds", "cpu_seconds"]]
        .sum(min_count=1)
        .assign(jobs=by.size(), peak_mb=by["peak_mb"].max())
        .reset_index()[["rule", "jobs", "seconds", "cpu_seconds", "peak_mb"]]
        .sort_values("seconds", ascending=False, kind="stable", ignore_index=True)
    )


def draw_flow(stages: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> str:
    """Return the graph of rules as SVG: a row for each file of rules, in the order of data flow.

    Parameters
    ----------
    stages
        The file of rules of each rule, in order.
    pairs
        Rules of which the first makes what the second reads.
    """
    boxes = {name: "plot_*" if name.startswith("plot_") else name for name in stages}
    rows: dict[str, list[str]] = {stage: [] for stage in stages.values()}
    for name, box in boxes.items():
        # Figures stand where most are drawn, whichever file comes first.
        drawn = "publish" if box != name and "publish" in rows else stages[name]
        if not any(box in others for others in rows.values()):
            rows[drawn].append(box)
    at: dict[str, tuple[float, float, float]] = {}
    marks, y = [], 8.0
    for stage, names in rows.items():
        if not names:
            continue
        marks.append(f'<text class="stage" x="0" y="{y + 15:.0f}">{escape(stage)}</text>')
        x = float(_LEFT)
        for name in names:
            wide = _LETTER * len(name) + 14
            if x + wide > _WIDE:
                x, y = float(_LEFT), y + _ROW * 0.8
            at[name] = (x, y, wide)
            x += wide + _GAP
        y += _ROW
    curves = []
    for a, b in sorted({(boxes[a], boxes[b]) for a, b in pairs if a in boxes and b in boxes}):
        if a == b:
            continue
        (xa, ya, wa), (xb, yb, wb) = at[a], at[b]
        x0, y0, x1, y1 = xa + wa / 2, ya + _HIGH, xb + wb / 2, yb
        bend = max(abs(y1 - y0) / 2, 14)
        curves.append(
            f'<path d="M{x0:.0f} {y0:.0f}C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} '
            f'{x1:.0f} {y1:.0f}"><title>{escape(a)} to {escape(b)}</title></path>'
        )
    shapes = [
        f'<g><rect x="{x:.0f}" y="{top:.0f}" width="{wide:.0f}" height="{_HIGH}" rx="4"/>'
        f'<text x="{x + wide / 2:.0f}" y="{top + 15:.0f}">{escape(name)}</text></g>'
        for name, (x, top, wide) in at.items()
    ]
    return (
        f'<svg class="flow" viewBox="0 0 {_WIDE + 10} {y:.0f}" width="{_WIDE + 10}" role="img" '
        'aria-label="Rules of the run by stage, and which feeds which; a table is below">'
        f"{''.join(curves)}{''.join(marks)}{''.join(shapes)}</svg>"
    )


def render_provenance(
    config: Mapping[str, Any],
    execution: Execution,
    jobs: pd.DataFrame,
    flow: str,
    sources: Sequence[Mapping[str, Any]],
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    config
        The run's configuration.
    execution
        What is known of the run.
    jobs
        Of :func:`read_benchmarks`.
    flow
        Of :func:`draw_flow`.
    sources
        What was downloaded: provenance, with title, licence and citation.
    """
    longest = float(jobs["seconds"].max()) if len(jobs) else 1.0
    budgets = config["assimilation"]["budgets"]
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title=f"Provenance of run {config['run']}",
            config=config,
            execution=execution,
            flow=flow,
            jobs=[
                {**row, "width": round(100 * row["seconds"] / longest, 1)}
                for row in jobs.to_dict("records")
            ],
            total=jobs[["jobs", "seconds", "cpu_seconds"]].sum().to_dict()
            | {"peak_mb": jobs["peak_mb"].max()},
            budgets={name: budgets.get(name, {}) for name in config["assimilation"]["methods"]},
            sources=sources,
            config_text=yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True),
        )
    )
