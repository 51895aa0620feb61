"""What `numax build` runs before componentize-py: reads a module without running it, and prepares a folder to build from.

    build.py PROJECT ENTRY SDK OUT REPORT

copies the project and the SDK (a folder that holds the package `numax`) into OUT, writes the entry module there, and into
REPORT, as JSON, the worlds of numax:runtime that the module needs and the warnings for its author. Messages for people go
to standard error; the exit status is 1 when they say what is wrong. Needs Python 3.10 and no packages.
"""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

HANDLERS = {
    "http": ("with-http", "_incoming", "IncomingHandler"),
    "run": ("with-run", "_handlers", "Run"),
    "init": ("with-lifecycle", "_handlers", "Lifecycle"),
    "shutdown": ("with-lifecycle", "_handlers", "Lifecycle"),
    "on_tick": ("with-tick", "_handlers", "TickHandler"),
    "on_change": ("with-change", "_handlers", "ChangeHandler"),
}
"""The functions that are handlers: world, module of the SDK and class."""

OFFERED = {
    "crdt": ("use-crdt", ["Counter", "Kind", "List", "Map", "PnCounter", "Register", "Set", "Text", "keys"]),
    "kv": ("use-kv", ["kv"]),
    "events": ("use-events", ["cron", "every", "watch"]),
    "cluster": ("use-cluster", ["Peer", "peers", "self_id"]),
    "module": ("use-module-info", ["grants", "module_id"]),
}
"""The modules of the SDK that need an interface: its world, and their names in `numax`."""

WORLD_OF = {name: world for world, names in OFFERED.values() for name in names}
ALL = {world for world, _ in OFFERED.values()}

FROZEN = {
    "random": "draws its numbers while the module is built: every instance gets the same",
    "secrets": "draws its numbers while the module is built: every instance gets the same",
    "uuid": "draws its numbers while the module is built: every instance gets the same",
    "time": "reads the clock of the build",
    "datetime": "reads the clock of the build",
    "os.environ": "reads the environment of the build, which is empty",
    "os.getenv": "reads the environment of the build, which is empty",
}
"""What top-level code should not use, and why."""

HARMLESS = {"datetime.timedelta", "datetime.timezone", "datetime.date", "datetime.time", "datetime.datetime", "uuid.UUID",
    "random.Random", "datetime.datetime.fromisoformat", "datetime.datetime.strptime", "time.sleep"}
"""What is of those modules and does not ask the system."""

MISSING = {"ssl", "ctypes", "lzma", "bz2"}
"""Parts of the standard library that do not exist for WebAssembly."""

IGNORED = ["target", "dist", "node_modules", "__pycache__", "venv", ".*", "*.pyc", "*.egg-info", "policy.toml", "*.policy.toml"]


class Wrong(Exception):
    """Something that the module's author must repair."""


class Source:
    """One file of the module."""

    def __init__(self, path: Path, shown: str) -> None:
        self.shown = shown
        try:
            self.tree = ast.parse(path.read_text(encoding="utf-8"), shown)
        except SyntaxError as error:
            raise Wrong(f"{shown}:{error.lineno}:{error.offset}: {error.msg}\n    {(error.text or '').strip()}") from None
        self.names = dict(self._imports())

    def _imports(self) -> Iterator[tuple[str, str]]:
        """Every imported name and what it stands for: `from random import randint as r` is r → random.randint."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    local = alias.asname or alias.name.partition(".")[0]
                    yield local, alias.name if alias.asname else local
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    yield alias.asname or alias.name, f"{node.module}.{alias.name}"

    def modules(self) -> Iterator[str]:
        """Every module that is imported, wherever; `from a import b` may be the module a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def dotted(self, node: ast.expr) -> str | None:
        """What a dotted name stands for, imports resolved: `r` → random.randint."""
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return base and f"{base}.{node.attr}"
        return self.names.get(node.id) if isinstance(node, ast.Name) else None

    def at(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.shown}:{node.lineno}"

    def worlds(self) -> set[str]:
        """The interfaces that it needs by what it uses of `numax`; all of them if that cannot be told."""
        needed: set[str] = set()
        for name in self.modules():
            first, _, rest = name.partition(".")
            if first == "numax" and rest:
                if rest == "*":
                    needed |= ALL
                elif rest in OFFERED:
                    needed.add(OFFERED[rest][0])
                elif rest in WORLD_OF:
                    needed.add(WORLD_OF[rest])
        packages = {local for local, name in self.names.items() if name == "numax"}
        attributes = 0
        uses = 0
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                uses += node.id in packages
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in packages:
                attributes += 1
                if node.attr in WORLD_OF:
                    needed.add(WORLD_OF[node.attr])
                elif node.attr in OFFERED:
                    needed.add(OFFERED[node.attr][0])
        return needed if uses == attributes else needed | ALL

    def warnings(self, loaded: set[str]) -> Iterator[str]:
        """What works otherwise than it looks. `loaded`: modules that some file imports at its top level."""
        for node in at_top(self.tree):
            name = None
            if isinstance(node, ast.Call):
                name = self.dotted(node.func)
            elif isinstance(node, ast.Attribute):
                name = self.dotted(node)
                name = name if name == "os.environ" else None
            why = name and (FROZEN.get(name) or FROZEN.get(name.partition(".")[0]))
            if why and name not in HARMLESS:
                yield f"{self.at(node)}: {name} at the top level {why}. Call it in a handler."
        for function in ast.walk(self.tree):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for statement in ast.walk(function):
                for module in imported(statement):
                    if module not in loaded:
                        yield (
                            f"{self.shown}:{getattr(statement, 'lineno', 1)}: {module} is imported inside of {function.name}(), when its file is not "
                            f"there any more. Import it at the top level."
                        )
        for statement in ast.walk(self.tree):
            for module in imported(statement):
                if module.partition(".")[0] in MISSING:
                    yield f"{self.shown}:{getattr(statement, 'lineno', 1)}: {module} does not exist in WebAssembly."


def imported(node: ast.AST) -> list[str]:
    """The modules that this very statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def at_top(tree: ast.Module) -> Iterator[ast.expr | ast.stmt]:
    """All nodes that run when the module is imported: everything but the bodies of functions."""
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            stack += node.decorator_list + node.args.defaults + [d for d in node.args.kw_defaults if d]
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.If) and _is_main(node.test):
            continue
        if isinstance(node, (ast.expr, ast.stmt)):
            yield node
        stack += ast.iter_child_nodes(node)


def _is_main(test: ast.expr) -> bool:
    return ast.unparse(test) in ("__name__ == '__main__'", "TYPE_CHECKING")


def sources(project: Path, entry: Path) -> list[Source]:
    """The entry and every file of the project that it imports, directly or not."""
    found: dict[Path, Source] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = Source(path, path.relative_to(project).as_posix())
        for name in found[path].modules():
            base = project.joinpath(*name.split("."))
            waiting += [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()]
    return list(found.values())


def handlers(entry: Source) -> list[str]:
    """The functions of the entry that numax calls."""
    names = []
    for node in entry.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in HANDLERS:
            if isinstance(node, ast.AsyncFunctionDef):
                raise Wrong(f"{entry.at(node)}: {node.name} is async; numax calls plain functions: write `def {node.name}`.")
            names.append(node.name)
    if not names:
        raise Wrong(
            f"{entry.shown} defines none of the functions that numax calls. Write for example:\n"
            f"    def http(request):\n        return 'hello'\n"
            f"or define one of: {', '.join(n for n in HANDLERS if n != 'http')}."
        )
    return names


def prepare(project: Path, entry: Path, sdk: Path, out: Path) -> dict[str, list[str]]:
    """Does what the module's documentation says; returns the report."""
    files = sources(project, entry)
    names = handlers(files[0])
    worlds = {HANDLERS[name][0] for name in names}.union(*(f.worlds() for f in files))
    loaded = {m for f in files for node in at_top(f.tree) for m in imported(node)}
    warnings = [w for f in files for w in f.warnings(loaded)]

    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(project, out, ignore=shutil.ignore_patterns(*IGNORED))
    shutil.copytree(sdk / "numax", out / "numax", dirs_exist_ok=True)
    classes = sorted({HANDLERS[name][1:] for name in names})
    lines = [f"import {'.'.join(entry.relative_to(project).with_suffix('').parts)} as _module", "from numax import _handlers"]
    lines += ["", "_handlers.module = _module", ""]
    lines += [f"from numax.{module} import {name}" for module, name in classes]
    (out / "_numax_entry.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"worlds": sorted(worlds), "warnings": list(dict.fromkeys(warnings))}


def main() -> None:
    """The command line."""
    project, entry, sdk, out, report = map(Path, sys.argv[1:])
    try:
        result = prepare(project, entry, sdk, out)
    except Wrong as error:
        sys.exit(str(error))
    report.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
