"""Host handles of replicated values, and pages of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numax.errors import call

MAX_HANDLES = 256
"""Handles kept open. 256 hold the working set of most handlers; each costs a table slot in the host."""

PAGE = 500
"""Entries asked for at a time. The host ends a page at 1 MiB as well."""

_open: dict[tuple[Any, str], Any] = {}  # in the order of their use


def method(family: Any, key: str, name: str, *args: Any) -> Any:
    """Calls a method of the handle of `key` in `family`, a resource class of the host."""
    handle = _open.pop((family, key), None)
    if handle is None:
        handle = call(family.open, key)
        if len(_open) >= MAX_HANDLES:
            _open.pop(next(iter(_open))).__exit__(None, None, None)
    _open[family, key] = handle
    return call(getattr(handle, name), *args)


def pages(get: Callable[[Any], Any], items: str) -> Iterator[Any]:
    """All entries: `get(after)` gives one page, whose list is called `items`."""
    after: Any = None
    while True:
        page = get(after)
        yield from getattr(page, items)
        after = page.next
        if after is None:
            return
