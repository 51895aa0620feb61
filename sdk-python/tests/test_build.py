import importlib.util
import tempfile
import unittest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("numax_build", ROOT / "tools/build.py")
assert _spec and _spec.loader
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)


def prepare(**files: str) -> tuple[dict[str, Any], set[str]]:
    """Prepares a project of these files (`__` in a name is a `/`); returns the report and the prepared files."""
    with tempfile.TemporaryDirectory() as name:
        project, out = Path(name, "project"), Path(name, "out")
        for file, text in files.items():
            path = project / (file.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        report = build.prepare(project, project / "app.py", ROOT, out)
        entry = (out / "_numax_entry.py").read_text()
        compile(entry, "entry", "exec")
        return report | {"entry": entry}, {p.relative_to(out).as_posix() for p in out.rglob("*.py")}


RUN = "def run():\n    pass\n"


class Worlds(unittest.TestCase):
    def worlds(self, **files: str) -> list[str]:
        return prepare(**files)[0]["worlds"]

    def test_handlers_decide_the_exports(self) -> None:
        app = "".join(f"def {name}(*a): pass\n" for name in build.HANDLERS)
        report, _ = prepare(app=app)
        self.assertEqual(report["worlds"], ["with-change", "with-http", "with-lifecycle", "with-run", "with-tick"])
        self.assertIn("from numax._incoming import IncomingHandler", report["entry"])
        self.assertEqual(report["entry"].count("Lifecycle"), 1)

    def test_what_is_used_decides_the_imports(self) -> None:
        self.assertEqual(self.worlds(app=RUN), ["with-run"])
        self.assertEqual(self.worlds(app="from numax import Counter, NumaxError\n" + RUN), ["use-crdt", "with-run"])
        self.assertEqual(self.worlds(app="import numax as nx\ndef run(): nx.kv['a'] = 'b'\n"), ["use-kv", "with-run"])
        self.assertEqual(self.worlds(app="from numax.cluster import peers\n" + RUN), ["use-cluster", "with-run"])
        self.assertEqual(self.worlds(app="import numax\ndef run(): numax.events.every('a', 1)\n"), ["use-events", "with-run"])

    def test_what_cannot_be_told_imports_all(self) -> None:
        everything = sorted(build.ALL | {"with-run"})
        self.assertEqual(self.worlds(app="from numax import *\n" + RUN), everything)
        self.assertEqual(self.worlds(app="import numax\ndef run(): print(dir(numax))\n"), everything)

    def test_other_files_of_the_project_count_if_they_are_imported(self) -> None:
        helper = "from numax import kv\n"
        self.assertEqual(self.worlds(app=RUN, lib__store=helper), ["with-run"])
        for line in ("import lib.store\n", "from lib import store\n", "from lib.store import kv\n"):
            self.assertEqual(self.worlds(app=line + RUN, lib__store=helper), ["use-kv", "with-run"], line)

    def test_every_name_of_the_sdk_is_known(self) -> None:
        offered = set(build.WORLD_OF)
        for module, (_, names) in build.OFFERED.items():
            text = (ROOT / f"numax/{module}.py").read_text() + (ROOT / "numax/_kinds.py").read_text()
            self.assertTrue(all(n in text for n in names), module)
        init = (ROOT / "numax/__init__.py").read_text()
        listed = set(init.partition("__all__ = [")[2].replace('"', "").replace("]", "").replace("\n", "").replace(" ", "").split(","))
        without = {"Change", "Denied", "Invalid", "NotFound", "NumaxError", "Quota", "Unavailable", "Request", "Response", ""}
        self.assertEqual(listed - without, offered)


class Refusals(unittest.TestCase):
    def refused(self, app: str) -> str:
        with self.assertRaises(build.Wrong) as caught:
            prepare(app=app)
        return str(caught.exception)

    def test_no_handler(self) -> None:
        self.assertIn("def http(request)", self.refused("def main(): pass\n"))

    def test_async(self) -> None:
        self.assertIn("app.py:2: http is async", self.refused("import json\nasync def http(r): pass\n"))

    def test_syntax(self) -> None:
        self.assertIn("app.py:1:", self.refused("def http(:\n"))


class Warnings(unittest.TestCase):
    def warnings(self, app: str) -> list[str]:
        return prepare(app=app + RUN)[0]["warnings"]

    def test_what_the_build_freezes(self) -> None:
        for line, name in [
            ("import random\nx = random.random()\n", "app.py:2: random.random"),
            ("from random import randint as r\nx = r(1, 2)\n", "random.randint"),
            ("import time as t\nclass C:\n    now = t.time()\n", "app.py:3: time.time"),
            ("import datetime\nx = datetime.datetime.now()\n", "datetime.datetime.now"),
            ("from datetime import datetime\nx = datetime.now()\n", "datetime.datetime.now"),
            ("import os\nx = os.environ['A']\n", "os.environ"),
            ("import uuid\ndef f(x=uuid.uuid4()): pass\n", "uuid.uuid4"),
        ]:
            found = self.warnings(line)
            self.assertEqual(len(found), 1, (line, found))
            self.assertIn(name, found[0])

    def test_what_it_does_not(self) -> None:
        for line in [
            "import random\ndef f(): return random.random()\n",
            "import random\nf = lambda: random.random()\n",
            "import random\nrng = random.Random(7)\n",
            "from datetime import timedelta\nday = timedelta(days=1)\n",
            "import time\nif __name__ == '__main__':\n    print(time.time())\n",
        ]:
            self.assertEqual(self.warnings(line), [], line)

    def test_imports_that_come_too_late(self) -> None:
        self.assertIn("hashlib is imported inside of f()", self.warnings("def f():\n    import hashlib\n")[0])
        self.assertEqual(self.warnings("import hashlib\ndef f():\n    import hashlib\n"), [])

    def test_what_does_not_exist(self) -> None:
        self.assertIn("ssl does not exist in WebAssembly", self.warnings("import ssl\n")[0])


class Files(unittest.TestCase):
    def test_sources_and_the_sdk_are_there_and_nothing_that_tools_left(self) -> None:
        _, files = prepare(app=RUN, lib__a="", dist__old="", venv__b="")
        self.assertTrue({"app.py", "lib/a.py", "numax/http.py", "_numax_entry.py"} <= files)
        self.assertFalse({"dist/old.py", "venv/b.py"} & files)


if __name__ == "__main__":
    unittest.main()
