"""What a module wants to hear of. Called from `init`."""

from __future__ import annotations

from typing import Literal

from wit_world.imports import events as _events

from numax._check import text, u32
from numax._kinds import Kind, to_host
from numax.errors import call


def every(name: str, milliseconds: int) -> None:
    """Calls `on_tick(name, …)` every so many milliseconds, counted from the end of the last call."""
    call(_events.every, text(name, "the name of a timer"), u32(milliseconds, "the period in milliseconds"))


def cron(name: str, expression: str, where: Literal["every-node", "once-per-cluster"] = "every-node") -> None:
    """Calls `on_tick(name, …)` by a cron expression of five fields, in UTC."""
    scopes = {"every-node": _events.Scope.EVERY_NODE, "once-per-cluster": _events.Scope.ONCE_PER_CLUSTER}
    if where not in scopes:
        raise ValueError(f"where must be 'every-node' or 'once-per-cluster', not {where!r}")
    call(_events.cron, text(name, "the name of a timer"), text(expression, "a cron expression"), scopes[where])


def watch(prefix: str, kind: Kind | None = None) -> None:
    """Calls `on_change` for keys with this prefix, of one family (`"g-counter"`, …) or of all."""
    call(_events.watch, None if kind is None else to_host(kind), text(prefix, "a prefix"))
