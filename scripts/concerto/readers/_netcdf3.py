"""The length that a classic NetCDF file must have: libraries read what is cut off as zeros.

NetCDF Users Guide, appendix B: the header lists dimensions, attributes and variables, each variable
with its place in the file; variables along the record dimension are interleaved record by record.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

MAGIC = b"CDF"
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
"""Bytes of a number by its type: byte, char, short, int, float, double, then those of CDF-5."""


@dataclass(frozen=True)
class _Variable:
    shape: list[int]
    number_bytes: int
    begin: int

    @property
    def is_record(self) -> bool:
        return bool(self.shape) and self.shape[0] == 0

    @property
    def bytes(self) -> int:
        """Of all its numbers, or of those of one record."""
        return self.number_bytes * prod(self.shape[1:] if self.is_record else self.shape)


def is_classic(path: Path) -> bool:
    """Return whether a file is of the classic format, or one of its two larger kinds."""
    with path.open("rb") as stream:
        return stream.read(3) == MAGIC


def least_length(path: Path) -> int:
    """Return how many bytes a classic file must have at least to hold what its header lists.

    Raises
    ------
    ValueError
        If the header is cut off, or it leaves the number of records open.
    """
    with path.open("rb") as stream:
        header = _Header(stream)
        records = header.count()
        dimensions = [header.dimension() for _ in range(header.list_length())]
        header.skip_attributes()
        variables = [header.variable(dimensions) for _ in range(header.list_length())]
        if records == header.streaming:
            raise ValueError("the number of records is open")
        return max([stream.tell(), *_ends(variables, records)])


def _ends(variables: list[_Variable], records: int) -> list[int]:
    along = [variable for variable in variables if variable.is_record]
    ends = [item.begin + item.bytes for item in variables if not item.is_record]
    if along and records:
        # Each variable's part of a record fills up whole words, unless it is the only one.
        record = along[0].bytes if len(along) == 1 else sum(_padded(item.bytes) for item in along)
        ends += [item.begin + (records - 1) * record + item.bytes for item in along]
    return ends


def _padded(length: int) -> int:
    return -(-length // 4) * 4


class _Header:
    """The header's parts in their order."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        kind = self._take(4)[3]
        self._count_bytes = 8 if kind == 5 else 4
        self._offset_bytes = 4 if kind == 1 else 8
        self.streaming = 256**self._count_bytes - 1

    def _take(self, length: int) -> bytes:
        found = self._stream.read(length)
        if len(found) < length:
            raise ValueError("the header is cut off")
        return found

    def _number(self, length: int) -> int:
        return int.from_bytes(self._take(length), "big")

    def count(self) -> int:
        return self._number(self._count_bytes)

    def list_length(self) -> int:
        self._take(4)  # what the list is of
        return self.count()

    def _skip_name(self) -> None:
        self._take(_padded(self.count()))

    def dimension(self) -> int:
        self._skip_name()
        return self.count()

    def skip_attributes(self) -> None:
        for _ in range(self.list_length()):
            self._skip_name()
            size = _SIZES.get(self._number(4), 1)
            self._take(_padded(size * self.count()))

    def variable(self, dimensions: list[int]) -> _Variable:
        self._skip_name()
        shape = [dimensions[self.count()] for _ in range(self.count())]
        self.skip_attributes()
        number_bytes = _SIZES.get(self._number(4), 1)
        self.count()  # its size, which is wrong for large ones
        return _Variable(shape, number_bytes, self._number(self._offset_bytes))
