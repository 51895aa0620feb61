"""The families of replicated values, here and as the bindings name them."""

from __future__ import annotations

from typing import Any, Literal, get_args

from wit_world.imports import common as _common

Kind = Literal["g-counter", "pn-counter", "lww-register", "lww-map", "or-set", "rga", "text"]
"""The families of replicated values. The same key may hold a value of each."""


def to_host(kind: Kind) -> Any:
    """The family as the bindings name it."""
    if kind not in get_args(Kind):
        raise ValueError(f"the kind must be one of {', '.join(get_args(Kind))}, not {kind!r}")
    return _common.CrdtKind[kind.replace("-", "_").upper()]
