"""Baselines: names for runs that later ones are compared with."""

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
    """A named pointer to a run."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    name: str
    run_id: str
    set: str  # when


def set_baseline(store: Store, name: str, run: str) -> Baseline:
    """Point a name at a committed run, whatever it pointed at before. Raises `InputError`."""
    _checked(name)
    found = find_run(store, run)
    if found.status != "committed":
        raise InputError(f"run {found.run_id} is {found.status}: a baseline is a committed run")
    baseline = Baseline(name, found.run_id, now())
    store.put(_path(name), json.dumps(asdict(baseline), indent=1).encode())
    return baseline


def find_baseline(store: Store, name: str) -> Baseline | None:
    """The baseline of that name, or None. Raises `InputError` where its file is broken."""
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
    """A baseline whose file cannot be parsed. As text: the file, what is wrong with it, and what to do."""

    name: str
    why: str

    def __str__(self) -> str:
        name = shown(self.name)
        return (
            f"{_path(name)} is no baseline: {self.why}; `skewbench baseline set {name} RUN` writes it anew, "
            f"`skewbench baseline remove {name}` deletes it"
        )


def scan_baselines(store: Store) -> tuple[list[Baseline], list[BrokenBaseline]]:
    """All baselines of a lake, by name, and those that are broken."""
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
    """Forget a name, also one whose file is broken; its run stays. Raises `InputError` where there is none.

    Returns:
        What it was; with an empty `run_id` where its file was broken.
    """
    whole, broken = scan_baselines(store)
    known = {baseline.name: baseline for baseline in whole} | {one.name: Baseline(one.name, "", "") for one in broken}
    if name not in known:
        raise InputError(f"no baseline {name!r}; there are: {', '.join(map(shown, known)) or 'none'}")
    store.delete(_path(name))
    return known[name]


def _parse(name: str, content: bytes) -> Baseline:
    found = parse_fields(Baseline, content)
    for what in (found.name, found.run_id):  # the latter names a file, and a lake may be another's
        if not _NAME.fullmatch(what):
            raise ValueError(f"{shown(what)!r} is no name")
    if found.name != name:
        raise ValueError(f"it is that of {shown(found.name)!r}")
    return found


def _checked(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"baseline {name!r}: lower-case letters, digits, dots, hyphens and underscores, 60 at most")


def _path(name: str) -> str:
    return f"_baselines/{name}.json"
