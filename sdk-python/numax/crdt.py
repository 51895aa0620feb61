"""Replicated values.

A value is named by its family and its key: the counter "a" and the set "a" are two values. Naming one makes nothing; a value
that was never written reads as zero, None or empty. Every node has its own copy, reads and writes it at once, and exchanges
what was written; copies that have seen the same writes are equal.

Limits: a key has at most 8 KiB and does not begin with `__nx/`; a field's name has at most 8 KiB; a value, an element or a
field's value 1 MiB; texts in UTF-8. A turn's batch has at most 10,000 operations and 4 MiB. `Text` has limits of its own. Every
`str` is Unicode text: half of a surrogate pair, which JSON may bring along, is `Invalid`. What is no text goes as bytes.

Errors: an argument of a wrong type is a `TypeError`. Everything else is a `NumaxError`: reading fails with `Denied` and
`Unavailable`; writing with `Quota` as well, and with `Invalid` when the turn's batch would pass its limits. Every call fails
with `Denied` when the policy grants nothing under the key, and with `Invalid` when an argument breaks a limit. What else can
fail stands with the call. A call that failed has changed nothing, and what the turn wrote before it stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wit_world.imports import crdt as _crdt

from numax._check import Data, data, text, u32, u64
from numax._host import PAGE, method, pages
from numax._kinds import Kind, to_host
from numax.errors import call

class _Value:
    """A value of one family, by its key."""

    _family: Any

    def __init__(self, key: str) -> None:
        self.key = text(key, "a key")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"

    def _do(self, name: str, *args: Any) -> Any:
        return method(self._family, self.key, name, *args)


class Counter(_Value):
    """A counter that only grows. Its value is the sum of what every node added."""

    _family = _crdt.GCounter

    def increment(self, by: int = 1) -> None:
        """Adds `by`, from 0 to 2**64-1. `Invalid` when this node's share of the sum would pass 2**64-1."""
        self._do("increment", u64(by, "the increment"))

    @property
    def value(self) -> int:
        """The sum, this turn's own increments included; 2**64-1 if it is beyond that."""
        return int(self._do("value"))


class PnCounter(_Value):
    """A counter that goes up and down."""

    _family = _crdt.PnCounter

    def increment(self, by: int = 1) -> None:
        """Adds `by`, from 0 to 2**64-1. `Invalid` when this node's share in this direction would pass 2**64-1."""
        self._do("increment", u64(by, "the increment"))

    def decrement(self, by: int = 1) -> None:
        """Takes `by` away, from 0 to 2**64-1. `Invalid` as with `increment`."""
        self._do("decrement", u64(by, "the decrement"))

    @property
    def value(self) -> int:
        """The difference of all increments and decrements; the nearest of -2**63 and 2**63-1 if it is beyond that."""
        return int(self._do("value"))


class Register(_Value):
    """One value; of concurrent writes the later one wins."""

    _family = _crdt.LwwRegister

    def get(self) -> bytes | None:
        """The value; None when it was never set or is cleared."""
        value: bytes | None = self._do("get")
        return value

    def get_text(self) -> str | None:
        """The value read as UTF-8."""
        return _decode(self.get())

    def set(self, value: Data) -> None:
        """Writes the value, of at most 1 MiB. `Invalid` when it is larger."""
        self._do("set", data(value, "the value"))

    def clear(self) -> None:
        """Removes the value."""
        self._do("clear")

    def compare_and_set(self, expected: Data | None, value: Data) -> bool:
        """Writes `value`, of at most 1 MiB, if the register holds `expected` (None: nothing), and says whether it did. Atomic
        among the modules of this node only. What this turn has written before is committed first. `Invalid` when `value` is
        larger."""
        old = None if expected is None else data(expected, "the expected value")
        return bool(self._do("compare_and_set", old, data(value, "the value")))


class Map(_Value):
    """Named fields, each of them like a `Register`. `m[field] = value` writes a field, whose name has at most 8 KiB and whose
    value 1 MiB (`Invalid` when one is larger); `del m[field]` removes it, and nothing happens when there is none."""

    _family = _crdt.LwwMap

    def get(self, field: str) -> bytes | None:
        """The value of a field, None if there is none."""
        value: bytes | None = self._do("get", text(field, "a field"))
        return value

    def get_text(self, field: str) -> str | None:
        """The value of a field read as UTF-8."""
        return _decode(self.get(field))

    def __getitem__(self, field: str) -> bytes:
        value = self.get(field)
        if value is None:
            raise KeyError(field)
        return value

    def __setitem__(self, field: str, value: Data) -> None:
        self._do("set", text(field, "a field"), data(value, "the value"))

    def __delitem__(self, field: str) -> None:
        self._do("remove", text(field, "a field"))

    def __contains__(self, field: str) -> bool:
        return bool(self._do("contains", text(field, "a field")))

    def __len__(self) -> int:
        return int(self._do("size"))

    def __iter__(self) -> Iterator[str]:
        return (field for field, _ in self.items())

    def items(self) -> Iterator[tuple[str, bytes]]:
        """All fields and their values, in byte order of the fields. Fetched as one goes: what changes behind the field reached
        is not seen, what changes after it is."""
        return pages(lambda after: self._do("entries", after, PAGE), "entries")

    def clear(self) -> None:
        """Removes every field seen here; what others write at the same time stays. `Invalid` when they are more than fit
        one batch (10,000): remove them one by one then, in several turns."""
        self._do("clear")


class Set(_Value):
    """A set of byte strings in which a concurrent addition wins over a removal."""

    _family = _crdt.OrSet

    def add(self, element: Data) -> None:
        """Adds an element of at most 1 MiB. `Invalid` when it is larger."""
        self._do("add", data(element, "an element"))

    def discard(self, element: Data) -> None:
        """Removes an element, as far as its additions are seen here; nothing happens when there is none."""
        self._do("remove", data(element, "an element"))

    def __contains__(self, element: Data) -> bool:
        return bool(self._do("contains", data(element, "an element")))

    def __len__(self) -> int:
        return int(self._do("size"))

    def __iter__(self) -> Iterator[bytes]:
        return pages(lambda after: self._do("elements", after, PAGE), "elements")

    def texts(self) -> Iterator[str]:
        """All elements in byte order, read as UTF-8."""
        return (element.decode(errors="replace") for element in self)

    def clear(self) -> None:
        """Removes every element seen here; what others add at the same time stays. `Invalid` when they are more than fit
        one batch (10,000): remove them one by one then, in several turns."""
        self._do("clear")


class List(_Value):
    """An ordered list. Elements have ids that never change, and are inserted behind one another. Of what several nodes
    insert at one place at the same time, each one's run stays whole."""

    _family = _crdt.Rga

    def append(self, value: Data) -> str:
        """Inserts a value of at most 1 MiB at the end and gives the new element's id. `Invalid` when the value is larger."""
        return str(self._do("push", data(value, "the value")))

    def insert(self, value: Data, after: str | None = None) -> str:
        """Inserts a value of at most 1 MiB right behind the element `after`, or at the head, and gives the new element's id.
        `NotFound` when `after` is no element any more, `Invalid` when it is no id or the value is larger."""
        place = None if after is None else text(after, "an id")
        return str(self._do("insert", place, data(value, "the value")))

    def get(self, id: str) -> bytes | None:
        """An element's value; None when it is removed or never was. `Invalid` when `id` is no id."""
        value: bytes | None = self._do("get", text(id, "an id"))
        return value

    def get_text(self, id: str) -> str | None:
        """The value of an element read as UTF-8."""
        return _decode(self.get(id))

    def remove(self, id: str) -> None:
        """Removes an element. `NotFound` when it is none any more, `Invalid` when `id` is no id."""
        self._do("remove", text(id, "an id"))

    def __len__(self) -> int:
        return int(self._do("size"))

    def __iter__(self) -> Iterator[bytes]:
        return (value for _, value in self.items())

    def items(self) -> Iterator[tuple[str, bytes]]:
        """All elements in order: their ids and their values. Fetched as one goes: what changes behind the element reached is
        not seen, what changes after it is."""
        return pages(lambda after: self._do("entries", after, PAGE), "entries")

    def texts(self) -> Iterator[str]:
        """All values in order, read as UTF-8."""
        return (value.decode(errors="replace") for value in self)

    def clear(self) -> None:
        """Removes every element seen here; what others insert at the same time stays. `Invalid` when they are more than fit
        one batch (10,000): remove them one by one then, in several turns."""
        self._do("clear")


class Text(_Value):
    """A text that several hands edit at once, compatible with Yjs: its root type is `doc.getText("text")`, plain text
    without formatting. Indexes and sizes count UTF-16 code units, as Yjs and browsers do, and not as Python does:
    characters beyond U+FFFF, such as emoji, are two (`units` tells).

    From its first edit on a turn holds the text: other turns that edit it wait until this one ends, and fail with
    `Unavailable` after 10 s or when two wait for each other.

    The edits of one text in a turn take at most 1 MiB together, each up to 48 bytes more than what it inserts in UTF-8, and a
    text at most 2 MiB as it is stored, with what tells of removed units; an edit that would pass that is `Invalid`, and
    removing makes room."""

    _family = _crdt.Text

    @staticmethod
    def units(chunk: str) -> int:
        """How many UTF-16 code units a text has."""
        return len(chunk) + sum(1 for c in chunk if c > "\uffff")

    def insert(self, index: int, chunk: str) -> None:
        """Inserts `chunk` before the unit at `index`. `Invalid` beyond the end, within a surrogate pair, or when the text or
        the turn's edits of it become too large."""
        self._do("insert", u32(index, "the index"), text(chunk, "a chunk"))

    def remove(self, index: int, length: int) -> None:
        """Removes `length` units from `index` on. `Invalid` as with `insert`."""
        self._do("remove", u32(index, "the index"), u32(length, "the length"))

    def read(self) -> str:
        """The whole text."""
        return str(self._do("read"))

    def __str__(self) -> str:
        return self.read()

    def __len__(self) -> int:
        return int(self._do("size"))

    def clear(self) -> None:
        """Removes all text seen here; what others insert at the same time stays. `Invalid` when that is too much for one
        batch."""
        self._do("clear")

    def state_vector(self) -> bytes:
        """The Yjs state vector: what an editor that is a replica itself sends to ask for the rest."""
        return bytes(self._do("state_vector"))

    def diff(self, since: Data | None = None) -> bytes:
        """What a replica with the state vector `since` lacks (None: everything), as a Yjs update. `Invalid` when `since` is
        no state vector."""
        return bytes(self._do("diff", None if since is None else data(since, "the state vector")))

    def apply_update(self, update: Data) -> None:
        """Merges a Yjs update of at most 1 MiB. `Invalid` when it is none, holds something other than plain text, builds on
        edits that are not here, or when the text or the turn's edits of it become too large."""
        self._do("apply_update", data(update, "the update"))


def keys(kind: Kind, prefix: str = "") -> Iterator[str]:
    """The keys of one family that begin with `prefix` and that this module may read, in byte order. Keys that are not UTF-8
    are left out. `Denied` when it may read nothing below `prefix`."""
    host_kind, prefix = to_host(kind), text(prefix, "a prefix")
    return pages(lambda after: call(_crdt.keys, host_kind, prefix, after, PAGE), "keys")


def _decode(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
