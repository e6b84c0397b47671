"""The last words of a run name what is there, and only that."""

from __future__ import annotations

import os

from concerto import ending


def test_verdicts_are_counted_and_those_not_converged_named(tmp_path):
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("    A, hmc (published): converged: yes; R-hat 1.00\n")
    b.write_text("!!! B, hmc: converged: no; R-hat 3\n    B, esmda: converged: yes; fine\n")
    said = ending.verdicts([a, b, tmp_path / "none.txt"])
    assert said == a.read_text() + b.read_text() + "Converged: 2 of 3; not B, hmc\n"
    assert ending.verdicts([a]) == a.read_text()
    assert ending.verdicts([]) == ""


def test_warnings_of_the_run_itself_are_shown_once(tmp_path):
    (tmp_path / "fit.A.log").write_text(
        "2026-01-01 00:00:00,000 WARNING A: one year only\n"
        "2026-01-01 00:00:00,000 WARNING A: one year only\n"
        "2026-01-01 00:00:00,000 WARNING <frozen importlib>:241: RuntimeWarning: size changed\n"
        "2026-01-01 00:00:00,000 INFO nothing\n"
    )
    assert ending.warned(tmp_path, 0.0) == "Warnings: 1\n  fit.A: A: one year only\n"
    os.utime(tmp_path / "fit.A.log", (10.0, 10.0))
    assert ending.warned(tmp_path, 20.0) == ""
    text = "".join(f"2026-01-01 00:00:00,000 WARNING number {k}\n" for k in range(8))
    (tmp_path / "fit.B.log").write_text(text)
    said = ending.warned(tmp_path, 20.0).splitlines()
    assert said[0] == "Warnings: 8"
    assert said[-1] == f"  and 3 more, in {tmp_path}"


def test_products_are_counted_by_place(tmp_path):
    assert ending.products(tmp_path / "products") == ""
    for file in ("A/fluxes.nc", "A/budget.csv", "B/fluxes.nc"):
        (tmp_path / "products" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "products" / file).touch()
    folder = tmp_path / "products"
    assert ending.products(folder) == f"Products: 3 files of A, B, in {folder}\n"


def test_the_last_line_names_only_what_there_is(tmp_path):
    report, map_page, asked = (str(tmp_path / name) for name in ("i.html", "m.html", "x.csv"))
    named = {report: "Report", map_page: "Map"}
    folder = "results/a"
    assert ending.results(named, [asked], folder) == "Done. Results: results/a"
    assert ending.missing([asked]) == f"!!! Asked for, but not there: {asked}\n"
    (tmp_path / "x.csv").touch()
    assert ending.results(named, [asked], folder) == f"Done. Made: {asked}"
    assert ending.missing([asked]) == ""
    (tmp_path / "m.html").touch()
    assert ending.results(named, [], folder) == f"Done. Map: {map_page}"
    (tmp_path / "i.html").touch()
    assert ending.results(named, [], folder) == f"Map: {map_page}\nDone. Report: {report}"
