import unittest
from collections.abc import Callable

from . import fake_host
from numax import (
    Change, Counter, Denied, Invalid, List, Map, NotFound, NumaxError, PnCounter, Register, Set, Text, cron, every, grants, keys, kv,
    module_id, peers, self_id, watch,
)
from numax._host import MAX_HANDLES
from numax.changes import from_host
from numax.errors import call


class Checks(unittest.TestCase):
    def test_numbers_that_would_end_the_instance_are_refused(self) -> None:
        counter = Counter("checks")
        for wrong in (-1, 2**64, 2**70):
            with self.assertRaises(Invalid):
                counter.increment(wrong)
        for wrong_type in (1.0, "1", None, True):
            with self.assertRaises(TypeError):
                counter.increment(wrong_type)  # type: ignore[arg-type]
        counter.increment(2**64 - 1)
        self.assertEqual(counter.value, 2**64 - 1)

    def test_values_of_a_wrong_type_never_reach_the_host(self) -> None:
        before = fake_host.Handles.opened
        with self.assertRaises(TypeError):
            Map("never")["f"] = 5  # type: ignore[assignment]
        with self.assertRaises(TypeError):
            Map("never")[b"f"] = "x"  # type: ignore[index]
        with self.assertRaises(TypeError):
            Counter(7)  # type: ignore[arg-type]
        with self.assertRaises(ValueError):
            keys("counter")  # type: ignore[arg-type]
        self.assertEqual(fake_host.Handles.opened, before)

    def test_halves_of_surrogate_pairs_never_reach_the_host(self) -> None:
        before, half = fake_host.Handles.opened, "\U0001f600\ud83d"
        calls: list[Callable[[], object]] = [
            lambda: Counter(half), lambda: PnCounter(half), lambda: Register(half), lambda: Map(half), lambda: Set(half),
            lambda: List(half), lambda: Text(half), lambda: keys("rga", half),
            lambda: Register("never").set(half), lambda: Register("never").compare_and_set(half, "x"),
            lambda: Register("never").compare_and_set(None, half),
            lambda: Map("never").get(half), lambda: Map("never").get_text(half), lambda: Map("never")[half],
            lambda: Map("never").__setitem__(half, "x"), lambda: Map("never").__setitem__("f", half),
            lambda: Map("never").__delitem__(half), lambda: half in Map("never"),
            lambda: Set("never").add(half), lambda: Set("never").discard(half), lambda: half in Set("never"),
            lambda: List("never").append(half), lambda: List("never").insert(half), lambda: List("never").insert("x", half),
            lambda: List("never").get(half), lambda: List("never").get_text(half), lambda: List("never").remove(half),
            lambda: Text("never").insert(0, half), lambda: Text("never").diff(half), lambda: Text("never").apply_update(half),
            lambda: kv.get(half), lambda: kv.get_text(half), lambda: kv[half], lambda: half in kv,
            lambda: kv.__setitem__(half, "x"), lambda: kv.__setitem__("k", half), lambda: kv.__delitem__(half),
            lambda: kv.delete_prefix(half), lambda: kv.scan(half),
            lambda: every(half, 1), lambda: cron(half, "* * * * *"), lambda: cron("c", half), lambda: watch(half),
        ]
        for number, wrong in enumerate(calls):
            with self.subTest(number), self.assertRaises(Invalid) as caught:
                wrong()
            self.assertRegex(
                caught.exception.detail,
                r"^(an?|the) [a-z ]+ must be Unicode text; its character 1 \(U\+D83D\) is half of a surrogate pair$",
            )
            self.assertIsInstance(caught.exception, ValueError)
            self.assertIsNone(caught.exception.__context__)
        self.assertEqual(fake_host.Handles.opened, before)

    def test_periods_fit_32_bits(self) -> None:
        with self.assertRaises(Invalid):
            every("sweep", 2**32)
        with self.assertRaises(ValueError):
            cron("c", "* * * * *", "somewhere")  # type: ignore[arg-type]


class Families(unittest.TestCase):
    def test_counters(self) -> None:
        counter, both = Counter("c"), PnCounter("p")
        counter.increment()
        counter.increment(2)
        both.decrement(5)
        both.increment(2)
        self.assertEqual((counter.value, both.value), (3, -3))

    def test_register(self) -> None:
        register = Register("r")
        self.assertIsNone(register.get())
        self.assertTrue(register.compare_and_set(None, "one"))
        self.assertFalse(register.compare_and_set("two", "three"))
        self.assertEqual(register.get_text(), "one")
        register.clear()
        self.assertIsNone(register.get_text())

    def test_map(self) -> None:
        fields = Map("m")
        for i in range(1001):
            fields[f"{i:04}"] = "v"
        self.assertEqual((len(fields), len(list(fields)), fields["0007"], "0007" in fields), (1001, 1001, b"v", True))
        del fields["0007"]
        self.assertIsNone(fields.get("0007"))
        with self.assertRaises(KeyError):
            fields["0007"]
        fields.clear()
        self.assertEqual(len(fields), 0)

    def test_set(self) -> None:
        elements = Set("s")
        elements.add("b")
        elements.add(bytearray(b"\xff"))
        self.assertEqual((len(elements), "b" in elements, "a" in elements), (2, True, False))
        self.assertEqual(list(elements.texts()), ["b", "\ufffd"])
        elements.discard("b")
        self.assertEqual(list(elements), [b"\xff"])

    def test_list(self) -> None:
        elements = List("l")
        first = elements.append("b")
        elements.insert("a")
        second = elements.insert(b"c", first)
        for _ in range(1000):
            elements.append("d")
        self.assertEqual((len(elements), len(list(elements)), "".join(elements.texts())[:4]), (1003, 1003, "abcd"))
        self.assertEqual([id for id, _ in elements.items()][1:3], [first, second])
        self.assertEqual((elements.get_text(first), elements.get("other")), ("b", None))
        elements.remove(first)
        with self.assertRaises(NotFound):
            elements.remove(first)
        with self.assertRaises(NotFound):
            elements.insert("x", first)
        with self.assertRaises(TypeError):
            elements.insert("x", 5)  # type: ignore[arg-type]
        elements.clear()
        self.assertEqual(len(elements), 0)

    def test_text(self) -> None:
        text = Text("t")
        text.insert(0, "acd")
        text.insert(1, "b")
        text.remove(3, 1)
        self.assertEqual((text.read(), str(text), len(text), Text.units("a😀")), ("abc", "abc", 3, 3))
        seen = text.state_vector()
        text.insert(3, "d")
        self.assertEqual(text.diff(seen), b"d")
        text.apply_update(b"e")
        self.assertEqual(text.diff(), b"abcde")
        with self.assertRaises(NotFound):
            text.insert(99, "x")
        with self.assertRaises(Invalid):
            text.insert(-1, "x")
        with self.assertRaises(TypeError):
            text.insert(0, 5)  # type: ignore[arg-type]
        text.clear()
        self.assertEqual(len(text), 0)

    def test_pages(self) -> None:
        found = list(keys("or-set", "k"))
        self.assertEqual((len(found), found[0], found[-1]), (1200, "k0000", "k1199"))

    def test_handles_are_kept_and_not_too_many(self) -> None:
        used = Counter("used")
        used.increment()
        before = fake_host.Handles.opened
        for i in range(2 * MAX_HANDLES):
            Counter(f"many{i}").increment()
            used.increment()  # in use: never the one to go
        self.assertEqual(fake_host.Handles.open, MAX_HANDLES)
        self.assertEqual(fake_host.Handles.opened, before + 2 * MAX_HANDLES)


class TheRest(unittest.TestCase):
    def test_errors(self) -> None:
        with self.assertRaises(Denied) as caught:
            Counter("deny:x").increment()
        self.assertIsInstance(caught.exception, (NumaxError, PermissionError))
        self.assertEqual((caught.exception.code, caught.exception.detail), ("denied", 'crdt.gcounter = ["deny:*"]'))
        self.assertEqual(str(caught.exception), 'denied: crdt.gcounter = ["deny:*"]')
        self.assertIsNone(caught.exception.__cause__)

        def missing() -> None:
            raise fake_host.Err(fake_host.Error_NotFound())

        with self.assertRaises(NotFound) as lost:
            call(missing)
        self.assertEqual(str(lost.exception), "not-found")

    def test_store(self) -> None:
        kv["a1"], kv["a2"], kv["b"] = "x", b"\x01", "y"
        self.assertEqual((kv.get_text("a1"), "zz" in kv, kv.get("zz")), ("x", False, None))
        self.assertEqual([k for k, _ in kv.scan("a")], ["a1", "a2"])
        self.assertEqual(kv.delete_prefix("a"), 2)
        with self.assertRaises(KeyError):
            kv["a1"]
        with self.assertRaises(TypeError):
            kv["a1"] = 1  # type: ignore[assignment]

    def test_events_and_cluster(self) -> None:
        fake_host.CALLS.clear()
        every("sweep", 1000)
        cron("night", "0 3 * * *", "once-per-cluster")
        watch("visits", "g-counter")
        watch("all")
        kind = fake_host.CrdtKind.G_COUNTER  # type: ignore[attr-defined]
        scope = fake_host.Scope.ONCE_PER_CLUSTER  # type: ignore[attr-defined]
        self.assertEqual(
            fake_host.CALLS, [("sweep", 1000), ("night", "0 3 * * *", scope), (kind, "visits"), (None, "all")]
        )
        self.assertEqual((peers()[0].state, len(self_id()), module_id(), grants()), ("alive", 64, "visits", ["random = true"]))

    def test_changes(self) -> None:
        host = fake_host.types.SimpleNamespace(
            kind=fake_host.CrdtKind.OR_SET, key="k", op=fake_host.OpKind.ADD, origin="ab", remote=True  # type: ignore[attr-defined]
        )
        self.assertEqual(from_host(host), Change("or-set", "k", "add", "ab", True))


if __name__ == "__main__":
    unittest.main()
