"""Does what it is told, in one turn: see the README beside this folder."""

import json
from collections.abc import Callable
from typing import Any

from numax import Counter, List, Map, NumaxError, PnCounter, Register, Request, Response, Set, Text, keys


def http(request: Request) -> Response:
    if request.method != "POST":
        return Response("python\n")
    return Response.json([answer(*call) for call in json.loads(request.body)])


def answer(family: str, *rest: Any) -> Any:
    functions: Callable[..., dict[str, Callable[[], Any]]] | None = FAMILIES.get(family)
    if functions is None:
        return "unknown"
    key, function, *arguments = map(broken, [*rest, None, None, None, None][:4])
    try:
        call = functions(key, *arguments).get(function)
        return "unknown" if call is None else call()
    except NumaxError as error:
        return {"error": error.code, "why": error.detail}


def broken(argument: Any) -> Any:
    """An argument in which what stands for no text is half of a surrogate pair."""
    return argument.replace("\ue000", "\ud800") if isinstance(argument, str) else argument


def ok(_: None) -> str:
    """The answer of what has no other."""
    return "ok"


def pairs(items: Any) -> list[list[str]]:
    return [[name, value.decode()] for name, value in items]


def g_counter(key: str, by: Any, _: Any) -> dict[str, Callable[[], Any]]:
    c = Counter(key)
    return {"increment": lambda: ok(c.increment(by)), "value": lambda: str(c.value)}


def pn_counter(key: str, by: Any, _: Any) -> dict[str, Callable[[], Any]]:
    c = PnCounter(key)
    return {
        "increment": lambda: ok(c.increment(by)),
        "decrement": lambda: ok(c.decrement(by)),
        "value": lambda: str(c.value),
    }


def register(key: str, a: Any, b: Any) -> dict[str, Callable[[], Any]]:
    r = Register(key)
    return {
        "set": lambda: ok(r.set(a)),
        "get": r.get_text,
        "clear": lambda: ok(r.clear()),
        "compare-and-set": lambda: r.compare_and_set(a, b),
    }


def lww_map(key: str, a: Any, b: Any) -> dict[str, Callable[[], Any]]:
    m = Map(key)
    return {
        "set": lambda: ok(m.__setitem__(a, b)),
        "get": lambda: m.get_text(a),
        "contains": lambda: a in m,
        "remove": lambda: ok(m.__delitem__(a)),
        "entries": lambda: pairs(m.items()),
        "size": lambda: len(m),
        "clear": lambda: ok(m.clear()),
    }


def or_set(key: str, a: Any, _: Any) -> dict[str, Callable[[], Any]]:
    s = Set(key)
    return {
        "add": lambda: ok(s.add(a)),
        "remove": lambda: ok(s.discard(a)),
        "contains": lambda: a in s,
        "elements": lambda: list(s.texts()),
        "size": lambda: len(s),
        "clear": lambda: ok(s.clear()),
    }


def rga(key: str, a: Any, b: Any) -> dict[str, Callable[[], Any]]:
    l = List(key)
    return {
        "insert": lambda: l.insert(b, a),
        "push": lambda: l.append(a),
        "get": lambda: l.get_text(a),
        "remove": lambda: ok(l.remove(a)),
        "entries": lambda: pairs(l.items()),
        "size": lambda: len(l),
        "clear": lambda: ok(l.clear()),
    }


def text(key: str, a: Any, b: Any) -> dict[str, Callable[[], Any]]:
    t = Text(key)
    return {
        "insert": lambda: ok(t.insert(a, b)),
        "remove": lambda: ok(t.remove(a, b)),
        "read": t.read,
        "size": lambda: len(t),
        "clear": lambda: ok(t.clear()),
        "state-vector": lambda: t.state_vector().hex(),
        "diff": lambda: t.diff(bytes.fromhex(a) if a else None).hex(),
        "apply-update": lambda: ok(t.apply_update(bytes.fromhex(a))),
        "units": lambda: Text.units(a),
    }


def trap(*_: Any) -> dict[str, Callable[[], Any]]:
    raise RuntimeError("as told")


FAMILIES = {
    "g-counter": g_counter,
    "pn-counter": pn_counter,
    "lww-register": register,
    "lww-map": lww_map,
    "or-set": or_set,
    "rga": rga,
    "text": text,
    "keys": lambda prefix, *_: {kind: lambda kind=kind: list(keys(kind, prefix)) for kind in FAMILIES},
    "trap": trap,
}
