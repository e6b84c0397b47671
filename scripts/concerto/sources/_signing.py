"""Tokens that Microsoft's Planetary Computer wants in the addresses of its files.

A locator with ``signing: planetary_computer`` has them. ``signer``, or ``PC_SDK_SAS_URL`` in the
environment, is the address of the service that gives them, and ``signed_hosts`` the end of the
names of hosts that want them, if not the Planetary Computer's own. A key in
``PC_SDK_SUBSCRIPTION_KEY`` is used if there is one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from concerto.errors import InputError
from concerto.sources._http import Client, public

TOKENS = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
SIGNED_HOSTS = ".blob.core.windows.net"
TOKEN_LEFT = timedelta(minutes=1)
"""A token that ends sooner is not used any more, as in the planetary-computer package."""

_tokens: dict[str, tuple[str, datetime]] = {}
_tokens_lock = threading.Lock()


def signing_of(request: Mapping[str, Any]) -> dict[str, str] | None:
    """Return where tokens come from and which hosts want them."""
    if request.get("signing") is None:
        return None
    if request["signing"] != "planetary_computer":
        found, expected = request["signing"], "planetary_computer"
        raise InputError("locator", "signing", found, expected)
    tokens = request.get("signer") or os.environ.get("PC_SDK_SAS_URL") or TOKENS
    return {"tokens": tokens, "hosts": request.get("signed_hosts", SIGNED_HOSTS)}


class Signer:
    """Adds tokens to the addresses of an archive's own hosts, and to no others.

    The first label of a host's name is the storage account and the first part of the path the
    container for which the service gives a token (``TOKENS/ACCOUNT/CONTAINER``).
    """

    def __init__(self, tokens: str, hosts: str) -> None:
        self._service = tokens
        self._hosts = hosts
        self._given: dict[str, str] = {}

    def __call__(self, url: str) -> str:
        """Return a signed address; if asked for the same once more, with another token."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not host.endswith(self._hosts):
            return url
        container = parts.path.split("/")[1]
        address = f"{self._service.rstrip('/')}/{host.split('.')[0]}/{container}"
        self._given[url] = _token(address, refused=self._given.get(url))
        return f"{url}{'&' if parts.query else '?'}{self._given[url]}"


def _token(address: str, refused: str | None) -> str:
    """Return a token that was not refused and does not end soon; it is kept for all files."""
    with _tokens_lock:
        token, end = _tokens.get(address, (None, datetime.max.replace(tzinfo=UTC)))
        if token in (None, refused) or end - datetime.now(UTC) < TOKEN_LEFT:
            key = os.environ.get("PC_SDK_SUBSCRIPTION_KEY")
            answer = Client({"Ocp-Apim-Subscription-Key": key} if key else {}).json(address)
            try:
                token, end = answer["token"], _instant(answer["msft:expiry"])
            except (KeyError, TypeError, ValueError) as error:
                found = f"an answer without it ({type(error).__name__})"
                raise InputError(public(address), "token", found, "a token and its end") from None
            _tokens[address] = token, end
        return token


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
