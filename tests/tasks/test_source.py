"""The digest of code changes with what makes the numbers, and with nothing else."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skewbench.tasks import source
from skewbench.tasks.source import ROOTS, digest_of_source, source_files

MAIN = """
from typing import TYPE_CHECKING
from toy_pkg.helper import double
if TYPE_CHECKING:
    from toy_pkg.types import Number
def f(x: "Number"):
    from toy_pkg import lazy_name
    return double(x) + lazy_name
"""
FILES = {
    "__init__.py": "from toy_pkg.lazy import lazy_name",
    "main.py": MAIN,
    "helper.py": "def double(x):\n    return 2 * x\n",
    "types.py": "Number = float\n",
    "lazy.py": "lazy_name = 1\n",
    "unrelated.py": "x = 1\n",
}
Digest = Callable[..., str]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digest]:
    """Digest of `toy_pkg.main`, after files were replaced."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "toy_pkg").mkdir()

    def written(**changes: str) -> str:
        for name, text in (FILES | {f"{name}.py": text for name, text in changes.items()}).items():
            (tmp_path / "toy_pkg" / name).write_text(text)
        for cached in (source._tree, source._code, source._file, digest_of_source):
            cached.cache_clear()
        return digest_of_source("toy_pkg.main")

    yield written
    sys.modules.pop("toy_pkg", None)
    digest_of_source.cache_clear()


def test_comments_docstrings_layout_and_other_modules_change_nothing(digest: Digest) -> None:
    before = digest()
    assert digest(main=f'"""Says what it does."""\n# why\n{MAIN}') == before
    assert digest(helper='def double(x):\n    """Twice."""\n    return (2\n        * x)\n') == before
    assert digest(types="Number = int\n") == before  # imported for type checkers alone
    assert digest(unrelated="x = 2\n") == before


def test_code_and_what_it_imports_do(digest: Digest) -> None:
    found = {
        digest(),
        digest(main=MAIN.replace("double(x) +", "double(x) -")),
        digest(helper="def double(x):\n    return 2.0 * x\n"),
        digest(lazy="lazy_name = 2\n"),  # imported within a function, through the package
    }
    assert len(found) == 4


def test_what_generation_imports_is_in_it_and_the_lakes_code_is_not() -> None:
    found = source_files(*ROOTS)
    assert {"skewbench.stability.retrieval", "skewbench.stability.kernel", "skewbench.tasks.generate"} <= found.keys()
    assert {"skewbench.storage.commit", "skewbench.tasks.worker", "skewbench.tasks.report.page"}.isdisjoint(found)
