import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A component's bindings have a package `imports` with what the component imports, and none if that is nothing.
PROGRAM = """
import sys, types
def module(name, **names):
    m = types.ModuleType(name); m.__dict__.update(names)
    m.__spec__ = types.SimpleNamespace(name=name, loader=None, submodule_search_locations=[], parent=name.rpartition(".")[0])
    sys.modules[name] = m
module("componentize_py_types", Ok=object, Err=type("Err", (Exception,), {}))
module("wit_world", __path__=[])
for name in sys.argv[1:]:
    module("wit_world.imports", __path__=[])
    module("wit_world.imports." + name)
import numax
print(sorted(n for n in numax.__all__ if hasattr(numax, n)))
"""


class Offered(unittest.TestCase):
    def names(self, *imports: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *imports], cwd=ROOT, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_component_that_imports_nothing(self) -> None:
        self.assertIn("NumaxError", self.names())
        self.assertNotIn("kv", self.names())

    def test_only_what_is_imported_is_offered(self) -> None:
        names = self.names("kv")
        self.assertIn("'kv'", names)
        self.assertNotIn("'peers'", names)


if __name__ == "__main__":
    unittest.main()
