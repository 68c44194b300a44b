"""Baselines: names for the runs that later runs are compared with."""

import json
import re
from dataclasses import asdict, dataclass

from pydantic import ConfigDict

from skewbench.storage.manifest import find_run, now
from skewbench.storage.records import parse_fields, shown
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Baseline:
    """A named pointer to a run.

    Args:
        name: Its name.
        run_id: The run.
        set: When it was set, ISO 8601, UTC.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    name: str
    run_id: str
    set: str


def set_baseline(store: Store, name: str, run: str) -> Baseline:
    """Point a name at a committed run. An existing baseline of that name is replaced.

    Args:
        store: The lake.
        name: The baseline's name.
        run: The run's id, or a unique beginning of it.

    Returns:
        The baseline.

    Raises:
        InputError: The name is not allowed, or there is no such run, or it is not committed.
    """
    _check_name(name)
    found = find_run(store, run)
    if found.status != "committed":
        raise InputError(f"run {found.run_id} is {found.status}: a baseline must be a committed run")
    baseline = Baseline(name, found.run_id, now())
    store.put(_path(name), json.dumps(asdict(baseline), indent=1).encode())
    return baseline


def find_baseline(store: Store, name: str) -> Baseline | None:
    """Read a baseline.

    Args:
        store: The lake.
        name: The baseline's name.

    Returns:
        The baseline, or None if there is none of that name.

    Raises:
        InputError: Its file is broken.
    """
    if not _NAME.fullmatch(name):
        return None
    try:
        return _parse(name, store.read(_path(name)))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise InputError(str(BrokenBaseline(name, str(error)))) from None


@dataclass(frozen=True)
class BrokenBaseline:
    """A baseline whose file cannot be parsed. Its text has the file, the fault and the repair.

    Args:
        name: The baseline's name, as the file's name has it.
        reason: The fault.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        name = shown(self.name)
        return (
            f"{_path(name)} is not a baseline: {self.reason}; `skewbench baseline set {name} RUN` replaces it, "
            f"`skewbench baseline remove {name}` deletes it"
        )


def scan_baselines(store: Store) -> tuple[list[Baseline], list[BrokenBaseline]]:
    """Read all baselines of a lake.

    Args:
        store: The lake.

    Returns:
        The baselines, sorted by name, and those that are broken.
    """
    whole, broken = list[Baseline](), list[BrokenBaseline]()
    for path in store.list("_baselines"):
        name = path.removeprefix("_baselines/").removesuffix(".json")
        try:
            whole.append(_parse(name, store.read(path)))
        except FileNotFoundError:  # removed meanwhile
            continue
        except ValueError as error:
            broken.append(BrokenBaseline(name, str(error)))
    return whole, broken


def remove_baseline(store: Store, name: str) -> Baseline:
    """Remove a baseline, also one whose file is broken. Its run stays.

    Args:
        store: The lake.
        name: The baseline's name.

    Returns:
        The removed baseline; its `run_id` is empty if its file was broken.

    Raises:
        InputError: There is no baseline of that name.
    """
    whole, broken = scan_baselines(store)
    known = {baseline.name: baseline for baseline in whole} | {one.name: Baseline(one.name, "", "") for one in broken}
    if name not in known:
        raise InputError(f"no baseline {name!r}; there are: {', '.join(map(shown, known)) or 'none'}")
    store.delete(_path(name))
    return known[name]


def _parse(name: str, content: bytes) -> Baseline:
    found = parse_fields(Baseline, content)
    for text in (found.name, found.run_id):  # the run's id names a file, and a lake may come from anybody
        if not _NAME.fullmatch(text):
            raise ValueError(f"{shown(text)!r} is not a valid name")
    if found.name != name:
        raise ValueError(f"it belongs to {shown(found.name)!r}")
    return found


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"baseline {name!r}: use at most 60 lower-case letters, digits, dots, hyphens and underscores")


def _path(name: str) -> str:
    return f"_baselines/{name}.json"
