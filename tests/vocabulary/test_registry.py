"""Registries: names, entry points, and third parties that do not keep the rules."""

import sys
import threading
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.registry import Registry


class Point(EntryPoint):
    """An entry point of a package that is not installed."""

    @property
    def dist(self):
        return SimpleNamespace(name=self.value.partition(".")[0].replace("_", "-"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a module, and returns the entry point that names it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written = []

    def write(module, text, name="toy"):
        (tmp_path / f"{module}.py").write_text(text)
        written.append(module)
        return Point(name, module, "skewbench.toys")

    yield write
    for module in written:
        sys.modules.pop(module, None)


def _registry(monkeypatch, *points, **settings):
    made = Registry("skewbench.toys", kind="toy", entry_points=lambda: points, **settings)
    monkeypatch.setattr("builtins.toys", made, raising=False)
    return made


def _register(*names):
    return "".join(f"toys.register({name!r}, {name.upper()!r}, __name__)\n" for name in names)


def _own(registry_names):
    import builtins

    for name in registry_names:
        builtins.toys.register(name, name.upper(), "skewbench.toys")


def test_our_items_and_those_of_packages_are_found_at_first_use(package, monkeypatch):
    registry = _registry(monkeypatch, package("other", _register("ball")), own=lambda: _own(["kite"]))
    assert "other" not in sys.modules
    assert registry.names() == ["ball", "kite"]
    assert (registry.get("ball"), registry.source("ball"), registry.source("kite")) == (
        "BALL", "other", "skewbench.toys",
    )  # fmt: skip
    assert registry.items() == ["BALL", "KITE"]
    assert registry.problems() == []


def test_an_unknown_name_is_bad_input_with_the_nearest_one(monkeypatch):
    registry = _registry(monkeypatch, own=lambda: _own(["kite", "ball"]))
    with pytest.raises(InputError, match=r"no toy 'kit' \(did you mean 'kite'\?\); there are: ball, kite"):
        registry.get("kit")


def test_a_module_that_cannot_be_imported_is_a_line_and_leaves_nothing_behind(package, monkeypatch):
    broken = package("a_broken", _register("half") + "import no_such_module")
    registry = _registry(monkeypatch, broken, package("other", _register("ball")))
    assert registry.names() == ["ball"]
    (line,) = registry.problems()
    assert line.startswith("toy 'toy' of package a-broken is skipped: ModuleNotFoundError: No module named 'no_such_")


def test_a_module_that_ends_the_program_does_not(package, monkeypatch):
    registry = _registry(monkeypatch, package("leaves", "raise SystemExit(3)"))
    assert registry.names() == []
    assert registry.problems() == ["toy 'toy' of package leaves is skipped: SystemExit: 3"]


def test_an_entry_point_without_its_package_is_a_line(monkeypatch):
    registry = _registry(monkeypatch, Point("toy", "no_such_package.toys:ball", "skewbench.toys"))
    assert registry.names() == []
    assert "of package no-such-package is skipped: ModuleNotFoundError" in registry.problems()[0]


def test_the_first_of_a_name_stays_and_ours_comes_first(package, monkeypatch):
    points = (package("b_later", _register("ball")), package("a_first", _register("ball", "kite", "hoop", "hoop")))
    registry = _registry(monkeypatch, *points, own=lambda: _own(["kite"]))
    assert {name: registry.source(name) for name in registry.names()} == {
        "ball": "a_first", "hoop": "a_first", "kite": "skewbench.toys",
    }  # fmt: skip
    assert registry.problems() == [
        "toy 'kite' of package a-first is skipped: the name is taken by skewbench.toys",
        "toy 'hoop' of package a-first is skipped: the name is taken by a_first",
        "toy 'ball' of package b-later is skipped: the name is taken by a_first",
    ]


def test_ours_comes_first_also_where_the_other_was_imported_before(package, monkeypatch):
    registry = _registry(monkeypatch, package("eager", _register("kite")), own=lambda: _own(["kite"]))
    __import__("eager")
    assert registry.source("kite") == "skewbench.toys"
    assert registry.problems() == ["toy 'kite' of package eager is skipped: the name is taken by skewbench.toys"]


def _long(name, item):
    if len(item) < 4:
        raise ValueError(f"{item} is too short")


def test_an_item_that_breaks_the_contract_is_a_line(package, monkeypatch):
    registry = _registry(monkeypatch, package("other", _register("ball", "fly")), check=_long)
    assert registry.names() == ["ball"]
    assert registry.problems() == ["toy 'fly' of package other is skipped: FLY is too short"]


def test_after_discovery_a_mistake_is_an_error_at_once(monkeypatch):
    registry = _registry(monkeypatch, own=lambda: _own(["kite"]), check=_long)
    assert registry.names() == ["kite"]
    registry.register("hoop", "HOOP", "__main__")
    assert registry.names() == ["hoop", "kite"]
    with pytest.raises(ValueError, match=r"toy 'kite' of __main__: the name is taken by skewbench.toys"):
        registry.register("kite", "KITE", "__main__")
    with pytest.raises(ValueError, match=r"toy 'fly' of __main__: FLY is too short"):
        registry.register("fly", "FLY", "__main__")


def test_a_mistake_of_our_own_is_an_error(monkeypatch):
    registry = _registry(monkeypatch, own=lambda: _own(["kite", "kite"]))
    with pytest.raises(ValueError, match=r"toy 'kite' of skewbench.toys: the name is taken"):
        registry.names()


def test_a_function_can_adopt_what_an_entry_point_names(package, monkeypatch):
    def adopt(name, loaded, source):
        registry.register(name, loaded, source)

    package("other", "ball = 'BALL'")
    registry = _registry(monkeypatch, Point("ball", "other:ball", "skewbench.toys"), adopt=adopt)
    assert (registry.get("ball"), registry.source("ball")) == ("BALL", "other")


def test_a_package_of_ours_is_walked(package, monkeypatch, tmp_path):
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "__init__.py").write_text("")
    (tmp_path / "box" / "first.py").write_text(_register("ball"))
    (tmp_path / "box" / "second.py").write_text(_register("kite"))
    assert _registry(monkeypatch, own="box").names() == ["ball", "kite"]
    for module in ("box", "box.first", "box.second"):
        del sys.modules[module]


def test_a_module_may_ask_for_names_while_it_is_loaded(package, monkeypatch):
    registry = _registry(monkeypatch, package("curious", "seen = toys.names()\n" + _register("ball")))
    assert registry.names() == ["ball"]


def test_threads_find_the_same(package, monkeypatch):
    slow = "import time\ntime.sleep(0.05)\n" + _register("ball")
    registry = _registry(monkeypatch, package("slow", slow), own=lambda: _own(["kite"]))
    found = []
    threads = [threading.Thread(target=lambda: found.append(registry.names())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["ball", "kite"]] * 8
    assert registry.problems() == []
