"""Pages of sections with words, figures and tables: one HTML file each, that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from concerto.products.report import Picture, plain, templates

TEMPLATE = "sections.html.j2"
_VERDICTS = {"yes", "no"}


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, paragraphs, figures, and tables by their captions.

    ``shares`` are the columns whose numbers, 0 to 1, are drawn as bars; in others what is yes or no
    throughout is shown as a verdict. ``links`` are pages by what is said of them.
    """

    heading: str
    words: Sequence[str]
    figures: Sequence[Picture]
    tables: Mapping[str, pd.DataFrame]
    shares: Sequence[str] = ()
    links: Mapping[str, str] | None = None


def read_card(file: Path) -> dict[str, Any]:
    """Return a model card, as :mod:`concerto.learning.cards` writes it."""
    return json.loads(file.read_text(encoding="utf-8"))


def render_sections(
    title: str,
    lead: str,
    config: Mapping[str, Any],
    sections: Sequence[Section],
    cards: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the page's HTML.

    Parameters
    ----------
    title, lead
        What the page is about.
    config
        The run's configuration.
    sections
        In their order.
    cards
        Model cards, as :mod:`concerto.learning.cards` writes them.
    """
    return (
        templates()
        .get_template(TEMPLATE)
        .render(
            title=title,
            lead=lead,
            config=config,
            sections=[
                {
                    **vars(section),
                    "tables": [
                        _table(*item, section.shares)
                        for item in section.tables.items()
                        if len(item[1])
                    ],
                }
                for section in sections
            ],
            cards=cards,
            config_text=yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True),
        )
    )


def _table(caption: str, table: pd.DataFrame, shares: Sequence[str]) -> dict[str, Any]:
    """Return a table as the template shows it: a column with a verdict, a bar, a number or text."""
    numbers = set(table.select_dtypes("number"))
    kinds = {
        name: "share"
        if name in shares
        else "number"
        if name in numbers
        else "verdict"
        if set(table[name]) <= _VERDICTS
        else "text"
        for name in table
    }
    groups = table.iloc[:, :2].astype(str)
    firsts = (groups != groups.shift()).any(axis=1)
    return {
        "caption": caption,
        "columns": list(table),
        "kinds": kinds,
        "rows": [(first, row) for first, row in zip(firsts, table.to_dict("records"), strict=True)],
    }
