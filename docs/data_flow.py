"""The picture of the data flow, drawn from Snakemake's own graph of the rules.

    snakemake --rulegraph | python docs/data_flow.py

writes docs/pictures/data_flow.svg, for which it needs Graphviz (`dot`). Rules that draw figures are
one box. A test compares the edges that the picture names with those of the rules.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/pictures/data_flow.svg"
FIGURES = "plot_*"
# By rule file; light, so that black letters can be read on all of them.
COLOURS = {
    "acquire": "#cfe2f3", "prepare": "#d9ead3", "simulate": "#fff2cc", "assimilate": "#fce5cd",
    "project": "#ead1dc", "evaluate": "#d9d2e9", "ilamb": "#d9d2e9",
    "publish": "#d0e0e3", "provenance": "#e6e6e6",
}  # fmt: skip
Edge = tuple[str, str]


def edges_of(graph: str) -> list[Edge]:
    """Return the edges between rules of a graph that Snakemake prints, without the rule `all`."""
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)"', graph, flags=re.M))
    pairs = re.findall(r"^\s*(\d+) -> (\d+)$", graph, flags=re.M)
    found = {(_box(names[a]), _box(names[b])) for a, b in pairs if names[b] != "all"}
    return sorted((a, b) for a, b in found if a != b)


def edges_in(picture: str) -> list[Edge]:
    """Return the edges that a picture names."""
    found = re.findall(r"<title>([\w*]+)&#45;&gt;([\w*]+)</title>", picture)
    return sorted(found)


def _box(rule: str) -> str:
    return FIGURES if rule.startswith("plot_") else rule


def stages() -> dict[str, str]:
    """Return the name of the rule file of each rule."""
    return {
        rule: file.stem
        for file in sorted((ROOT / "rules").glob("*.smk"))
        for rule in re.findall(r"^rule (\w+):", file.read_text(encoding="utf-8"), flags=re.M)
    }


def drawing(edges: list[Edge]) -> str:
    """Return what Graphviz is to draw."""
    known = stages() | {FIGURES: "publish"}
    boxes = sorted({box for edge in edges for box in edge})
    lines = [
        "digraph data_flow {",
        '  rankdir=TB; nodesep=0.15; ranksep=0.35; bgcolor="transparent";',
        '  node [shape=box style="rounded,filled" fontname="Helvetica" fontsize=11 height=0.3];',
        '  edge [color="#777777" arrowsize=0.6];',
        *(f'  "{box}" [fillcolor="{COLOURS.get(known[box], "#ffffff")}"];' for box in boxes),
        *(f'  "{a}" -> "{b}";' for a, b in edges),
        "}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    text = drawing(edges_of(sys.stdin.read()))
    made = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True)
    PICTURE.write_text(made.stdout, encoding="utf-8")
