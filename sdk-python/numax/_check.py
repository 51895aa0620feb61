"""Checks and conversions before a value crosses into the host. They are needed, not a courtesy: at the border a negative
number, one above 64 bits, half of a surrogate pair or a value of a wrong type does not raise, it ends the instance. A wrong
type is a `TypeError`, as everywhere in Python; a value out of range is what it is when the host finds it, `Invalid`, so a
handler need not care who found it."""

from __future__ import annotations

from typing import TypeAlias

from numax.errors import Invalid

Data: TypeAlias = bytes | bytearray | memoryview | str
"""Bytes, or a text that is stored in UTF-8."""


def _unsigned(value: int, bits: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} must be an int, not {type(value).__name__}")
    if not 0 <= value < 1 << bits:
        raise Invalid(f"{what} is {value}; it must be between 0 and 2**{bits}-1")
    return value


def u64(value: int, what: str) -> int:
    """An unsigned number of 64 bits."""
    return _unsigned(value, 64, what)


def u32(value: int, what: str) -> int:
    """An unsigned number of 32 bits."""
    return _unsigned(value, 32, what)


def text(value: str, what: str) -> str:
    """A text that has a UTF-8 form: no lone surrogates."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}")
    if not value.isascii():
        _encode(value, what)
    return str(value)


def _encode(value: str, what: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        half = f"its character {error.start} (U+{ord(value[error.start]):04X}) is half of a surrogate pair"
    raise Invalid(f"{what} must be Unicode text; {half}")


def data(value: Data, what: str) -> bytes:
    """Bytes as they are, or a text in UTF-8."""
    if isinstance(value, str):
        return _encode(value, what)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{what} must be bytes or str, not {type(value).__name__}")
