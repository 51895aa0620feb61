"""A host in memory, in place of the bindings that a build generates. Import this before `numax`."""

from __future__ import annotations

import enum
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


@dataclass
class Ok:
    value: Any


@dataclass(frozen=True)
class Err(Exception):
    value: Any


class Error_Denied:
    def __init__(self, value: str) -> None:
        self.value = value


class Error_NotFound:
    pass


class StreamError_Closed:
    pass


class StreamError_LastOperationFailed:
    pass


class HeaderError_Forbidden:
    pass


class Counted:
    """Something that must be let go of; `log` has what was, in order."""

    log: list[str] = []
    name = "?"

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        Counted.log.append(self.name)


class Handles:
    open = 0
    opened = 0


VALUES: dict[tuple[str, str], Any] = {}


def page(entries: list[Any], after: Any, limit: int, items: str, cursor: Any = lambda e: e) -> Any:
    rest = [e for e in entries if after is None or cursor(e) > after]
    part = rest[:limit]
    return types.SimpleNamespace(**{items: part}, next=cursor(part[-1]) if len(rest) > limit else None)


class Resource:
    empty: Any = dict

    def __init__(self, key: str) -> None:
        self.slot = (type(self).__name__, key)
        VALUES.setdefault(self.slot, self.empty())

    @classmethod
    def open(cls, key: str) -> Any:
        if key.startswith("deny:"):
            raise Err(Error_Denied('crdt.gcounter = ["deny:*"]'))
        Handles.open += 1
        Handles.opened += 1
        return cls(key)

    def __exit__(self, *_: object) -> None:
        Handles.open -= 1

    @property
    def state(self) -> Any:
        return VALUES[self.slot]

    def clear(self) -> None:
        self.state.clear()

    def size(self) -> int:
        return len(self.state)


class GCounter(Resource):
    empty = int

    def increment(self, by: int) -> None:
        VALUES[self.slot] += by

    def value(self) -> int:
        return VALUES[self.slot]


class PnCounter(GCounter):
    def decrement(self, by: int) -> None:
        VALUES[self.slot] -= by


class LwwRegister(Resource):
    def get(self) -> Any:
        return self.state.get("v")

    def set(self, value: bytes) -> None:
        self.state["v"] = value

    def compare_and_set(self, expected: Any, value: bytes) -> bool:
        if self.get() != expected:
            return False
        self.set(value)
        return True


class LwwMap(Resource):
    def get(self, field: str) -> Any:
        return self.state.get(field)

    def set(self, field: str, value: bytes) -> None:
        self.state[field] = value

    def contains(self, field: str) -> bool:
        return field in self.state

    def remove(self, field: str) -> None:
        self.state.pop(field, None)

    def entries(self, after: Any, limit: int) -> Any:
        return page(sorted(self.state.items()), after, limit, "entries", lambda e: e[0])


class OrSet(Resource):
    empty = set

    def add(self, element: bytes) -> None:
        self.state.add(element)

    def remove(self, element: bytes) -> None:
        self.state.discard(element)

    def contains(self, element: bytes) -> bool:
        return element in self.state

    def elements(self, after: Any, limit: int) -> Any:
        return page(sorted(self.state), after, limit, "elements")


class Rga(Resource):
    empty = list
    made = 0

    def index(self, id: str) -> int:
        for at, (other, _) in enumerate(self.state):
            if other == id:
                return at
        raise Err(Error_NotFound())

    def insert(self, after: Any, value: bytes) -> str:
        at = 0 if after is None else self.index(after) + 1
        Rga.made += 1
        self.state.insert(at, (f"{Rga.made:04}", value))
        return f"{Rga.made:04}"

    def push(self, value: bytes) -> str:
        return self.insert(self.state[-1][0] if self.state else None, value)

    def get(self, id: str) -> Any:
        return dict(self.state).get(id)

    def remove(self, id: str) -> None:
        del self.state[self.index(id)]

    def entries(self, after: Any, limit: int) -> Any:
        at = 0 if after is None else self.index(after) + 1
        return page(self.state[at:], None, limit, "entries", lambda e: e[0])


class Text(Resource):
    """Updates are whole texts here: what is tested is the way to the host."""

    empty = list

    def insert(self, index: int, chunk: str) -> None:
        if index > len(self.state):
            raise Err(Error_NotFound())
        self.state[index:index] = list(chunk)

    def remove(self, index: int, length: int) -> None:
        del self.state[index:index + length]

    def read(self) -> str:
        return "".join(self.state)

    def state_vector(self) -> bytes:
        return bytes([len(self.state)])

    def diff(self, since: Any) -> bytes:
        return "".join(self.state[since[0] if since else 0:]).encode()

    def apply_update(self, update: bytes) -> None:
        self.state.extend(update.decode())


CrdtKind = enum.Enum("CrdtKind", "G_COUNTER PN_COUNTER LWW_REGISTER LWW_MAP OR_SET RGA TEXT")
OpKind = enum.Enum("OpKind", "INCREMENT DECREMENT SET REMOVE ADD INSERT EDIT CLEAR")
Scope = enum.Enum("Scope", "EVERY_NODE ONCE_PER_CLUSTER")
PeerState = enum.Enum("PeerState", "ALIVE SUSPECT DEAD")

STORE: dict[str, bytes] = {}
CALLS: list[tuple[Any, ...]] = []


def delete_prefix(prefix: str) -> int:
    found = [k for k in STORE if k.startswith(prefix)]
    for k in found:
        del STORE[k]
    return len(found)


class Fields:
    @staticmethod
    def from_list(entries: list[tuple[str, bytes]]) -> Any:
        if any(name == "connection" for name, _ in entries):
            raise Err(HeaderError_Forbidden())
        return entries


class Sent:
    """What was sent to the client."""

    status: int | None = None
    headers: list[tuple[str, bytes]] = []
    body = b""
    finished = False
    blocked = 0
    gone = False


class Stream(Counted):
    name = "stream"
    room = 0

    def check_write(self) -> int:
        return self.room

    def subscribe(self) -> Any:
        return self

    def block(self) -> None:
        Sent.blocked += 1
        self.room = 10

    def write(self, part: bytes) -> None:
        if Sent.gone:
            raise Err(StreamError_Closed())
        if len(part) > self.room:
            raise AssertionError("wrote more than there was room for")
        self.room -= len(part)
        Sent.body += part


class OutgoingBody(Counted):
    name = "body"

    def write(self) -> Stream:
        return Stream()

    @staticmethod
    def finish(_body: Any, _trailers: None) -> None:
        Sent.finished = True


class OutgoingResponse:
    def __init__(self, fields: Any) -> None:
        self.fields = fields

    def set_status_code(self, status: int) -> None:
        self.status = status

    def body(self) -> OutgoingBody:
        return OutgoingBody()


class ResponseOutparam:
    @staticmethod
    def set(_out: Any, ok: Ok) -> None:
        Sent.status, Sent.headers = ok.value.status, ok.value.fields


class IncomingBody(Counted):
    name = "incoming-body"

    @staticmethod
    def finish(body: Counted) -> Counted:
        return body


class Method_Get:
    pass


class Method_Post:
    pass


class Method_Other:
    value = "PURGE"


class Request(Counted):
    """A request as the host hands it in; `chunks` are the pieces of its body, an exception breaks it off."""

    name = "request"

    def __init__(self, method: Any, target: str, headers: list[tuple[str, bytes]], chunks: list[Any]) -> None:
        self._method, self._target, self._headers, self._chunks = method, target, headers, chunks
        Sent.status, Sent.headers, Sent.body, Sent.finished, Sent.blocked, Sent.gone = None, [], b"", False, 0, False
        Counted.log = []

    def method(self) -> Any:
        return self._method

    def path_with_query(self) -> str:
        return self._target

    def headers(self) -> Any:
        fields = Counted()
        fields.name = "fields"
        fields.entries = lambda: self._headers  # type: ignore[attr-defined]
        return fields

    def consume(self) -> Any:
        chunks = self._chunks

        class In(Counted):
            name = "incoming-stream"

            def blocking_read(self, _limit: int) -> bytes:
                if not chunks:
                    raise Err(StreamError_Closed())
                if isinstance(chunks[0], Exception):
                    raise chunks[0]
                return chunks.pop(0)

        body = IncomingBody()
        body.stream = In  # type: ignore[attr-defined]
        return body


def _module(name: str, **names: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(names)
    module.__spec__ = types.SimpleNamespace(name=name)  # type: ignore[assignment]  # find_spec looks for it
    sys.modules[name] = module
    return module


_module("componentize_py_types", Ok=Ok, Err=Err)
_module("wit_world")
_imports = {
    "common": {"CrdtKind": CrdtKind, "OpKind": OpKind},
    "crdt": {
        "GCounter": GCounter, "PnCounter": PnCounter, "LwwRegister": LwwRegister, "LwwMap": LwwMap, "OrSet": OrSet, "Rga": Rga, "Text": Text,
        "keys": lambda kind, prefix, after, limit: page([f"{prefix}{i:04}" for i in range(1200)], after, limit, "keys"),
    },
    "kv": {
        "get": STORE.get, "set": STORE.__setitem__, "delete": lambda k: STORE.pop(k, None), "exists": STORE.__contains__,
        "delete_prefix": delete_prefix,
        "scan": lambda p, after, limit: page(
            sorted(e for e in STORE.items() if e[0].startswith(p)), after, limit, "entries", lambda e: e[0]
        ),
    },
    "events": {
        "Scope": Scope, "every": lambda *a: CALLS.append(a), "cron": lambda *a: CALLS.append(a),
        "watch": lambda *a: CALLS.append(a),
    },
    "cluster": {
        "self_id": lambda: "ab" * 32,
        "peers": lambda: [types.SimpleNamespace(id="cd", name="n", address="a", state=PeerState.ALIVE, rtt_micros=7)],
    },
    "module_info": {"id": lambda: "visits", "grants": lambda: ["random = true"]},
    "http_types": {
        "Fields": Fields, "IncomingBody": IncomingBody, "OutgoingBody": OutgoingBody,
        "OutgoingResponse": OutgoingResponse, "ResponseOutparam": ResponseOutparam,
    },
}
_package = _module("wit_world.imports", __path__=[])
for _name, _names in _imports.items():
    setattr(_package, _name, _module(f"wit_world.imports.{_name}", **_names))
