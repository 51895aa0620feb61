"""Write numax modules in Python.

A module defines any of these functions, and numax calls them:

- `http(request: Request) -> Response | str | bytes` for each HTTP request,
- `run() -> None` once; the module is a command,
- `init() -> None`, `shutdown() -> None` first and last, in the instance that hears of timers and changes,
- `on_tick(name: str, now_ms: int) -> None` for timers of `every`,
- `on_change(changes: list[Change]) -> None` when values named by `watch` have changed.

The top level runs while the module is built. What it computes is part of the component; it cannot call numax, and what it
draws by chance or reads off a clock is frozen. Handlers can do all that. Requests are answered by instances of their own,
as a rule a fresh one each: keep state in numax, not in variables. Import everything at the top level: the files of the
standard library are not there at run time.

What a handler writes is committed as one batch when it waits, answers or returns.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from numax.changes import Change
from numax.errors import Denied, Invalid, NotFound, NumaxError, Quota, Unavailable


def _offered(interface: str) -> bool:
    """Whether this component imports an interface of numax. `numax build` has it import those whose names the module
    uses, so that there is no more to grant."""
    if TYPE_CHECKING:
        return True
    try:
        return find_spec(f"wit_world.imports.{interface}") is not None
    except ModuleNotFoundError:  # a component that imports nothing has no such package
        return False


if _offered("crdt"):
    from numax._kinds import Kind
    from numax.crdt import Counter, List, Map, PnCounter, Register, Set, Text, keys
if _offered("kv"):
    from numax.kv import kv
if _offered("events"):
    from numax.events import cron, every, watch
if _offered("cluster"):
    from numax.cluster import Peer, peers, self_id
if _offered("module_info"):
    from numax.module import grants, module_id
if _offered("http_types"):
    from numax.http import Request, Response

__all__ = [
    "Change",
    "Counter",
    "Denied",
    "Invalid",
    "Kind",
    "List",
    "Map",
    "NotFound",
    "NumaxError",
    "Peer",
    "PnCounter",
    "Quota",
    "Register",
    "Request",
    "Response",
    "Set",
    "Text",
    "Unavailable",
    "cron",
    "every",
    "grants",
    "keys",
    "kv",
    "module_id",
    "peers",
    "self_id",
    "watch",
]
