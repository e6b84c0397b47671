"""What comes over HTTP, against a real server with the faults that real ones have."""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
import traceback
from pathlib import Path

import pytest
import requests
from concerto.errors import ConcertoError, InputError
from concerto.sources import Asset
from concerto.sources._http import CONNECTIONS_PER_HOST, Client, MissingError, public
from fault_server import FaultServer

CONTENT = random.Random(0).randbytes(3000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/data/a.nc"
LOGIN = "a login, its renewal or the acceptance of a licence may be missing"


def known(url: str, **changes) -> Asset:
    return Asset("a.nc", url, **({"sha256": SHA256, "size": len(CONTENT)} | changes))


def get(asset: Asset, folder: Path, mirrors: tuple[str, ...] = (), **client) -> bytes:
    """Download an asset; return what is at its path."""
    path = folder / asset.filename
    Client(**client).download(asset, path, mirrors)
    assert [file.name for file in folder.iterdir()] == [asset.filename]
    return path.read_bytes()


def refused(asset: Asset, folder: Path, mirrors: tuple[str, ...] = (), **client) -> str:
    """Fail to download an asset; return what the error says."""
    with pytest.raises(ConcertoError) as fault:
        Client(**client).download(asset, folder / asset.filename, mirrors)
    assert not (folder / asset.filename).exists()
    return str(fault.value)


def ranges(server: FaultServer, path: str = PATH) -> list[str | None]:
    return [request.range for request in server.asked(path)]


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize(
    ("fault", "then"),
    [
        ("500", None),
        ("502", None),
        ("503 0", None),
        ("429 0", None),
        ("reset", None),
        ("empty", None),
        ("cut 1000", 1000),
        ("chunked 1000", 1000),
    ],
)
def test_passing_fault_is_tried_again_and_resumed(server, tmp_path, fault, then, hashed):
    url = server.add(PATH, CONTENT, fault)
    asset = known(url) if hashed else Asset("a.nc", url)
    assert get(asset, tmp_path) == CONTENT
    assert ranges(server) == [None, None if then is None else f"bytes={then}-"]
    assert server.sent(PATH) == len(CONTENT) + (len(b"refused") if fault[0] in "45" else 0)


def test_cut_is_resumed_again_and_again(server, tmp_path):
    url = server.add(PATH, CONTENT, "cut 1000", "cut 500", "503", "cut 1")
    assert get(known(url), tmp_path) == CONTENT
    expected = [None, *(f"bytes={start}-" for start in (1000, 1500, 1500, 1501))]
    assert ranges(server) == expected
    assert sum(request.sent for request in server.requests) == len(CONTENT) + len(b"refused")


def test_what_was_received_is_counted(server):
    url = server.add(PATH, CONTENT, "cut 1000", "503")
    client = Client()
    assert client.read(url, 0, 3000) == CONTENT
    assert client.received == 1000 + len(CONTENT)


def test_stalled_body_is_given_up_and_resumed(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTO_HTTP_TIMEOUT_S", "0.3")
    url = server.add(PATH, CONTENT, "stall 1200")
    assert get(known(url), tmp_path) == CONTENT
    assert ranges(server) == [None, "bytes=1200-"]


def test_drip_slower_than_the_least_pace_is_given_up_and_resumed(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTO_HTTP_TIMEOUT_S", "0.2")
    url = server.add(PATH, CONTENT, "drip 10 0.05")  # 200 bytes a second
    assert get(known(url), tmp_path) == CONTENT
    first, second = server.asked(PATH)
    assert first.range is None
    assert 0 < int(second.range.removeprefix("bytes=").removesuffix("-")) < 200


def test_slow_but_steady_body_is_let_come(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTO_HTTP_TIMEOUT_S", "0.2")
    url = server.add(PATH, CONTENT, "drip 200 0.04")  # 5000 bytes a second
    assert get(known(url), tmp_path) == CONTENT
    assert len(server.requests) == 1


@pytest.mark.parametrize("asked", ["1", "date 2"])
def test_server_is_left_alone_as_long_as_it_asks(server, tmp_path, asked):
    url = server.add(PATH, CONTENT, f"429 {asked}")
    began = time.monotonic()
    assert get(known(url), tmp_path) == CONTENT
    assert 0.9 < time.monotonic() - began < 4  # dates are in whole seconds


def test_server_that_asks_for_hours_is_named(server, tmp_path):
    url = server.add(PATH, CONTENT, "429 7200")
    assert "the server asks to come back in 7200 s" in refused(known(url), tmp_path)
    assert len(server.requests) == 1


def test_persistent_fault_is_named(server, tmp_path):
    url = server.add(PATH, CONTENT, *["503"] * 6)
    message = refused(known(url), tmp_path)
    host = server.address.removeprefix("http://")
    assert message == f"a.nc from {host}: the server answered 503 Service Unavailable"
    assert len(server.requests) == 6


def test_growing_download_does_not_tire(server, tmp_path):
    content = bytes(3 << 19) * 8
    url = server.add(PATH, content, *[f"cut {3 << 19}"] * 7)
    asset = Asset("a.nc", url, hashlib.sha256(content).hexdigest())
    assert get(asset, tmp_path) == content
    assert server.sent(PATH) == len(content)


def test_no_server_is_named(server, tmp_path):
    message = refused(known("http://me:secret@127.0.0.1:9/a.nc?token=secret"), tmp_path)
    assert message == "a.nc from 127.0.0.1:9: no complete answer from 127.0.0.1:9 (ConnectionError)"


def test_end_that_was_announced_later_is_checked(server, tmp_path):
    url = server.add(PATH, CONTENT, "long 7")
    assert get(Asset("a.nc", url), tmp_path) == CONTENT
    assert ranges(server) == [None, "bytes=3000-"]


@pytest.mark.parametrize("fault", ["short 5", "long 5"])
def test_wrong_length_is_tried_again(server, tmp_path, fault):
    url = server.add(PATH, CONTENT, fault)
    assert get(known(url, sha256=None), tmp_path) == CONTENT
    assert ranges(server) == [None, None]


def test_server_with_another_length_is_refused(server, tmp_path):
    url = server.add(PATH, CONTENT)
    message = refused(known(url, size=2999), tmp_path)
    assert message.endswith("the server has 3000 bytes; expected 2999 bytes")
    assert not list(tmp_path.iterdir())


def test_body_shorter_than_its_length_is_an_error_at_last(server, tmp_path):
    server.validators = False
    url = server.add(PATH, CONTENT, *["long 5"] * 9)
    message = refused(Asset("a.nc", url), tmp_path)
    assert "the answer broke off" in message


@pytest.mark.parametrize("hashes", [{"sha256": SHA256}, {"sha256": None}])
def test_wrong_hash_is_refused_and_deleted(server, tmp_path, hashes):
    md5 = hashlib.md5(CONTENT).hexdigest()
    url = server.add(PATH, CONTENT, "corrupt")
    asset = known(url, **hashes, details={} if hashes["sha256"] else {"md5": md5})
    with pytest.raises(InputError) as fault:
        Client().download(asset, tmp_path / "a.nc")
    assert fault.value.file == "a.nc"
    assert fault.value.expected == (hashes["sha256"] or md5)
    assert not list(tmp_path.iterdir())
    assert get(asset, tmp_path) == CONTENT


def test_parts_that_do_not_fit_are_fetched_once_more(server, tmp_path):
    url = server.add(PATH, bytes(3000), "cut 1000", *["503"] * 5)
    assert "503" in refused(known(url), tmp_path)
    server.add(PATH, CONTENT)
    assert get(known(url), tmp_path) == CONTENT
    assert ranges(server)[-2:] == ["bytes=1000-", None]


def test_complete_part_without_hash_is_taken_only_if_it_is_the_same(server, tmp_path):
    url = server.add(PATH, CONTENT)
    (tmp_path / "a.nc.part").write_bytes(bytes(3000))
    (tmp_path / "a.nc.part.version").write_text('"other"')
    assert get(known(url, sha256=None), tmp_path) == CONTENT


def test_part_that_is_complete_is_not_asked_for(server, tmp_path):
    (tmp_path / "a.nc.part").write_bytes(CONTENT)
    assert get(known(server.add(PATH, CONTENT)), tmp_path) == CONTENT
    assert server.requests == []


def test_part_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / "a.nc.part").write_bytes(CONTENT + b"more")
    assert get(known(server.add(PATH, CONTENT)), tmp_path) == CONTENT
    assert ranges(server) == ["bytes=3004-", None]


def test_next_process_resumes_a_file_without_hash_if_it_is_the_same(server, tmp_path):
    url = server.add(PATH, CONTENT, "cut 1000", *["503"] * 5)
    refused(Asset("a.nc", url), tmp_path)
    assert get(Asset("a.nc", url), tmp_path) == CONTENT
    assert server.asked(PATH)[-1].sent == 2000


@pytest.mark.parametrize("validators", [True, False])
def test_next_process_begins_anew_where_the_file_may_be_another(server, tmp_path, validators):
    server.validators = validators
    url = server.add(PATH, CONTENT, "cut 1000", *["503"] * 5)
    refused(Asset("a.nc", url), tmp_path)
    other = bytes(2000) if validators else CONTENT
    server.add(PATH, other)
    assert get(Asset("a.nc", url), tmp_path) == other
    assert server.asked(PATH)[-1].sent == len(other)


@pytest.mark.parametrize("ignored", ["whole", "never any"])
def test_ignored_range_begins_anew(server, tmp_path, ignored):
    server.ranges = ignored == "whole"
    url = server.add(PATH, CONTENT, "cut 1000", *([ignored] if server.ranges else []))
    assert get(known(url), tmp_path) == CONTENT
    assert [request.sent for request in server.requests] == [1000, 3000]


def test_part_that_is_not_said_to_be_one_is_asked_again(server, tmp_path):
    url = server.add(PATH, CONTENT, "cut 1000", "unsaid range")
    assert get(Asset("a.nc", url), tmp_path) == CONTENT
    assert ranges(server) == [None, "bytes=1000-", "bytes=1000-"]


def test_another_range_than_asked_is_refused(server, tmp_path):
    url = server.add(PATH, CONTENT, "cut 1000", "other range")
    assert "the server sent another part than asked for" in refused(known(url), tmp_path)


@pytest.mark.parametrize("fault", ["html", "hidden html"])
@pytest.mark.parametrize("hashed", [True, False])
def test_login_page_is_refused(server, tmp_path, fault, hashed):
    url = server.add(PATH, CONTENT, fault)
    asset = known(url, size=None) if hashed else Asset("a.nc", url)
    message = refused(asset, tmp_path)
    assert message.endswith(f"the server sent a page in HTML instead of data; {LOGIN}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", ["401", "403"])
def test_refusal_says_what_may_be_missing(server, tmp_path, status):
    url = server.add(PATH, CONTENT, status)
    assert refused(known(url), tmp_path).endswith(f"; {LOGIN}")
    assert len(server.requests) == 1


def test_missing_file_is_named(server, tmp_path):
    message = refused(known(server.address + "/none.nc"), tmp_path)
    assert message.endswith("the server has no such file (404)")
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["no length", "chunked"])
def test_length_that_is_not_announced(server, tmp_path, fault):
    url = server.add(PATH, CONTENT, fault)
    assert get(known(url), tmp_path) == CONTENT


def test_file_that_may_be_cut_unnoticed_is_refused(server, tmp_path):
    url = server.add(PATH, CONTENT, "no length 2000")
    message = refused(Asset("a.nc", url), tmp_path)
    assert message == (
        "a.nc: the server does not say how long the file is; "
        "the source's file can say its size or sha256"
    )
    server.add(PATH, CONTENT, "no length 2000")
    assert get(known(url), tmp_path) == CONTENT


@pytest.mark.parametrize("fault", [["503"] * 6, ["html"], ["401"], ["404"], ["corrupt"]])
def test_mirror_is_asked_where_the_first_cannot_serve(server, mirror, tmp_path, fault):
    url = server.add(PATH, CONTENT, *fault)
    assert get(known(url), tmp_path, (mirror.add("/b.nc", CONTENT),)) == CONTENT
    assert len(server.requests) == len(fault)


def test_mirror_goes_on_with_the_part_of_the_first(server, mirror, tmp_path):
    url = server.add(PATH, CONTENT, "cut 1000", "404")
    client = Client()
    client.download(known(url), tmp_path / "a.nc", [mirror.add("/b.nc", CONTENT)])
    assert ranges(mirror, "/b.nc") == ["bytes=1000-"]
    assert client.received == len(CONTENT)


def test_error_names_what_each_mirror_said(server, mirror, tmp_path):
    url, other = server.add(PATH, CONTENT, "401"), mirror.add("/b.nc", CONTENT, "404")
    message = refused(known(url), tmp_path, (other,))
    assert "401 Unauthorized" in message
    assert "; and of its mirrors, a.nc from " in message
    assert message.endswith("the server has no such file (404)")


def test_login_reaches_neither_a_mirror_nor_the_target_of_a_redirect(server, mirror, tmp_path):
    target = mirror.add("/c.nc", CONTENT)
    url = server.add(PATH, CONTENT, f"redirect {target}")
    headers = {"Authorization": "Bearer secret", "Private-Token": "secret"}
    assert get(known(url), tmp_path, headers=headers) == CONTENT
    server.add(PATH, CONTENT, "404")
    other = mirror.add("/b.nc", CONTENT)
    assert get(known(url), tmp_path, (other,), headers=headers) == CONTENT
    assert all(request.headers["Authorization"] == "Bearer secret" for request in server.requests)
    assert all(request.headers["Private-Token"] == "secret" for request in server.requests)
    assert len(mirror.requests) == 2
    assert not [r for r in mirror.requests if {"Authorization", "Private-Token"} & r.headers.keys()]


def test_login_is_sent_over_given_connections_too(server):
    url = server.add(PATH, CONTENT)
    Client({"Private-Token": "mine"}, session=requests.Session()).read(url, 0, 1)
    assert server.requests[0].headers["Private-Token"] == "mine"


def test_login_follows_a_redirect_within_its_host(server, tmp_path):
    url = server.add("/old.nc", b"", f"redirect {server.add(PATH, CONTENT)}")
    assert get(known(url), tmp_path, headers={"Private-Token": "mine"}) == CONTENT
    assert [r.headers["Private-Token"] for r in server.requests] == ["mine", "mine"]


def test_given_login_is_not_replaced_by_that_of_the_netrc_file(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    url = server.add(PATH, CONTENT)
    Client({"Authorization": "Bearer mine"}).read(url, 0, 1)
    Client().read(url, 0, 1)
    first, second = (request.headers["Authorization"] for request in server.requests)
    assert first == "Bearer mine"
    assert second.startswith("Basic ")


def signer(server: FaultServer, signatures: list[str]):
    """Sign with the given signatures, one after the other."""

    def sign(url: str) -> str:
        return f"{url}?sig={signatures.pop(0)}"

    return sign


def test_expired_signature_is_asked_anew(server, tmp_path):
    server.signature = "new"
    url = server.add(PATH, CONTENT)
    assert get(known(url), tmp_path, sign=signer(server, ["old", "new"])) == CONTENT
    assert [request.query["sig"] for request in server.requests] == ["old", "new"]


def test_signature_that_expires_on_the_way_is_asked_anew_and_the_file_resumed(server, tmp_path):
    server.signature = "one"
    url = server.add(PATH, CONTENT, "cut 1000", "403")
    assert get(known(url), tmp_path, sign=signer(server, ["one", "one"])) == CONTENT
    assert ranges(server) == [None, "bytes=1000-", "bytes=1000-"]


def test_refused_new_signature_is_an_error(server, tmp_path):
    server.signature = "never"
    url = server.add(PATH, CONTENT)
    message = refused(known(url), tmp_path, sign=signer(server, ["one", "two"]))
    assert message.endswith(f"403 Forbidden; {LOGIN}")


@pytest.fixture
def everything(caplog):
    """All that is logged by all loggers at the lowest level, also by those of libraries."""
    names = ["urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager", "urllib3"]
    for name in (None, *names, "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_secrets_are_in_no_log_at_any_level(server, tmp_path, everything):
    """Signed addresses, keys in queries, users with passwords, and the targets of redirects."""
    server.signature = "s3cret"
    target = server.add("/c.nc", CONTENT) + "?sig=s3cret"
    url = server.add(PATH, CONTENT, "503", "cut 100", f"redirect {target}")
    signed = signer(server, ["s3cret"] * 3)
    assert get(known(url), tmp_path, sign=signed) == CONTENT
    server.add("/b.nc", CONTENT, "reset")
    with_user = url.replace("//", "//me:s3cret@") + "?sig=s3cret&token=s3cret"
    Client().read(with_user, 0, 10)
    Client().read(f"{server.address}/b.nc?sig=s3cret", 0, 10)
    assert '"GET /data/a.nc? HTTP/1.1" 503' in everything.text  # the library does log
    assert '"GET /c.nc? HTTP/1.1" 206' in everything.text
    assert "s3cret" not in everything.text


def test_threads_whose_signature_expired_together_all_go_on(server):
    together = threading.Barrier(2)

    class Together(requests.Session):
        def request(self, *arguments, **options):
            response = super().request(*arguments, **options)
            if response.status_code == requests.codes.forbidden:
                together.wait(10)
            return response

    url = server.add(PATH, CONTENT)
    server.signature, found = "old", []
    client = Client(sign=lambda url: f"{url}?sig={server.signature}", session=Together())
    client.read(url, 0, 10)
    server.signature = "new"
    ask = [threading.Thread(target=lambda: found.append(client.read(url, 0, 10))) for _ in range(2)]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert found == [CONTENT[:10]] * 2


def test_signature_is_asked_once_for_many_parts(server):
    server.signature = "one"
    client = Client(sign=signer(server, ["one"]))
    url = server.add(PATH, CONTENT)
    assert client.read(url, 0, 10) + client.read(url, 10, 20) == CONTENT[:20]


SIGNATURE, TOKEN, PASSWORD = "s3cret-signature", "s3cret-token", "s3cret-password"


@pytest.mark.parametrize(
    "faults",
    [["403"] * 3, ["503"] * 7, ["cut 10"] * 7, ["reset"] * 7, ["html"], ["404"], ["corrupt"], []],
)
def test_secrets_stay_out_of_logs_and_errors(server, tmp_path, caplog, faults):
    caplog.set_level(logging.DEBUG, logger="concerto")
    url = server.add(PATH, CONTENT).replace("//", f"//me:{PASSWORD}@")
    client = Client({"Authorization": TOKEN}, lambda url: f"{url}?sig={SIGNATURE}")
    said = ""
    calls = [
        lambda: client.download(known(url), tmp_path / "a.nc"),
        lambda: client.read(url, 0, 5000),
        lambda: client.json(url, params={"token": TOKEN}),
    ]
    for call in calls:
        server.faults[PATH] = list(faults)
        try:
            call()
        except ConcertoError as error:
            said += str(error) + "".join(traceback.format_exception(error))
    assert said
    assert server.requests[-1].query["sig"] == SIGNATURE
    for secret in (SIGNATURE, TOKEN, PASSWORD):
        assert secret not in caplog.text + said


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:pw@host.org:8080/a/b.nc?sig=x#y", "https://host.org:8080/a/b.nc"),
        ("https://host.org/a b.nc", "https://host.org/a b.nc"),
        ("s3://bucket/key", "s3://bucket/key"),
    ],
)
def test_public_address(url, expected):
    assert public(url) == expected


def test_json(server):
    url = server.add("/api", b'{"a": [1]}', "503", "cut 3")
    assert Client().json(url, params={"q": "x"}) == {"a": [1]}
    assert Client().json(url, method="POST", body={"b": 2}) == {"a": [1]}
    assert server.requests[0].query == {"q": "x"}
    assert server.requests[-1].method == "POST"
    assert server.requests[-1].headers["Content-Type"] == "application/json"


def test_answer_that_is_no_json_is_named(server):
    url = server.add("/api", b"<xml/>")
    with pytest.raises(InputError, match=r"/api: answer: found b'<xml/>'; expected JSON"):
        Client().json(url + "?token=secret")
    server.add("/api", b"{}", "hidden html")
    with pytest.raises(ConcertoError, match="a page in HTML instead of data"):
        Client().json(url)


def test_whole_and_size(server):
    url = server.add(PATH, CONTENT, "cut 10", "503")
    client = Client()
    assert client.whole(url) == CONTENT
    assert client.size(url) == len(CONTENT)
    assert client.whole(server.address + "/none") is None
    assert client.size(server.add("/empty", b"")) == 0
    with pytest.raises(ConcertoError, match="does not say how long the file is"):
        client.whole(server.add(PATH, CONTENT, "no length"))
    assert client.whole(server.add(PATH, CONTENT, "chunked")) == CONTENT
    with pytest.raises(MissingError):
        client.size(server.address + "/none")


@pytest.mark.parametrize("fault", ["cut 3", "short 3", "long 3", "503", "whole", "reset", "empty"])
def test_part_survives_faults(server, fault):
    url = server.add(PATH, CONTENT, fault)
    assert Client().read(url, 100, 200) == CONTENT[100:200]


def test_part_beyond_the_end_is_an_error(server):
    url = server.add(PATH, CONTENT)
    with pytest.raises(InputError, match="length: found 3000 bytes; expected at least 3001 bytes"):
        Client().read(url, 2999, 3001)
    assert Client().part(url, 2999, 3001) == (CONTENT[2999:], 3000)
    assert Client().part(url, 5000, 6000) == (b"", 3000)


def test_server_that_does_not_send_parts_is_named(server, monkeypatch):
    server.ranges = False
    monkeypatch.setattr("concerto.sources._http.LARGEST_WHOLE_BYTES", 1000)
    url = server.add(PATH, CONTENT)
    assert Client().read(url, 10, 1000) == CONTENT[10:1000]
    with pytest.raises(ConcertoError, match="the server does not send parts of files"):
        Client().read(url, 10, 1001)


@pytest.mark.parametrize("validators", [True, False])
def test_file_that_changes_between_two_parts_is_an_error(server, validators):
    server.validators = validators
    url = server.add(PATH, CONTENT)
    client = Client()
    client.read(url, 0, 10)
    server.add(PATH, bytes(len(CONTENT) - (not validators)))
    with pytest.raises(InputError, match="found another version than before"):
        client.read(url, 10, 20)


def test_few_connections_to_a_host_at_a_time(server):
    most, here, lock = 0, 0, threading.Lock()

    class Counting(requests.Session):
        def request(self, *arguments, **options):
            nonlocal most, here
            with lock:
                here += 1
                most = max(most, here)
            try:
                time.sleep(0.02)
                return super().request(*arguments, **options)
            finally:
                with lock:
                    here -= 1

    url = server.add(PATH, CONTENT)
    ask = [
        threading.Thread(target=Client(session=Counting()).read, args=(url, 0, 10))
        for _ in range(3 * CONNECTIONS_PER_HOST)
    ]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert len(server.requests) == len(ask)
    assert most == CONNECTIONS_PER_HOST


def test_setting_that_is_no_number_is_named(server, monkeypatch):
    monkeypatch.setenv("CONCERTO_HTTP_TIMEOUT_S", "soon")
    with pytest.raises(InputError, match="CONCERTO_HTTP_TIMEOUT_S: found 'soon'"):
        Client().read(server.add(PATH, CONTENT), 0, 1)
