"""Sequences of faults at random: the file comes byte by byte as it is, or not at all."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

import pytest
from concerto.errors import ConcertoError
from concerto.sources import Asset
from concerto.sources._http import ATTEMPTS, Client, RemoteFiles
from fault_server import serve

SEEDS = range(200)
FATAL = {
    "html": "a page in HTML instead of data",
    "401": "a login, its renewal or the acceptance of a licence may be missing",
    "403": "a login, its renewal or the acceptance of a licence may be missing",
    "404": "the server has no such file",
    "429 7200": "the server asks to come back in 7200 s",
    "400": "the server answered 400 Bad Request",
    "corrupt": "expected",
    "tired": "the server answered 503 Service Unavailable",
}


@pytest.fixture(scope="module")
def servers():
    with serve() as first, serve() as second:
        yield first, second


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0")
    monkeypatch.setenv("CONCERTO_HTTP_TIMEOUT_S", "5")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@dataclass
class Story:
    """What a file is, what the source's file says of it and what happens to who asks for it."""

    content: bytes
    said: dict
    passing: list[str]
    fatal: str | None
    mirrored: bool
    by_parts: bool

    @property
    def faults(self) -> list[str]:
        last = [] if self.fatal is None else [self.fatal]
        if self.fatal == "tired":
            last = ["503"] * ATTEMPTS
        if self.fatal == "corrupt":
            return last  # at once: parts that do not fit are fetched once more
        return self.passing + last

    @property
    def served(self) -> bool:
        return self.fatal is None or self.mirrored


def story(rng: random.Random) -> Story:
    content = rng.randbytes(rng.choice([1, 2, 100, 5000]))
    hashes = {"sha256": {"sha256": hashlib.sha256(content).hexdigest()}, "none": {}}
    hashes["md5"] = {"details": {"md5": hashlib.md5(content).hexdigest()}}
    kind, sized, by_parts = rng.choice(list(hashes)), rng.random() < 0.5, rng.random() < 0.2

    def position() -> int:
        return rng.randrange(len(content))

    def passing() -> str:
        choices = [
            *("500", "502", "503 0", "429 0", "429 date -5", "reset", "empty", "whole"),
            *(f"cut {position()}", f"chunked {position()}", f"long {rng.randint(1, 99)}"),
        ]
        # A length that is announced too short, or not at all, shows only where it is known.
        if sized:
            choices += ["short 1", f"no length {position()}"]
        if by_parts:
            choices = [fault for fault in choices if not fault.startswith(("chunked", "no"))]
        return rng.choice(choices)

    fatal = rng.choice([*FATAL, None, None, None, None, None, None])
    if fatal == "corrupt" and (kind == "none" or by_parts):
        fatal = None
    return Story(
        content,
        hashes[kind] | ({"size": len(content)} if sized else {}),
        [passing() for _ in range(rng.randint(0, ATTEMPTS - 1))],
        fatal,
        rng.random() < 0.3 and not by_parts,
        by_parts,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_file_is_whole_or_not_there(servers, tmp_path, seed):
    rng = random.Random(seed)
    told = story(rng)
    first, second = servers
    first.validators = second.validators = rng.random() < 0.7
    url = first.add(f"/{seed}", told.content, *told.faults)
    mirrors = [second.add(f"/{seed}", told.content, "503")] if told.mirrored else []
    path, client = tmp_path / "a", Client()

    def come() -> None:
        if told.by_parts:
            with RemoteFiles(client).open(url) as file:
                path.write_bytes(file.read())
        else:
            client.download(Asset("a", url, **told.said), path, mirrors)

    said = ""
    try:
        come()
    except ConcertoError as error:
        said = str(error)
    except FileNotFoundError:
        said = FATAL["404"]
    if said:
        assert not told.served
        assert FATAL[told.fatal] in said
        assert not path.exists()
    else:
        # A range that is ignored where none is asked for is no fault: what follows is not met.
        assert told.served or first.faults[f"/{seed}"]
        assert path.read_bytes() == told.content
        assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_the_sequences_are_of_each_kind():
    told = [story(random.Random(seed)) for seed in SEEDS]
    assert {item.fatal for item in told if not item.served} == set(FATAL)
    assert sum(item.served for item in told) > len(told) / 3
    assert sum(len(item.faults) for item in told) > 2 * len(told)
    assert sum(item.by_parts for item in told) > len(told) / 10
