"""Logins that are missing are told all at once, with what to do, and no secret is ever shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from check_access import check_access
from concerto.errors import ConcertoError
from concerto.sources import _access
from concerto.sources._catalogue import read_catalogue

SECRET = "s3cr3t-t0ken"
NASA = {
    "service": "NASA Earthdata Login",
    "environment": ["EARTHDATA_TOKEN", "EARTHDATA_USERNAME+EARTHDATA_PASSWORD"],
    "netrc": "urs.earthdata.nasa.gov",
    "get": "https://urs.earthdata.nasa.gov/users/new",
}
STORE = {
    "service": "Climate Data Store",
    "environment": ["CDSAPI_KEY"],
    "file": "~/.cdsapirc",
    "get": "https://cds.example.org",
    "instead": "free",
}
SOURCES = {
    "smap": {"login": NASA},
    "gedi": {"login": NASA | {"instead": "free"}},
    "era": {"login": STORE},
    "free": {},
}


def found(environ: dict[str, str], home: Path) -> dict[str, str | None]:
    return {login.service: login.found for login in _access.logins(SOURCES, environ, home)}


def write(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


def test_without_any_secret_each_service_is_missing_once(tmp_path):
    missing = _access.missing_logins(SOURCES, {}, tmp_path)
    assert [login.service for login in missing] == ["Climate Data Store", "NASA Earthdata Login"]
    assert missing[1].sources == ("smap", "gedi")


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"EARTHDATA_TOKEN": SECRET}, "EARTHDATA_TOKEN"),
        (
            {"EARTHDATA_USERNAME": "me", "EARTHDATA_PASSWORD": SECRET},
            "EARTHDATA_USERNAME+EARTHDATA_PASSWORD",
        ),
        ({"EARTHDATA_USERNAME": "me"}, None),
        ({"EARTHDATA_TOKEN": ""}, None),
        ({"EARTHDATA_TOKEN": " "}, None),
    ],
)
def test_a_variable_of_the_environment_is_enough(tmp_path, environ, place):
    assert found(environ, tmp_path)["NASA Earthdata Login"] == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"machine urs.earthdata.nasa.gov login me password {SECRET}\n", "~/.netrc"),
        (f"machine elsewhere.org login me password {SECRET}\n", None),
        (f"default login me password {SECRET}\n", None),
        ("", None),
        (f"machin urs.earthdata.nasa.gov {SECRET}\n", None),
    ],
)
def test_the_machine_in_netrc_is_enough(tmp_path, text, place):
    write(tmp_path / ".netrc", text)
    assert found({}, tmp_path)["NASA Earthdata Login"] == place


def test_the_file_of_a_service_is_enough_unless_it_is_empty_or_a_folder(tmp_path):
    file = tmp_path / ".cdsapirc"
    file.mkdir()
    assert found({}, tmp_path)["Climate Data Store"] is None
    file.rmdir()
    write(file, " \n")
    assert found({}, tmp_path)["Climate Data Store"] is None
    write(file, f"key: {SECRET}\n")
    assert found({}, tmp_path)["Climate Data Store"] == "~/.cdsapirc"
    assert "NASA" in str(_access.missing_logins(SOURCES, {}, tmp_path))


def test_one_message_tells_all_that_is_missing_and_what_to_do(tmp_path):
    text = _access.message(_access.missing_logins(SOURCES, {}, tmp_path))
    for part in (
        "nothing was downloaded",
        "NASA Earthdata Login, for smap, gedi: register at https://urs.earthdata.nasa.gov/users/new",
        "set EARTHDATA_TOKEN in the environment",
        "set EARTHDATA_USERNAME and EARTHDATA_PASSWORD in the environment",
        "`machine urs.earthdata.nasa.gov login NAME password PASSWORD` into ~/.netrc",
        "Climate Data Store, for era: register at https://cds.example.org",
        "write ~/.cdsapirc",
        "Without a login: free in place of era.",
        "Without a login: free in place of gedi.",
    ):
        assert part in text
    assert "in place of smap" not in text


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of Unix")
@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True)]
)
def test_files_that_others_can_read_are_warned_of(tmp_path, mode, warned):
    write(tmp_path / ".cdsapirc", f"key: {SECRET}\n", mode)
    warnings = _access.unsafe_files(SOURCES, tmp_path)
    expected = "~/.cdsapirc: others can read it; chmod 600 ~/.cdsapirc"
    assert warnings == ([expected] if warned else [])


def test_files_that_cannot_be_read_are_warned_of(tmp_path):
    (tmp_path / ".cdsapirc").mkdir()
    write(tmp_path / ".netrc", f"machine a login b password c\nnonsense {SECRET}\n")
    netrc, store = sorted(_access.unsafe_files(SOURCES, tmp_path), key=lambda text: "cds" in text)
    assert netrc == "~/.netrc: no netrc file, line 2; it is passed over"
    assert store.startswith("~/.cdsapirc: cannot be read (")


def test_no_text_has_a_secret(tmp_path):
    environ = {"EARTHDATA_TOKEN": SECRET, "CDSAPI_KEY": SECRET}
    write(tmp_path / ".netrc", f"machine urs.earthdata.nasa.gov login x password {SECRET}\n", 0o644)
    write(tmp_path / ".cdsapirc", f"key: {SECRET}\n", 0o644)
    for known in ({}, environ):
        logins = _access.logins(SOURCES, known, tmp_path)
        texts = [
            str(logins),
            _access.message(logins),
            _access.report(SOURCES, known, tmp_path),
            *_access.unsafe_files(SOURCES, tmp_path),
        ]
        assert len(texts) == 5
        assert SECRET not in "".join(texts)


def test_the_script_fails_once_for_all_that_is_wanted_and_reports_otherwise(tmp_path):
    text = tmp_path / "access.txt"
    wanted = ["smap_soil_moisture", "era5_land_monthly", "modis_lai"]
    with pytest.raises(ConcertoError) as fault:
        check_access(wanted, text, environ={}, home=tmp_path)
    for part in (
        "NASA Earthdata Login, for smap_soil_moisture:",
        "ECMWF data stores, for era5_land_",
    ):
        assert part in str(fault.value)
    assert "modis_lai" not in str(fault.value)
    assert not text.exists()
    environ = {"EARTHDATA_TOKEN": SECRET, "CDSAPI_KEY": SECRET}
    check_access(wanted, text, environ=environ, home=tmp_path)
    assert "NASA Earthdata Login: found in EARTHDATA_TOKEN\n" in text.read_text()
    assert "ICOS Carbon Portal: missing; register at https://" in text.read_text()
    with pytest.raises(ConcertoError, match="unknown source 'modis_lia'; nearest valid: modis_lai"):
        check_access(["modis_lia"], text, environ=environ, home=tmp_path)


def test_what_serves_without_a_login_needs_none_and_is_of_the_same_kind():
    catalogue = read_catalogue()
    offered = {
        name: source["login"]["instead"]
        for name, source in catalogue.items()
        if "instead" in source.get("login", {})
    }
    assert len(offered) > 5
    for name, other in offered.items():
        assert "login" not in catalogue[other], other
        assert ("variables" in catalogue[name]) == ("variables" in catalogue[other]), name
