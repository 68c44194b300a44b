"""Baselines: names for runs that later ones are compared with."""

import json
import re
from dataclasses import asdict, dataclass, replace

from skewbench.storage.manifest import find_run, now
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


@dataclass(frozen=True)
class Baseline:
    """A named pointer to a run."""

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
        found = Baseline(**json.loads(store.read(_path(name))))
        return replace(found, run_id=_checked(found.run_id, "run"))  # it names a file, and a lake may be another's
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise InputError(f"{_path(name)} is no baseline: {error}; `skewbench baseline set {name} RUN`") from None


def list_baselines(store: Store) -> list[Baseline]:
    """All baselines of a lake, by name."""
    names = [path.rsplit("/", 1)[-1].removesuffix(".json") for path in store.list("_baselines")]
    return [found for name in sorted(names) if (found := find_baseline(store, name))]


def remove_baseline(store: Store, name: str) -> Baseline:
    """Forget a name; its run stays. Raises `InputError` where there is none."""
    found = find_baseline(store, name)
    if found is None:
        known = ", ".join(one.name for one in list_baselines(store)) or "none"
        raise InputError(f"no baseline {name!r}; there are: {known}")
    store.delete(_path(name))
    return found


def _checked(name: str, what: str = "baseline") -> str:
    if not _NAME.fullmatch(name):
        raise InputError(f"{what} {name!r}: lower-case letters, digits, dots, hyphens and underscores, 60 at most")
    return name


def _path(name: str) -> str:
    return f"_baselines/{name}.json"
