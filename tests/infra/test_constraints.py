"""The pins are one set that pip can install: within the project's ranges, and within those of each other."""

import runpy
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.infra.files import INFRA, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINS = runpy.run_path(str(INFRA / "pins.py"))
PINNED: dict[str, str] = PINS["read"]()


@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_pins_are_what_the_project_allows(extra: str | None) -> None:
    for requirement in map(Requirement, EXTRAS[extra] if extra else PROJECT["dependencies"]):
        name = canonicalize_name(requirement.name)
        if name in ("skewbench", *PINS["LEFT_OUT"]):
            continue
        assert name in PINNED, f"infra/constraints.txt has no version of {name}: make pins"
        assert requirement.specifier.contains(PINNED[name]), f"{requirement} against {PINNED[name]}"


def test_pins_are_what_other_packages_allow() -> None:
    """DuckDB's extension requires the DuckDB of its own version, for one."""
    refused = [
        f"{name} requires {requirement}, pinned is {pin}"
        for name, extras in PINS["required"]().items()
        if name not in PINS["LEFT_OUT"]
        for requirement in PINS["requirements"](name)
        if PINS["applies"](requirement, extras)
        and (pin := PINNED.get(canonicalize_name(requirement.name)))
        and not requirement.specifier.contains(pin, prereleases=True)
    ]
    assert not refused
