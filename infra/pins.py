"""Write infra/constraints.txt from the packages that are installed: `make pins`, once the tests have passed with them.

What skewbench and its extras require is pinned, directly and through other packages. A package that is not installed on
this machine, such as those of the extra `cluster`, keeps the pin it has.
"""

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

FILE = Path(__file__).with_name("constraints.txt")
LEFT_OUT = ("triton", "trackio")
"""Each build of torch requires a version of triton of its own. trackio requires an older Pillow than the tests use."""
HEADER = """# Exact versions that the tests passed with; `make install` and the images use them (pip install -c).
# The ranges are in pyproject.toml. `make pins` writes this file; `make resolve` asks pip whether it resolves.
"""


def read() -> dict[str, str]:
    """The pins of the file, by canonical name."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def required() -> dict[str, set[str]]:
    """What skewbench requires with all of its extras, directly or not: names, each with its extras."""
    project = tomllib.loads((FILE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, set[str]] = {}
    texts = chain(project["dependencies"], *project["optional-dependencies"].values())
    waiting = [one for one in map(Requirement, texts) if applies(one, set())]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name == "skewbench" or (name in found and requirement.extras <= found[name]):
            continue
        extras = found.setdefault(name, set())
        extras |= requirement.extras
        waiting += [one for one in requirements(name) if applies(one, extras)]
    return found


def requirements(name: str) -> list[Requirement]:
    """List what an installed package requires; nothing if it is not installed.

    Args:
        name: Name of the package.
    """
    try:
        return [Requirement(text) for text in distribution(name).requires or ()]
    except PackageNotFoundError:
        return []


def applies(requirement: Requirement, extras: set[str]) -> bool:
    """Return whether a requirement holds on this machine.

    Args:
        requirement: The requirement, with its marker.
        extras: Extras of the package that requires it.
    """
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": one}) for one in ("", *extras))


def pins() -> dict[str, str]:
    """Installed versions of what is required, without the local part such as `+cpu`; else the pins of the file."""
    found = read()
    for name in required():
        try:
            found[name] = Version(distribution(name).version).public
        except PackageNotFoundError:
            continue
    return {name: version for name, version in sorted(found.items()) if name not in LEFT_OUT}


if __name__ == "__main__":
    lines = [f"{name}=={version}\n" for name, version in pins().items()]
    FILE.write_text(HEADER + "".join(lines), encoding="utf-8")
