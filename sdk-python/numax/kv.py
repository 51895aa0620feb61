"""The key-value store of this node alone: durable, ordered, never replicated."""

from __future__ import annotations

from collections.abc import Iterator

from wit_world.imports import kv as _kv

from numax._check import Data, data, text
from numax._host import PAGE, pages
from numax.errors import call


class Kv:
    """The store; there is one, `numax.kv`."""

    def get(self, key: str) -> bytes | None:
        """The value of a key, None if there is none."""
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
        """Deletes all keys with this prefix and says how many there were."""
        return int(call(_kv.delete_prefix, text(prefix, "a prefix")))

    def scan(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """All entries with this prefix, in byte order of their keys."""
        prefix = text(prefix, "a prefix")
        return pages(lambda after: call(_kv.scan, prefix, after, PAGE), "entries")


kv = Kv()
