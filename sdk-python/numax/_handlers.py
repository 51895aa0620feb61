"""The exports that the host calls, made of the functions that a module defines. `numax build` writes the entry that uses
these; modules do not."""

from __future__ import annotations

import traceback
from typing import Any

from componentize_py_types import Err

from numax.changes import from_host

module: Any = None
"""The module whose functions are called; the entry sets it."""


class Run:
    """`wasi:cli/run` of `run`: an exception is the exit code 1."""

    def run(self) -> None:
        """Runs the command."""
        try:
            module.run()
        except Exception:
            traceback.print_exc()
            raise Err(None) from None


class Lifecycle:
    """`lifecycle` of `init`, `shutdown` or both."""

    def init(self) -> None:
        """An exception keeps the module from running."""
        if not hasattr(module, "init"):
            return
        try:
            module.init()
        except Exception as error:
            traceback.print_exc()
            # Half of a surrogate pair would end the instance at the border, and hide why.
            said = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode()
            raise Err(said) from None

    def shutdown(self) -> None:
        """Called last."""
        if hasattr(module, "shutdown"):
            module.shutdown()


class TickHandler:
    """`tick-handler` of `on_tick`. An exception ends the turn without a commit."""

    def on_tick(self, name: str, now_ms: int) -> None:
        """A timer is due."""
        module.on_tick(name, now_ms)


class ChangeHandler:
    """`change-handler` of `on_change`. An exception ends the turn without a commit."""

    def on_change(self, changes: list[Any]) -> None:
        """Watched values have changed."""
        module.on_change([from_host(change) for change in changes])
