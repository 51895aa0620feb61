"""What `on_change` hears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One replicated value has changed."""

    kind: str
    """Its family: "g-counter", "or-set", …"""
    key: str
    op: str
    """What was done last: "increment", "set", "add", …"""
    origin: str
    """The node whose write this was."""
    remote: bool
    """Whether that was another node than this one."""


def from_host(change: Any) -> Change:
    """Of the bindings' record."""
    kind = change.kind.name.lower().replace("_", "-")
    return Change(kind, change.key, change.op.name.lower(), change.origin, change.remote)
