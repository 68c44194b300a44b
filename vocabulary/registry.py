"""Registries of extensions: scorers, knobs, families and queries, our own and, by entry points, those of others."""

import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import metadata
from typing import Any, Generic, TypeVar

from skewbench.vocabulary.errors import InputError

Item = TypeVar("Item")
OURS = "skewbench"
"""The package that our own items belong to."""


class UnknownName(InputError, ValueError):
    """A name that nothing is registered under. The message names the nearest and lists all."""


@dataclass(frozen=True)
class Entry(Generic[Item]):
    """An item with its name and the dotted name of the module that registered it."""

    name: str
    item: Item
    source: str


class Registry(Generic[Item]):
    """Items by name, found at first use and then fixed.

    Our own items are registered first, then those of installed packages, by name of the package and of the entry
    point. A third party's item that cannot be used becomes a line in `problems` and hinders nothing else: its module
    fails to import, its name is taken, or `check` refuses it. Safe to use from several threads.

    Args:
        group: Group of entry points, such as `skewbench.scorers`. An entry point names a module that calls `register`
            when it is imported, or anything that `adopt` understands.
        kind: What an item is called in messages, such as `scorer`.
        own: Package whose modules register our own items when they are imported, or a function that registers them.
        check: Raises `ValueError` for an item that breaks the contract of its kind; the message says how.
        adopt: Called with each entry point's name, what it names, and its module, to register it; None where the
            modules register by themselves.
        entry_points: Lists the entry points; by default those of the installed packages. For tests.
    """

    def __init__(
        self,
        group: str,
        kind: str,
        own: str | Callable[[], object] = "",
        check: Callable[[str, Item], object] | None = None,
        adopt: Callable[[str, Any, str], object] | None = None,
        entry_points: Callable[[], Iterable[metadata.EntryPoint]] | None = None,
    ) -> None:
        self.group, self.kind = group, kind
        self._own, self._check, self._adopt = own, check, adopt
        self._entry_points = entry_points or (lambda: metadata.entry_points(group=group))
        self._registered: list[Entry[Item]] = []
        self._items: dict[str, Entry[Item]] = {}
        self._problems: list[str] = []
        self._discovered = self._busy = False
        # Two locks: an import may wait for another thread that imports the same module and registers meanwhile.
        self._lock, self._discovery = threading.Lock(), threading.RLock()

    def register(self, name: str, item: Item, source: str) -> None:
        """Register an item.

        Args:
            name: Its name, which no other item of the kind may have.
            item: What `get` returns.
            source: Dotted name of the module that registers it, such as `__name__`.

        Raises:
            ValueError: The name is taken or the item breaks the contract, and discovery is over. Before that these
                become `problems`, for a third party's item.
        """
        entry = Entry(name, item, source)
        with self._lock:
            if not self._discovered:
                self._registered.append(entry)
                return
            if reason := self._refusal(entry):
                raise ValueError(f"{self.kind} {name!r} of {source}: {reason}")
            self._items[name] = entry

    def get(self, name: str) -> Item:
        """Return an item.

        Args:
            name: Name under which it is registered.

        Raises:
            UnknownName: Nothing is registered under this name.
        """
        return self._entry(name).item

    def source(self, name: str) -> str:
        """Return the dotted name of the module that registered an item.

        Args:
            name: Name under which it is registered.

        Raises:
            UnknownName: Nothing is registered under this name.
        """
        return self._entry(name).source

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self._discover()
        return sorted(self._items)

    def items(self) -> list[Item]:
        """Return all items, sorted by name."""
        return [self.get(name) for name in self.names()]

    def problems(self) -> list[str]:
        """Return one line for each item of a third party that cannot be used, with its package, name and the reason."""
        self._discover()
        return list(self._problems)

    def _entry(self, name: str) -> Entry[Item]:
        self._discover()
        if name not in self._items:
            near = get_close_matches(name, self._items, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise UnknownName(f"no {self.kind} {name!r}{meant}; there are: {', '.join(self.names()) or 'none'}")
        return self._items[name]

    def _discover(self) -> None:
        if self._discovered:
            return
        with self._discovery:
            if self._discovered or self._busy:  # busy: a module that is being loaded here asks for names
                return
            self._busy = True
            try:
                self._register_own()
                self._resolve(*self._load())
            finally:
                self._busy = False

    def _register_own(self) -> None:
        if callable(self._own):
            self._own()
        elif self._own:
            for module in pkgutil.iter_modules(importlib.import_module(self._own).__path__):
                importlib.import_module(f"{self._own}.{module.name}")

    def _load(self) -> tuple[dict[str, str], set[str], list[str]]:
        """Import what the entry points name: package by top-level module, modules that failed, and their lines."""
        packages: dict[str, str] = {}
        failed: set[str] = set()
        problems: list[str] = []
        for point in sorted(self._entry_points(), key=lambda point: (_package(point), point.name)):
            packages.setdefault(_top(point.module), _package(point))
            try:
                loaded = point.load()
                if self._adopt:
                    self._adopt(point.name, loaded, point.module)
            except (Exception, SystemExit) as error:  # any error of another package's module at import
                failed.add(point.module)
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                problems.append(self._line(_package(point), point.name, reason))
        return packages, failed, problems

    def _resolve(self, packages: dict[str, str], failed: set[str], problems: list[str]) -> None:
        """Take the registered items: skewbench's own first, then others in the order of registration."""
        with self._lock:
            self._items = {}
            for entry in sorted(self._registered, key=lambda entry: _top(entry.source) != OURS):
                if entry.source in failed:
                    continue
                if not (reason := self._refusal(entry)):
                    self._items[entry.name] = entry
                elif _top(entry.source) == OURS:
                    raise ValueError(f"{self.kind} {entry.name!r} of {entry.source}: {reason}")
                else:
                    package = packages.get(_top(entry.source), entry.source)
                    problems.append(self._line(package, entry.name, reason))
            self._problems = problems
            self._discovered = True

    def _refusal(self, entry: Entry[Item]) -> str | None:
        """Return the reason why an item cannot be registered, or None."""
        if taken := self._items.get(entry.name):
            return f"the name is taken by {taken.source}"
        if self._check:
            try:
                self._check(entry.name, entry.item)
            except ValueError as error:
                return " ".join(str(error).split())
        return None

    def _line(self, package: str, name: str, reason: str) -> str:
        return f"{self.kind} {name!r} of package {package} is skipped: {reason}"


def _top(module: str) -> str:
    return module.partition(".")[0]


def _package(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else _top(point.module)
