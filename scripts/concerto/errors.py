"""The one error that tells a user what is wrong with what they gave."""

from __future__ import annotations


class ConcertoError(Exception):
    """A fault in the input or the configuration, worded for the person who can mend it."""


class InputError(ConcertoError):
    """A fault in one field of one file.

    Parameters
    ----------
    file
        Where the fault is: a path, a URL or a key's place in the configuration.
    field
        The column, variable, key or member at fault.
    found, expected
        What is there and what should be there.
    """

    def __init__(self, file: object, field: str, found: object, expected: object) -> None:
        super().__init__(f"{file}: {field}: found {found}; expected {expected}")
        self.file = str(file)
        self.field = field
        self.found = str(found)
        self.expected = str(expected)
