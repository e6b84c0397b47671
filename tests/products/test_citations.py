"""What a run asks to be cited: every source, as people read it and as BibTeX takes it."""

from __future__ import annotations

import re

import pytest
from concerto.config import ROOT
from concerto.products.citations import as_bibtex, as_markdown, dois
from concerto.products.lineage import Origin, Release, read_origins, read_release

RELEASE = Release("concerto", "0.1.0", "MIT")
ODD = Origin("odd_1", "100 % odd & $5", "CC0-1.0", "A_b (2000) X, doi:10.1000/a_b.", "https://odd")


@pytest.mark.parametrize(
    ("citation", "expected"),
    [
        ("A (2020) X, doi:10.5194/gmd-13-5175-2020; B, doi:10.1/x", ["10.5194/gmd-13-5175-2020"]),
        ("A, doi:10.5067/MODIS/MCD12C1.061; B, doi:10.1038/sdata.2018.214.",
         ["10.5067/MODIS/MCD12C1.061", "10.1038/sdata.2018.214"]),
        ("Made with Natural Earth", []),
    ],
)  # fmt: skip
def test_identifiers_are_those_that_a_citation_names(citation, expected):
    assert dois(citation) == expected


def test_the_list_names_each_source_with_its_licence_and_the_run():
    origins = read_origins(sorted((ROOT / "config/sources").glob("*.yaml")))
    text = as_markdown(origins, read_release(ROOT / "CITATION.cff"), "0123456789abcdef")
    assert "`0123456789abcdef`" in text
    assert len(re.findall(r"^- \*\*", text, flags=re.M)) == len(origins) > 40
    for origin in origins:
        (line, licence), *more = re.findall(rf"^(- .*\(`{origin.name}`\).*)\n(.*)$", text, re.M)
        assert not more
        assert " ".join(origin.licence.split()).rstrip(".") in licence
        assert all(f"<https://doi.org/{doi}>" in line for doi in dois(origin.citation))


def test_entries_of_bibtex_are_balanced_and_their_special_characters_are_escaped():
    origins = read_origins(sorted((ROOT / "config/sources").glob("*.yaml")))
    text = as_bibtex([*origins, ODD], RELEASE)
    assert len(re.findall(r"^@misc\{\w+,$", text, flags=re.M)) == len(origins) + 2
    for entry in text.split("\n@misc"):
        bare = re.sub(r"\\[{}]", "", entry)
        assert bare.count("{") == bare.count("}")
        for field in re.findall(r"^  (?:title|note) = \{(.*)\},$", entry, flags=re.M):
            assert not re.search(r"(?<!\\)[&%$#_]", field)
    assert r"title = {100 \% odd \& \$5}" in text
    assert "doi = {10.1000/a_b}" in text
