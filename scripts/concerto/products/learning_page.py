"""Pages on what was learnt: one HTML file each, that needs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from concerto.products.report import Picture, plain, templates

TEMPLATE = "learning.html.j2"


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, paragraphs, figures, and tables by their captions."""

    heading: str
    words: Sequence[str]
    figures: Sequence[Picture]
    tables: Mapping[str, pd.DataFrame]


def read_card(file: Path) -> dict[str, Any]:
    """Return a model card, as :mod:`concerto.learning.cards` writes it."""
    return json.loads(file.read_text(encoding="utf-8"))


def render_learning(
    title: str,
    lead: str,
    config: Mapping[str, Any],
    sections: Sequence[Section],
    cards: Sequence[Mapping[str, Any]],
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
                {**vars(section), "tables": [_table(*item) for item in section.tables.items()]}
                for section in sections
            ],
            cards=cards,
            config_text=yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True),
        )
    )


def _table(caption: str, table: pd.DataFrame) -> dict[str, Any]:
    return {
        "caption": caption,
        "columns": list(table),
        "numbers": list(table.select_dtypes("number")),
        "rows": table.to_dict("records"),
    }
