"""What a module wants to hear of. Called from `init`."""

from __future__ import annotations

from typing import Literal

from wit_world.imports import events as _events

from numax._check import text, u32
from numax._kinds import Kind, to_host
from numax.errors import call


def every(name: str, milliseconds: int) -> None:
    """Calls `on_tick(name, …)` every so many milliseconds (from 1 to 2**32-1), counted from the end of the last call. `Invalid`
    for another period, outside of `init`, and from 1,000 registrations on."""
    call(_events.every, text(name, "the name of a timer"), u32(milliseconds, "the period in milliseconds"))


def cron(name: str, expression: str, where: Literal["every-node", "once-per-cluster"] = "every-node") -> None:
    """Calls `on_tick(name, …)` by a cron expression of five fields, in UTC. Not in this version: it fails with `Unavailable`."""
    scopes = {"every-node": _events.Scope.EVERY_NODE, "once-per-cluster": _events.Scope.ONCE_PER_CLUSTER}
    if where not in scopes:
        raise ValueError(f"where must be 'every-node' or 'once-per-cluster', not {where!r}")
    call(_events.cron, text(name, "the name of a timer"), text(expression, "a cron expression"), scopes[where])


def watch(prefix: str, kind: Kind | None = None) -> None:
    """Calls `on_change` for keys that begin with `prefix` and that the module may read, of one family (`"g-counter"`, …) or of
    all. What this very instance wrote is left out. `Denied` when it may read none of them; `Invalid` outside of `init`, and
    from 1,000 registrations on."""
    call(_events.watch, None if kind is None else to_host(kind), text(prefix, "a prefix"))
