"""The objects of a Zarr store on the web, in the form in which zarr asks for them.

What zarr takes for a chunk of nothing but fill, an object that is not there, is here an error
unless the archive is known to leave such chunks out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

import botocore.exceptions
import s3fs
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store
from zarr.abc.store import SuffixByteRequest as _Suffix
from zarr.core.buffer import Buffer, BufferPrototype

from concerto.errors import ConcertoError, InputError
from concerto.sources._http import Client, MissingError, public

GOOGLE = "https://storage.googleapis.com/"
S3_ATTEMPTS = 6
S3_TIMEOUTS_S = {"connect_timeout": 15, "read_timeout": 60}

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
T = TypeVar("T")


class Objects(Protocol):
    """What holds a store's objects: each has a key, relative to the store."""

    @property
    def received(self) -> int:
        """Bytes received so far."""

    def whole(self, key: str) -> bytes | None:
        """Return an object, None where there is none."""

    def part(self, key: str, start: int, stop: int) -> bytes | None:
        """Return the bytes of an object from ``start`` to before ``stop``."""

    def size(self, key: str) -> int | None:
        """Return the length of an object in bytes."""


def objects_of(
    url: str, client: Client, anonymous: bool = False, endpoint: str | None = None
) -> Objects:
    """Return the objects below an address.

    Parameters
    ----------
    url
        ``http://``, ``https://``, ``gs://`` (a bucket of Google's that needs no login) or
        ``s3://``.
    client
        For all but S3.
    anonymous, endpoint
        Of S3: whether to ask without a login, and the address of a service that is not Amazon's.

    Raises
    ------
    InputError
        If the address is of another kind.
    """
    scheme, _, rest = url.rstrip("/").partition("://")
    if scheme == "s3":
        return _S3(rest, anonymous, endpoint)
    if scheme == "gs":
        return _Web(client, GOOGLE + rest)
    if scheme in ("http", "https"):
        return _Web(client, f"{scheme}://{rest}")
    raise InputError("locator", "store", public(url), "an address of http, https, s3 or gs")


class RemoteStore(Store):
    """A Zarr store that is only read.

    Parameters
    ----------
    url
        For messages.
    objects
        What it holds.

    Attributes
    ----------
    sparse
        Names of the arrays that may lack chunks.
    missing
        The chunks that they lacked.
    blosc
        Names of the arrays whose chunks are buffers of Blosc. These say how long they are, which
        Blosc does not heed: it decodes what lies in memory behind a buffer that was cut.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = False

    def __init__(self, url: str, objects: Objects) -> None:
        super().__init__(read_only=True)
        self.url = public(url)
        self.sparse: frozenset[str] = frozenset()
        self.missing: set[str] = set()
        self.blosc: set[str] = set()
        self._objects = objects
        self._sizes: dict[str, int | None] = {}

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None

    @property
    def received(self) -> int:
        """Bytes received so far."""
        return self._objects.received

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return an object or a part of it, None where there is none and there need be none."""
        content = await asyncio.to_thread(self._read, key, byte_range)
        if content is None:
            self._note_missing(key)
            return None
        if byte_range is None:
            self._check_length(key, content)
        return prototype.buffer.from_bytes(content)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of objects."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is an object."""
        return await asyncio.to_thread(self._size, key) is not None

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: the store is only read."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse: the store is only read."""
        self._check_writable()

    def list(self) -> AsyncIterator[str]:
        """Refuse: what a web server holds cannot be listed."""
        raise NotImplementedError("the objects of a store on the web are not listed")

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse: what a web server holds cannot be listed."""
        return self.list()

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse: what a web server holds cannot be listed."""
        return self.list()

    def _read(self, key: str, wanted: ByteRequest | None) -> bytes | None:
        if wanted is None:
            return self._objects.whole(key)
        if isinstance(wanted, RangeByteRequest):
            return self._objects.part(key, wanted.start, wanted.end)
        size = self._size(key)
        if size is None:
            return None
        start = wanted.offset if isinstance(wanted, OffsetByteRequest) else size - _length(wanted)
        if start < 0:
            raise InputError(f"{self.url}/{key}", "length", size, f"at least {_length(wanted)}")
        return self._objects.part(key, start, size)

    def _size(self, key: str) -> int | None:
        if key not in self._sizes:
            self._sizes[key] = self._objects.size(key)
        return self._sizes[key]

    def _check_length(self, key: str, content: bytes) -> None:
        name = key.partition("/")[0]
        if name not in self.blosc or key.rpartition("/")[2] in _METADATA:
            return
        said = int.from_bytes(content[12:16], "little")
        if said != len(content):
            found = f"damaged ({len(content)} bytes, {said} by its header)"
            raise InputError(self.url, f"chunk {key}", found, "a whole one")

    def _note_missing(self, key: str) -> None:
        if key.rpartition("/")[2] in _METADATA:
            return
        if key.partition("/")[0] not in self.sparse:
            raise InputError(
                self.url,
                f"chunk {key}",
                "no such object",
                "every chunk, or `sparse: true` if the archive leaves out those without data",
            )
        self.missing.add(key)


class _Web:
    """Objects on a web server."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url

    @property
    def received(self) -> int:
        return self._client.received

    def whole(self, key: str) -> bytes | None:
        return self._client.whole(self._address(key))

    def part(self, key: str, start: int, stop: int) -> bytes | None:
        try:
            return self._client.read(self._address(key), start, stop)
        except MissingError:
            return None

    def size(self, key: str) -> int | None:
        try:
            return self._client.size(self._address(key))
        except MissingError:
            return None

    def _address(self, key: str) -> str:
        return f"{self._url}/{key}"


class _S3:
    """Objects in a bucket of S3 or of a service that speaks its language."""

    def __init__(self, path: str, anonymous: bool, endpoint: str | None) -> None:
        self.received = 0
        self._lock = threading.Lock()
        self._path = path
        self._files = s3fs.S3FileSystem(
            anon=anonymous,
            endpoint_url=endpoint,
            config_kwargs={
                "retries": {"mode": "standard", "max_attempts": S3_ATTEMPTS},
                **S3_TIMEOUTS_S,
            },
            use_listings_cache=False,
        )
        self._files.connect()  # once, before several threads ask

    def whole(self, key: str) -> bytes | None:
        return self._counted(lambda: self._files.cat_file(self._address(key)), key)

    def part(self, key: str, start: int, stop: int) -> bytes | None:
        where = {"start": start, "end": stop}
        content = self._counted(lambda: self._files.cat_file(self._address(key), **where), key)
        if content is not None and len(content) != stop - start:
            found = f"{len(content)} bytes from {start}"
            raise InputError(f"s3://{self._address(key)}", "answer", found, f"{stop - start} bytes")
        return content

    def size(self, key: str) -> int | None:
        bucket, _, name = self._address(key).partition("/")
        head = {"Bucket": bucket, "Key": name}
        return self._asked(lambda: self._files.call_s3("head_object", **head)["ContentLength"], key)

    def _address(self, key: str) -> str:
        return f"{self._path}/{key}"

    def _counted(self, ask: Callable[[], bytes], key: str) -> bytes | None:
        content = self._asked(ask, key)
        with self._lock:
            self.received += len(content or b"")
        return content

    def _asked(self, ask: Callable[[], T], key: str) -> T | None:
        address = f"s3://{self._address(key)}"
        try:
            return ask()
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                bucket = self._path.partition("/")[0]
                raise InputError(address, "bucket", f"no bucket {bucket}", "one that is") from error
            return None
        except botocore.exceptions.NoCredentialsError as error:
            raise ConcertoError(
                f"{address}: no login to AWS was found; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY or write ~/.aws/credentials; a public bucket needs "
                "`anonymous: true` in the source's locator"
            ) from error
        except PermissionError as error:
            raise ConcertoError(
                f"{address}: the server refused ({_code(error) or error}); expected a login that "
                "may read it, or a public bucket with `anonymous: true`"
            ) from error
        except (OSError, botocore.exceptions.BotoCoreError) as error:
            raise ConcertoError(f"{address}: no complete answer ({error})") from error


def _code(error: BaseException) -> str:
    """Return S3's name of a fault, which s3fs keeps in the cause."""
    response: Mapping[str, Any] = getattr(error.__cause__, "response", {})
    return response.get("Error", {}).get("Code", "")


def _length(wanted: ByteRequest) -> int:
    return wanted.suffix if isinstance(wanted, _Suffix) else 0
