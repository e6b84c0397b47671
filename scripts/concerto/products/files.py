"""Text and tables, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from concerto.whole import whole_file


def write_text(text: str, path: Path) -> None:
    """Write text to a file; a reader finds the old one or the new one, never a part."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as comma-separated values with six significant digits."""
    write_text(table.to_csv(index=False, float_format="%.6g"), path)
