"""Text and tables, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd


def write_text(text: str, path: Path) -> None:
    """Write text to a file; a reader finds the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as comma-separated values with six significant digits."""
    write_text(table.to_csv(index=False, float_format="%.6g"), path)
