"""The key-value store of this node alone: durable, ordered, never replicated. What a turn writes here and to replicated values
is one batch.

A key has at most 8 KiB and does not begin with `__nx/`, a value has at most 1 MiB, a turn's batch 10,000 operations and 4 MiB;
what passes that is `Invalid`, as is half of a surrogate pair. Reading fails with `Denied` and `Unavailable`, writing with
`Quota` as well. A call that failed has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from wit_world.imports import kv as _kv

from numax._check import Data, data, text
from numax._host import PAGE, pages
from numax.errors import call


class Kv:
    """The store; there is one, `numax.kv`. `kv[key] = value` writes, `del kv[key]` removes a key, and nothing happens when there
    is none."""

    def get(self, key: str) -> bytes | None:
        """The value of a key; None when there is none."""
        value: bytes | None = call(_kv.get, text(key, "a key"))
        return value

    def get_text(self, key: str) -> str | None:
        """The value of a key read as UTF-8."""
        value = self.get(key)
        return None if value is None else value.decode(errors="replace")

    def __getitem__(self, key: str) -> bytes:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Data) -> None:
        call(_kv.set, text(key, "a key"), data(value, "the value"))

    def __delitem__(self, key: str) -> None:
        call(_kv.delete, text(key, "a key"))

    def __contains__(self, key: str) -> bool:
        return bool(call(_kv.exists, text(key, "a key")))

    def delete_prefix(self, prefix: str) -> int:
        """Removes every key that begins with `prefix` and says how many there were. `Denied` when the module may not write all
        of them, `Invalid` when they are more than fit one batch (10,000): remove them in several turns then."""
        return int(call(_kv.delete_prefix, text(prefix, "a prefix")))

    def scan(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """The entries whose keys begin with `prefix` and that the module may read, in byte order. Keys that are not UTF-8 are
        left out. `Denied` when it may read nothing below `prefix`."""
        prefix = text(prefix, "a prefix")
        return pages(lambda after: call(_kv.scan, prefix, after, PAGE), "entries")


kv = Kv()
