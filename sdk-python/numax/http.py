"""HTTP requests and responses, and the way between them and wasi:http."""

from __future__ import annotations

import json as _json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, overload
from urllib.parse import parse_qsl, unquote

from componentize_py_types import Err, Ok
from wit_world.imports import http_types as _types

from numax._check import text
from numax.errors import Denied, NumaxError

_READ = 65536
"""Bytes of a body read at a time."""

_STATUS = {"invalid": 400, "not-found": 404, "quota": 429, "unavailable": 503}
"""The status of an answer that a refused call prevented, when the module does not catch it itself."""

Body: TypeAlias = bytes | str | Iterable[bytes | str]
"""The body of a response; an iterable is sent part by part."""


class Request:
    """An HTTP request."""

    def __init__(self, method: str, target: str, headers: list[tuple[str, str]], chunks: Iterator[bytes]) -> None:
        self.method = method
        """"GET", "POST", …"""
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        """All headers, as they came."""
        self._chunks = chunks
        self._body: bytes | None = None

    def header(self, name: str) -> str | None:
        """The first header of this name, whatever its case."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), None)

    @overload
    def param(self, name: str) -> str | None: ...
    @overload
    def param(self, name: str, default: str) -> str: ...
    def param(self, name: str, default: str | None = None) -> str | None:
        """The first parameter of this name in the query, decoded; `default` if there is none."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        return next((value for key, value in pairs if key == name), default)

    @staticmethod
    def decode(text: str) -> str:
        """Undoes percent-encoding. What is no valid escape stays as it is; bytes that are not UTF-8 become `U+FFFD`."""
        return unquote(text)

    @property
    def body(self) -> bytes:
        """The whole body."""
        if self._body is None:
            self._body = b"".join(self._chunks)
        return self._body

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives; afterwards `body` has what was not taken."""
        return iter((self._body,)) if self._body is not None else self._chunks

    def text(self) -> str:
        """The body read as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body read as JSON."""
        return _json.loads(self.body)


class Response:
    """An HTTP response. A body that is a `str` is sent as UTF-8 and is plain text unless `headers` say otherwise."""

    def __init__(self, body: Body = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        if not isinstance(status, int) or not 100 <= status <= 999:
            raise ValueError(f"the status is {status!r}; it must be between 100 and 999")
        self.body = body
        self.status = status
        self.headers = dict(headers or {})
        if isinstance(body, str) and not any(name.lower() == "content-type" for name in self.headers):
            self.headers["content-type"] = "text/plain; charset=utf-8"

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Response:
        """`value` as JSON without needless spaces."""
        text = _json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return cls(text.encode(), status, {"content-type": "application/json"})


def parts(body: Body) -> Iterator[bytes]:
    """The pieces of a body."""
    if isinstance(body, (bytes, str)):
        body = (body,)
    for part in body:
        if isinstance(part, str):
            part = part.encode()
        elif not isinstance(part, bytes):
            raise TypeError(f"a body must be bytes, str or an iterable of them; it has a {type(part).__name__}")
        if part:
            yield part


def respond(handler: Callable[[Request], Any], request: Request) -> Response:
    """Calls the handler; an exception becomes an answer: a refused call the status that fits, anything else a 500 that tells
    the client nothing."""
    try:
        answer = handler(request)
        if isinstance(answer, (str, bytes)):
            answer = Response(answer)
        if not isinstance(answer, Response):
            raise TypeError(f"http must return a Response, str or bytes, not {type(answer).__name__}")
        return answer
    except Denied:
        traceback.print_exc()
        return Response("denied\n", 403)
    except NumaxError as error:
        # What the host says about the client's own request.
        return Response(f"{error}\n", _STATUS.get(error.code, 500))
    except (Exception, SystemExit):
        traceback.print_exc()
        return _internal_error()


def serve(handler: Callable[[Request], Any], incoming: Any, out: Any) -> None:
    """Answers one request of the host."""
    chunks = _read(incoming)
    try:
        response = respond(handler, _to_request(incoming, chunks))
        try:
            if isinstance(response.body, str):
                response.body = response.body.encode()  # here, as what has no UTF-8 can still be answered with 500
            outgoing = _to_outgoing(response)
        except Exception:
            traceback.print_exc()
            response = _internal_error()
            outgoing = _to_outgoing(response)
        body = outgoing.body()
        _types.ResponseOutparam.set(out, Ok(outgoing))  # the head goes out before the body: answers can stream
        try:
            with body.write() as stream:
                for part in parts(response.body):
                    _write(stream, part)
            _types.OutgoingBody.finish(body, None)
        except Exception as error:
            # A client that has gone away, or asked for the head alone, is no fault of the module.
            if not _closed(error):
                traceback.print_exc()
            body.__exit__(None, None, None)  # unfinished: the client sees it too
    finally:
        chunks.close()
        incoming.__exit__(None, None, None)


def _closed(error: Exception) -> bool:
    """Whether the other side of a stream has closed it."""
    return isinstance(error, Err) and type(error.value).__name__ == "StreamError_Closed"


def _internal_error() -> Response:
    return Response("internal error\n", 500)


def _to_request(incoming: Any, chunks: Iterator[bytes]) -> Request:
    method = incoming.method()
    name = type(method).__name__.removeprefix("Method_").upper()
    with incoming.headers() as fields:
        headers = [(key, value.decode("latin-1")) for key, value in fields.entries()]
    return Request(method.value if name == "OTHER" else name, incoming.path_with_query() or "/", headers, chunks)


def _to_outgoing(response: Response) -> Any:
    head = [(text(name, "the name of a header").lower(), str(value).encode("latin-1")) for name, value in response.headers.items()]
    try:
        fields = _types.Fields.from_list(head)
    except Err as error:
        names = ", ".join(name for name, _ in head)
        why = type(error.value).__name__.removeprefix("HeaderError_").lower()
        raise ValueError(f"a header of the response may not be set by a module ({why}): {names}") from None
    outgoing = _types.OutgoingResponse(fields)
    outgoing.set_status_code(response.status)
    return outgoing


def _read(incoming: Any) -> Any:
    """The chunks of a request's body. Consumed when the first is asked for; let go of in the order that the host wants,
    children first."""
    body = incoming.consume()
    stream = body.stream()
    try:
        while True:
            try:
                chunk = stream.blocking_read(_READ)
            except Err as error:
                if _closed(error):
                    return
                raise OSError("the body of the request could not be read to its end") from None
            if chunk:
                yield chunk
    finally:
        stream.__exit__(None, None, None)
        _types.IncomingBody.finish(body).__exit__(None, None, None)


def _write(stream: Any, part: bytes) -> None:
    """Writes all of `part` and waits only when the host's buffer is full: waiting ends a turn."""
    at = 0
    while at < len(part):
        room = stream.check_write()
        if room == 0:
            with stream.subscribe() as ready:
                ready.block()
            continue
        stream.write(part[at : at + room])
        at += room
