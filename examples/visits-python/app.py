"""Counts visits, in a counter and a set that every node of the cluster shares."""

import re

from numax import Counter, Request, Response, Set

visits = Counter("demo:visits")
languages = Set("demo:languages")


def http(request: Request) -> Response:
    match request.method, request.path.split("/")[1:]:
        case "GET" | "HEAD", [""]:
            pass
        case "POST", ["visits"]:
            by = number(request.param("by", "1"))
            if by is None:
                return Response("by is not a number from 0 to 2^64-1\n", 400)
            visits.increment(by)
            languages.add("python")
        case "PUT", ["languages", name] if name:
            languages.add(Request.decode(name))
        case "DELETE", ["languages", name] if name:
            languages.discard(Request.decode(name))
        case _:
            return Response("no such thing here\n", 404)
    return Response.json({"visits": visits.value, "languages": list(languages.texts())})


def number(text: str) -> int | None:
    """A number that the counter takes."""
    n = int(text) if re.fullmatch(r"\+?0*[0-9]{1,20}", text) else -1
    return n if 0 <= n < 2**64 else None
