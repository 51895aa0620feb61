"""The export `wasi:http/incoming-handler`, made of the function `http`."""

from __future__ import annotations

from typing import Any

from numax import _handlers
from numax.http import serve


class IncomingHandler:
    """Calls `http` for each request."""

    def handle(self, request: Any, response_out: Any) -> None:
        """Answers one request."""
        serve(_handlers.module.http, request, response_out)
