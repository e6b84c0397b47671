"""Plug-ins are found by their file's name alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from concerto import plugins
from concerto.errors import ConcertoError


def test_names_are_those_of_the_files():
    assert "package" in plugins.available("sources")
    assert not [name for name in plugins.available("sources") if name.startswith("_")]


@pytest.mark.parametrize("package", plugins.PACKAGES)
def test_each_package_has_plugins(package):
    assert plugins.available(package)


def test_plugins_that_declare_a_constant():
    """Methods that declare a final state are those whose posteriors are made with one."""
    package = "assimilation.methods"
    folder = plugins.LIBRARY / "assimilation/methods"
    made = sorted(file.stem for file in folder.glob("*.py") if "final=" in file.read_text())
    assert plugins.declaring(package, "FINAL_STATE") == made == ["letkf", "particle_filter"]
    assert plugins.declaring(package, "NOTHING") == []


def test_load_imports_the_module():
    assert plugins.load("sources", "package").__name__ == "concerto.sources.package"


def test_unknown_name_says_which_would_do():
    names = ", ".join(plugins.available("sources"))
    with pytest.raises(ConcertoError, match=rf"'packge'.*nearest valid: package \(of {names}\)"):
        plugins.load("sources", "packge")


def test_private_module_is_no_plugin():
    with pytest.raises(ConcertoError, match="'_archive'"):
        plugins.load("sources", "_archive")


def test_asking_imports_no_plugin():
    """Snakemake asks each time that it reads the rules."""
    code = (
        "import sys; from concerto import plugins;"
        "[plugins.available(package) for package in plugins.PACKAGES];"
        "plugins.declaring('assimilation.methods', 'FINAL_STATE');"
        "print([name for name in ('numpy', 'requests', 'xarray') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": str(plugins.LIBRARY.parent)}
    answer = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert answer.strip() == "[]"


@pytest.mark.parametrize(("name", "expected"), [("gp", "gpp"), ("LAI", "lai"), ("net", "nee")])
def test_nearest_is_the_likeliest(name, expected):
    assert plugins.nearest(name, ["gpp", "nee", "lai"]) == expected


def test_there_is_a_nearest_name_however_far():
    assert plugins.nearest("zzz", ["gpp", "nee"]) in ("gpp", "nee")


def test_nothing_to_choose_from():
    assert plugins.suggestion("x", []) == "there is none to choose from"


def test_constants_of_a_file_are_read_without_importing_it():
    said = plugins.stated("operators", "sif")
    assert said == {"UNIT": "mW m-2 nm-1 sr-1"}
