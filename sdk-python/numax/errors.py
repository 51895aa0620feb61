"""Errors of the host, as exceptions that Python programmers expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from componentize_py_types import Err

T = TypeVar("T")


class NumaxError(Exception):
    """A call was refused, by the host or, when an argument cannot be handed to it, by the SDK. `code` says why, `detail` tells
    more."""

    code = "error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.code}: {detail}" if detail else self.code)
        self.detail = detail


class Denied(NumaxError, PermissionError):
    """The module's policy does not grant this. `detail` is the line that would."""

    code = "denied"


class Invalid(NumaxError, ValueError):
    """An argument is out of its range: an oversized key, a negative number, half of a surrogate pair, an overflow, a batch too
    large."""

    code = "invalid"


class NotFound(NumaxError, LookupError):
    """An element that does not exist (any more)."""

    code = "not-found"


class Quota(NumaxError):
    """A quota of the module's policy is used up for now; try again later."""

    code = "quota"


class Unavailable(NumaxError):
    """The node cannot do this at present: its storage is full or read-only, or it is shutting down."""

    code = "unavailable"


_CLASSES: dict[str, type[NumaxError]] = {
    "Error_Denied": Denied,
    "Error_Invalid": Invalid,
    "Error_NotFound": NotFound,
    "Error_Quota": Quota,
    "Error_Unavailable": Unavailable,
}


def call(function: Callable[..., T], *args: Any) -> T:
    """Makes one host call; what it refuses becomes one of the exceptions above."""
    try:
        return function(*args)
    except Err as error:
        known = _CLASSES.get(type(error.value).__name__)
        if known is None:
            raise
        translated = known(getattr(error.value, "value", ""))
    # Outside of the handler: users need not see the bindings' exception as the cause.
    raise translated
