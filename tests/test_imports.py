"""What a script needs is read from its text, through the library modules it uses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from concerto import imports
from concerto.errors import ConcertoError
from concerto.imports import external_imports, library_modules
from concerto.plugins import LIBRARY, PACKAGES


def script(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "script.py"
    for number in range(len(list(tmp_path.iterdir()))):
        file = tmp_path / f"script{number}.py"
    file.write_text(text)
    return file


def names(files: list[Path]) -> set[str]:
    return {file.relative_to(LIBRARY).as_posix() for file in files}


def test_modules_are_followed_through_modules(tmp_path):
    found = names(library_modules(script(tmp_path, "from concerto.config import load_yaml\n")))
    known = {
        "__init__.py",
        "config.py",
        "errors.py",
        "maps.py",
        "networks.py",
        "plugins.py",
        "scale.py",
    }
    assert found == known


@pytest.mark.parametrize(
    "text",
    [
        "import concerto.sources._archive\n",
        "from concerto.sources import _archive\n",
        "from concerto.sources._archive import extract\n",
        "def later():\n    from concerto.sources._archive import extract\n",
    ],
)
def test_each_way_of_importing_counts(tmp_path, text):
    assert "sources/_archive.py" in names(library_modules(script(tmp_path, text)))


def test_one_plugin_named_is_one_plugin(tmp_path):
    found = names(library_modules(script(tmp_path, "import concerto.operators.lai\n")))
    assert "operators/lai.py" in found


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    "text",
    [
        "from concerto.plugins import load\nload('{}', name)\n",
        "from concerto import plugins\nplugins.load('{}', name)\n",
        "import concerto.{}\n",
    ],
)
def test_loading_by_name_counts_every_plugin(tmp_path, package, text):
    found = library_modules(script(tmp_path, text.format(package)))
    folder = LIBRARY.joinpath(*package.split("."))
    assert set(folder.glob("*.py")) <= set(found)


def test_other_functions_called_load_do_not_count(tmp_path):
    text = "import json, concerto.plugins\njson.load('readers', x)\n"
    assert not any("readers" in name for name in names(library_modules(script(tmp_path, text))))


def test_load_of_a_package_that_the_text_does_not_name_is_refused(tmp_path):
    with pytest.raises(ConcertoError, match=r"line 2: load\(\) must name one of"):
        library_modules(script(tmp_path, "from concerto.plugins import load\nload(kind, 'x')\n"))


def test_import_of_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConcertoError, match=r"imports concerto\.nowhere"):
        library_modules(script(tmp_path, "import concerto.nowhere\n"))


def forget() -> None:
    """Have nothing of the library remembered, as in a process of its own."""
    for function in vars(imports).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def digest(file: Path) -> str:
    forget()
    return imports.digest(file)


@pytest.fixture
def own_library(tmp_path, monkeypatch) -> Iterator[Path]:
    """A copy of the library that may be edited."""
    copy = tmp_path / "scripts" / LIBRARY.name
    shutil.copytree(LIBRARY, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(imports, "LIBRARY", copy)
    forget()
    yield copy
    forget()


@pytest.mark.parametrize(
    ("edited", "counts"),
    [
        ("products/report.py", True),
        ("products/report.html.j2", True),
        ("errors.py", True),
        ("models/dalec2.py", False),
        ("plots/pools.py", False),
    ],
)
def test_digest_is_of_what_a_script_uses(tmp_path, own_library, edited, counts):
    file = script(tmp_path, "from concerto.products.report import render_report\n")
    before = digest(file)
    assert digest(file) == before
    with (own_library / edited).open("a") as module:
        module.write("\n")
    assert (digest(file) != before) == counts


def test_a_template_counts_for_the_module_that_names_it_alone(tmp_path, own_library):
    file = script(tmp_path, "import concerto.products.files\n")
    before = digest(file)
    (own_library / "products/report.html.j2").write_text("another page")
    assert digest(file) == before


def test_digest_does_not_depend_on_where_the_library_is(tmp_path, own_library, monkeypatch):
    text = "from concerto.products.report import render_report\n"
    elsewhere = digest(script(tmp_path, text))
    monkeypatch.setattr(imports, "LIBRARY", LIBRARY)
    assert digest(script(tmp_path, text)) == elsewhere


def test_external_imports_leave_out_the_standard_library(tmp_path):
    file = script(tmp_path, "import json\nimport numpy.linalg\nfrom concerto import config\n")
    needed = external_imports(file)
    assert set(needed) == {"numpy", "yaml", "jsonschema"}
    assert needed["numpy"] == {file, LIBRARY / "maps.py"}
    assert needed["yaml"] == {LIBRARY / "config.py"}


def test_package_that_another_one_imports_on_demand_counts(tmp_path):
    needed = external_imports(script(tmp_path, "import pandas\npandas.read_parquet(path)\n"))
    assert set(needed) == {"pandas", "pyarrow"}


def test_acquisition_needs_what_its_protocols_need():
    needed = external_imports(LIBRARY.parent / "acquire_source.py")
    assert set(needed) == {
        "botocore", "cftime", "fsspec", "h5netcdf", "h5py", "icoscp_core", "jsonschema", "netCDF4",
        "numpy", "pint", "pypi_simple", "pyproj", "pystac", "pystac_client", "rasterio", "requests",
        "s3fs", "shapely", "urllib3", "xarray", "yaml", "zarr",
    }  # fmt: skip
