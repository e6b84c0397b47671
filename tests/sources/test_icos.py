"""The source of the ICOS Carbon Portal against a server that speaks as it does."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest
from archives import wheel as zipped
from concerto.errors import ConcertoError, InputError
from concerto.sources import icos
from concerto.sources._archive import extract
from icoscp_core.auth import PasswordAuth
from portal_servers import Portal, token_of
from portal_servers import portal as serve

MEMBER = "ICOSETC_BE-Vie_FLUXNET_HH_L2.csv"
ARCHIVE = "ICOSETC_BE-Vie_ARCHIVE_L2.zip"
CONTENT = zipped({MEMBER: b"TIMESTAMP_START\n" * 200})
STATION = {"station": "ES_BE-Vie", "data_type": "etcArchiveProduct"}


@pytest.fixture
def carbon(monkeypatch, tmp_path):
    """The portal on this machine, and a user with a token who has accepted the licence."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.001")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ICOS_LICENCE_ACCEPTED", raising=False)
    with serve() as served:
        served.token = token_of(3600.0)
        monkeypatch.setenv("ICOS_TOKEN", served.token)
        yield served


@pytest.fixture
def without_account(carbon, monkeypatch) -> Portal:
    monkeypatch.delenv("ICOS_TOKEN")
    return carbon


def request(carbon: Portal, **changes) -> dict:
    return {"meta": carbon.meta, "data": carbon.data, "login": carbon.login} | changes


def fetched(carbon: Portal, path: Path) -> int:
    (asset,) = icos.discover(request(carbon, **STATION))
    return icos.fetch(asset, path)


def at(carbon: Portal, server: str) -> list:
    return [asked for name, asked in carbon.asked if name == server]


def test_object_is_described(carbon):
    identifier = carbon.add(ARCHIVE, CONTENT)
    for name in (identifier, f"https://meta.icos-cp.eu/objects/{identifier}"):
        (asset,) = icos.discover(request(carbon, object=name))
        assert asset.filename == ARCHIVE
        assert asset.url == f"{carbon.data}/objects/{identifier}"
        assert asset.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert asset.size == len(CONTENT)
        assert (asset.start, asset.end) == ("2017-12-31T23:00:00Z", "2023-12-31T23:00:00Z")
        assert asset.details["citation"] == f"Vincke, C. (2024). {ARCHIVE}"
        assert asset.details["licence"].endswith("icosLicence")


def test_newest_version_of_a_station_s_product(carbon):
    old = carbon.add("ICOSETC_BE-Vie_ARCHIVE_L2_2022.zip", b"old")
    new = carbon.add(ARCHIVE, CONTENT, replaces=old)
    carbon.add(ARCHIVE, b"another station", station="ES_BE-Bra")
    carbon.add("ICOSETC_BE-Vie_FLUXNET_L2.csv", b"another product", kind="etcFluxnetProduct")
    (asset,) = icos.discover(request(carbon, **STATION))
    assert asset.url.endswith(new)


def test_several_files_of_a_product_are_listed(carbon):
    carbon.add("FLX_BE-Vie_FLUXNET2015.zip", b"one")
    other = carbon.add("FLX_BE-Vie_WARM_WINTER_2020.zip", b"other")
    with pytest.raises(InputError, match=r"FLUXNET2015\.zip, FLX.*2020\.zip; .*`file` chooses"):
        icos.discover(request(carbon, **STATION))
    (asset,) = icos.discover(request(carbon, **STATION, file="*WARM*"))
    assert asset.url.endswith(other)


def test_no_such_product_is_named(carbon):
    with pytest.raises(InputError, match="etcArchiveProduct of ES_BE-Vie: found nothing"):
        icos.discover(request(carbon, **STATION))


def test_newer_version_than_the_source_names_is_refused(carbon):
    carbon.add(ARCHIVE, CONTENT)
    known = hashlib.sha256(CONTENT).hexdigest()
    assert len(icos.discover(request(carbon, **STATION, sha256=known))) == 1
    with pytest.raises(InputError, match="0000: this is another version"):
        icos.discover(request(carbon, **STATION, sha256="0" * 64))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (hashlib.sha256(b"another").hexdigest(), "one that begins with"),
        ("not a hash", "a SHA-256"),
        ("c2hvcnQ", "a SHA-256"),
    ],
)
def test_page_of_another_object_is_refused(carbon, written, message):
    identifier = carbon.add(ARCHIVE, CONTENT)
    carbon.objects[identifier]["hash"] = written
    with pytest.raises(InputError, match=message):
        icos.discover(request(carbon, object=identifier))


def test_hash_in_hexadecimal_is_read_too(carbon):
    identifier = carbon.add(ARCHIVE, CONTENT)
    carbon.objects[identifier]["hash"] = hashlib.sha256(CONTENT).hexdigest()
    (asset,) = icos.discover(request(carbon, object=identifier))
    assert asset.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_archive_of_records_comes_with_a_token(carbon, tmp_path):
    carbon.add(ARCHIVE, CONTENT)
    assert fetched(carbon, tmp_path / ARCHIVE) == len(CONTENT)
    extract(tmp_path / ARCHIVE, {"hh.csv": MEMBER}, tmp_path / "members")
    assert (tmp_path / "members/hh.csv").read_bytes() == b"TIMESTAMP_START\n" * 200
    (asked,) = at(carbon, "data")
    assert asked.cookies == {"cpauthToken": carbon.token}
    assert all(asked.cookies == {} for asked in at(carbon, "meta"))


def test_token_may_have_its_cookie_s_name(carbon, tmp_path, monkeypatch):
    carbon.add(ARCHIVE, CONTENT)
    monkeypatch.setenv("ICOS_TOKEN", f"cpauthToken={carbon.token}")
    fetched(carbon, tmp_path / ARCHIVE)


def test_accepted_licence_opens_the_object_without_an_account(
    without_account, tmp_path, monkeypatch
):
    without_account.add(ARCHIVE, CONTENT)
    monkeypatch.setenv("ICOS_LICENCE_ACCEPTED", "yes")
    fetched(without_account, tmp_path / ARCHIVE)
    assert (tmp_path / ARCHIVE).read_bytes() == CONTENT
    assert [asked.path.split("/")[1] for asked in at(without_account, "data")] == [
        "licence_accept",
        "objects",
    ]


def test_cut_download_accepts_the_licence_again(without_account, tmp_path, monkeypatch):
    """The portal takes its note of the licence away with each answer."""
    without_account.add(ARCHIVE, CONTENT)
    without_account.faults = ["cut 100"]
    monkeypatch.setenv("ICOS_LICENCE_ACCEPTED", "yes")
    fetched(without_account, tmp_path / ARCHIVE)
    assert (tmp_path / ARCHIVE).read_bytes() == CONTENT
    assert at(without_account, "data")[-1].headers["range"] == "bytes=100-"


def test_nothing_is_asked_without_a_login_or_an_accepted_licence(without_account, tmp_path):
    without_account.add(ARCHIVE, CONTENT)
    with pytest.raises(InputError, match=r"accept .*icosLicence in the profile .*ACCEPTED=yes"):
        fetched(without_account, tmp_path / ARCHIVE)
    assert at(without_account, "data") == []


def test_licence_that_the_profile_lacks_is_named(carbon, tmp_path):
    carbon.add(ARCHIVE, CONTENT)
    carbon.licence_in_profile = False
    with pytest.raises(ConcertoError, match=r"page in HTML.*accept .*icosLicence"):
        fetched(carbon, tmp_path / ARCHIVE)
    assert not (tmp_path / ARCHIVE).exists()


def account(tmp_path: Path, user: str, password: str) -> None:
    """Write the file in which icoscp_core keeps a name and a password."""
    file = tmp_path / "home/.icoscp/cpauthToken_auth_conf.json"
    file.parent.mkdir(parents=True)
    encoded = PasswordAuth.encode_password(password)
    file.write_text(json.dumps({"user_id": user, "password": encoded}))


def test_account_of_icoscp_core(without_account, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    without_account.add(ARCHIVE, CONTENT)
    account(tmp_path, *without_account.account)
    fetched(without_account, tmp_path / ARCHIVE)
    assert (tmp_path / ARCHIVE).read_bytes() == CONTENT
    assert len(at(without_account, "login")) == 1
    for secret in (without_account.account[1], without_account.token):
        assert secret not in caplog.text


def test_wrong_password_is_refused_and_kept_secret(without_account, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    without_account.add(ARCHIVE, CONTENT)
    account(tmp_path, without_account.account[0], "wr0ng")
    with pytest.raises(InputError, match="found answer 401 without a cookie") as fault:
        fetched(without_account, tmp_path / ARCHIVE)
    assert "wr0ng" not in caplog.text + str(fault.value)


def test_damaged_account_is_named_without_its_password(without_account, tmp_path):
    without_account.add(ARCHIVE, CONTENT)
    account(tmp_path, "jane", "s3cret")
    file = tmp_path / "home/.icoscp/cpauthToken_auth_conf.json"
    file.write_text(file.read_text().replace('"password": "', '"password": "s3cret'))
    with pytest.raises(InputError, match=r"auth_conf\.json: content: found not readable") as fault:
        fetched(without_account, tmp_path / ARCHIVE)
    assert "s3cret" not in str(fault.value)


@pytest.mark.parametrize(
    ("token", "message"),
    [(token_of(-60.0), "expired"), ("s3cret", "found not one")],
    ids=["expired", "none"],
)
def test_useless_token_is_seen_before_it_is_sent(carbon, tmp_path, monkeypatch, token, message):
    carbon.add(ARCHIVE, CONTENT)
    monkeypatch.setenv("ICOS_TOKEN", token)
    with pytest.raises(InputError, match=message) as fault:
        fetched(carbon, tmp_path / ARCHIVE)
    assert token not in str(fault.value)
    assert at(carbon, "data") == []


def test_secrets_stay_secret(carbon, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    carbon.add(ARCHIVE, CONTENT)
    (asset,) = icos.discover(request(carbon, **STATION))
    icos.fetch(asset, tmp_path / ARCHIVE)
    assert carbon.token not in caplog.text + repr(asset)


def test_content_of_another_hash_is_deleted(carbon, tmp_path):
    identifier = carbon.add(ARCHIVE, CONTENT)
    carbon.contents[identifier] = CONTENT[::-1]
    with pytest.raises(InputError, match="sha256"):
        fetched(carbon, tmp_path / ARCHIVE)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize("fault", ["429", "503"])
def test_passing_fault_is_tried_again(carbon, tmp_path, fault):
    carbon.add(ARCHIVE, CONTENT)
    carbon.faults = [fault]
    fetched(carbon, tmp_path / ARCHIVE)
    assert (tmp_path / ARCHIVE).read_bytes() == CONTENT
