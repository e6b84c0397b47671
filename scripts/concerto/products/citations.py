"""What to cite for the data and the software of a run, for people and for BibTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from concerto.products.lineage import Origin, Release

_DOI = re.compile(r"doi:(10\.\d{4,9}/[^\s;,]+)")
_SPECIAL = str.maketrans({char: f"\\{char}" for char in "&%$#_{}"})


def dois(citation: str) -> list[str]:
    """Return the digital object identifiers that a citation names, in its order."""
    return [found.rstrip(".") for found in _DOI.findall(citation)]


def as_markdown(origins: Sequence[Origin], release: Release, run_id: str) -> str:
    """Return the list of what to cite for a run, with the licence of each source.

    Parameters
    ----------
    origins
        Sources that went in.
    release
        This software.
    run_id
        Of the run.
    """
    lines = [
        "# What to cite",
        "",
        f"For results of the run `{run_id}`, cite the data it rests on and the software that made",
        "them. `citations.bib` has the same as BibTeX.",
        "",
        "## Data",
        "",
    ]
    for origin in origins:
        links = "".join(f" <https://doi.org/{doi}>" for doi in dois(origin.citation))
        lines += [
            f"- **{origin.title}** (`{origin.name}`). {_one_line(origin.citation)}.{links}",
            f"  Licence: {_one_line(origin.licence)}."
            + f" <{origin.homepage}>" * bool(origin.homepage),
        ]
    software = f"{release.title}, version {release.version}, licence {release.license}."
    return "\n".join([*lines, "", "## Software", "", f"- {software}", ""])


def as_bibtex(origins: Sequence[Origin], release: Release) -> str:
    """Return the same as entries of BibTeX, one for each source and one for this software.

    A source's ``note`` is its citation as its authors ask for it; ``doi`` is the first it names.
    """
    entries = [
        _entry(
            "misc",
            origin.name,
            {
                "title": origin.title,
                "note": _one_line(origin.citation),
                "doi": next(iter(dois(origin.citation)), ""),
                "url": origin.homepage,
            },
        )
        for origin in origins
    ]
    said = {"title": release.title, "version": release.version, "note": "software"}
    return "\n".join([*entries, _entry("misc", "concerto", said)])


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    plain = ("doi", "url")
    lines = [
        f"  {name} = {{{text if name in plain else text.translate(_SPECIAL)}}},"
        for name, text in fields.items()
        if text
    ]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
