"""Declarations of environments: what they must say, and what decides their folder."""

from dataclasses import replace
from typing import Any

import pytest

from skewbench.eval.environments import Environment
from skewbench.eval.scoring import declaration
from tests.eval.scorers.registered import metric
from tests.eval.scorers.test_declaration import declare

TINY = Environment("tiny-one", ("tiny_package==2.5", "numpy>=2"))


def test_the_first_requirement_is_the_main_package() -> None:
    assert (TINY.package, TINY.version, TINY.variable) == ("tiny_package", "2.5", "SKEWBENCH_ENV_TINY_ONE")


def test_what_decides_the_packages_decides_the_folder() -> None:
    others = [replace(TINY, pip=("tiny_package==2.6",)), replace(TINY, dependencies=False), replace(TINY, name="b")]
    assert len({one.key for one in (TINY, *others)}) == 4
    assert replace(TINY, python=">=3.11").key == TINY.key


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "Tiny_1"}, "'Tiny_1': a name of lower-case letters, digits and hyphens"),
        ({"name": "../up"}, "a name of lower-case letters"),
        ({"pip": ()}, "pip begins with the main package, as name==version"),
        ({"pip": ("tiny>=1",)}, "pip begins with the main package, as name==version"),
        ({"pip": ("tiny==1.*",)}, "pip begins with the main package, as name==version"),
        ({"pip": ("tiny==1", "--index-url=https://example.org")}, "is no requirement"),
        ({"python": "3.x"}, "python is '3.x'; versions such as '<3.12' are needed"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Environment(**({"name": "tiny", "pip": ("tiny==1",)} | fields))


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (["tiny==1"], r"environment is \['tiny==1'\]; an Environment"),
        (replace(TINY, pip=("tiny_package==9",)), "environment 'tiny-one': there is another of this name"),
        (replace(TINY, name="alexnet"), "environment 'alexnet': there are weights or a package of this name"),
    ],
)
def test_a_scorer_with_a_wrong_environment_is_refused(
    environment: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declaration.names()
    monkeypatch.setitem(declaration.ENVIRONMENTS, TINY.name, TINY)
    with pytest.raises(ValueError, match=reason):
        declare(name="toy_elsewhere", metrics=[metric("toy_elsewhere")], environment=environment)
