import contextlib
import io
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

from . import fake_host
from .fake_host import Counted, Sent
from numax import Denied, Invalid, NotFound, NumaxError, Quota, Request, Response, Unavailable, _handlers
from numax._incoming import IncomingHandler
from numax.http import serve


def answer(handler: Callable[[Request], Any], method: Any = fake_host.Method_Get(), target: str = "/",
           headers: list[tuple[str, bytes]] = [], chunks: list[Any] = []) -> str:
    """Answers one request; returns what was said on standard error."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        serve(handler, fake_host.Request(method, target, headers, list(chunks)), object())
    return said.getvalue()


class Requests(unittest.TestCase):
    def test_a_request_arrives_whole(self) -> None:
        def handler(r: Request) -> str:
            return f"{r.method} {r.path} {r.query} {r.param('q')} {r.param('none', 'd')} {r.header('X-A')} {r.text()}"

        answer(handler, fake_host.Method_Post(), "/p?q=a+b%20c", [("x-a", b"\xe9")], [b"hel", b"lo"])
        self.assertEqual(Sent.body.decode(), "POST /p q=a+b%20c a b c d é hello")
        self.assertEqual((Sent.status, Sent.finished), (200, True))
        self.assertGreater(Sent.blocked, 1)
        # Children before parents, or the host refuses.
        self.assertLess(Counted.log.index("incoming-stream"), Counted.log.index("incoming-body"))
        self.assertEqual(Counted.log[-1], "request")

    def test_a_body_can_be_read_in_parts_and_need_not_be_read(self) -> None:
        answer(lambda r: next(r.chunks()), chunks=[b"one", b"two"])
        self.assertEqual(Sent.body, b"one")
        self.assertIn("incoming-body", Counted.log)
        answer(lambda r: "unread", chunks=[b"one"])
        self.assertEqual(Counted.log[-1], "request")

    def test_a_body_that_breaks_off_is_an_error(self) -> None:
        broken = fake_host.Err(fake_host.StreamError_LastOperationFailed())
        said = answer(lambda r: r.body, chunks=[b"one", broken])
        self.assertEqual(Sent.status, 500)
        self.assertIn("could not be read to its end", said)

    def test_escapes(self) -> None:
        self.assertEqual(Request.decode("%C3%A9%zz+%ff"), "é%zz+\ufffd")

    def test_a_method_of_its_own(self) -> None:
        answer(lambda r: r.method, fake_host.Method_Other())
        self.assertEqual(Sent.body, b"PURGE")


class Responses(unittest.TestCase):
    def test_json_has_no_spaces_and_is_utf_8(self) -> None:
        answer(lambda r: Response.json({"visits": 1, "languages": ["é"]}))
        self.assertEqual(Sent.body.decode(), '{"visits":1,"languages":["é"]}')
        self.assertEqual(Sent.headers, [("content-type", b"application/json")])

    def test_text_says_that_it_is_text(self) -> None:
        answer(lambda r: "x")
        self.assertEqual(Sent.headers, [("content-type", b"text/plain; charset=utf-8")])
        answer(lambda r: Response("x", headers={"Content-Type": "text/html"}))
        self.assertEqual(Sent.headers, [("content-type", b"text/html")])

    def test_answers_stream(self) -> None:
        answer(lambda r: Response(part for part in (b"a", "b", b"", b"c")))
        self.assertEqual(Sent.body, b"abc")

    def test_an_exception_is_a_500_that_tells_the_client_nothing(self) -> None:
        def fails(_: Request) -> str:
            raise RuntimeError("secret")

        def leaves(_: Request) -> str:
            raise SystemExit(1)

        self.assertIn("secret", answer(fails))
        self.assertEqual((Sent.status, Sent.body), (500, b"internal error\n"))
        answer(leaves)
        self.assertEqual(Sent.status, 500)

    def test_a_refused_call_is_answered_with_the_status_that_fits(self) -> None:
        wanted = {Invalid: 400, Denied: 403, NotFound: 404, Quota: 429, Unavailable: 503}
        for error, status in wanted.items():
            def refuse(_: Request, error: type[NumaxError] = error) -> str:
                raise error("the line")

            said = answer(refuse)
            # The policy's line is for the operator.
            denied = error is Denied
            text = "denied\n" if denied else f"{error.code}: the line\n"
            self.assertEqual((Sent.status, Sent.body.decode()), (status, text))
            self.assertEqual("the line" in said, denied)

    def test_something_else_than_a_response_is_a_500(self) -> None:
        for wrong in (None, 5, {}):
            said = answer(lambda r, wrong=wrong: wrong)  # type: ignore[misc]
            self.assertEqual(Sent.status, 500)
            self.assertIn("must return a Response", said)

    def test_a_header_that_only_the_host_may_set_is_named(self) -> None:
        said = answer(lambda r: Response("x", headers={"Connection": "close"}))
        self.assertEqual(Sent.status, 500)
        self.assertIn("(forbidden): connection", said)

    def test_an_answer_that_is_no_unicode_text_is_a_500(self) -> None:
        def refused(_: Request) -> str:
            raise Invalid("\ud800")

        wrong = (lambda r: "x\ud800", lambda r: Response("x", headers={"x-\ud800": "1"}), refused)
        for handler in wrong:
            said = answer(handler)
            self.assertEqual((Sent.status, Sent.body, Sent.finished), (500, b"internal error\n", True))
            self.assertIn("surrogate", said)

    def test_an_answer_that_breaks_off_is_not_finished(self) -> None:
        def body() -> Iterator[bytes]:
            yield b"begun"
            raise RuntimeError("no more")

        said = answer(lambda r: Response(body()))
        self.assertEqual((Sent.status, Sent.body, Sent.finished), (200, b"begun", False))
        self.assertEqual(Counted.log[-3:], ["stream", "body", "request"])
        self.assertIn("no more", said)

    def test_a_client_that_has_gone_away_is_no_fault(self) -> None:
        def handler(_: Request) -> str:
            Sent.gone = True
            return "unread"

        self.assertEqual(answer(handler), "")
        self.assertFalse(Sent.finished)
        self.assertEqual(Counted.log[-3:], ["stream", "body", "request"])

    def test_a_status_out_of_range_is_refused(self) -> None:
        for wrong in (0, 99, 1000, "200"):
            with self.assertRaises(ValueError):
                Response("x", wrong)  # type: ignore[arg-type]


class Handlers(unittest.TestCase):
    def setUp(self) -> None:
        self.seen: list[Any] = []

        def fail() -> None:
            raise OSError("no disk")

        _handlers.module = types.SimpleNamespace(
            init=fail, run=fail, http=lambda r: "hi", on_tick=lambda *a: self.seen.append(a)
        )

    def test_init_fails_with_a_text_and_run_without_one(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            with self.assertRaises(fake_host.Err) as init:
                _handlers.Lifecycle().init()
            with self.assertRaises(fake_host.Err) as run:
                _handlers.Run().run()
        self.assertEqual((init.exception.value, run.exception.value), ("OSError: no disk", None))

    def test_what_init_says_crosses_the_border(self) -> None:
        def fail() -> None:
            raise OSError("no \ud800")

        _handlers.module = types.SimpleNamespace(init=fail)
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(fake_host.Err) as init:
            _handlers.Lifecycle().init()
        self.assertEqual(init.exception.value.encode(), b"OSError: no \\ud800")

    def test_what_is_not_defined_is_not_called(self) -> None:
        _handlers.Lifecycle().shutdown()
        _handlers.module = types.SimpleNamespace()
        _handlers.Lifecycle().init()

    def test_ticks_and_requests(self) -> None:
        _handlers.TickHandler().on_tick("sweep", 5)
        self.assertEqual(self.seen, [("sweep", 5)])
        IncomingHandler().handle(fake_host.Request(fake_host.Method_Get(), "/", [], []), object())
        self.assertEqual(Sent.body, b"hi")


if __name__ == "__main__":
    unittest.main()
