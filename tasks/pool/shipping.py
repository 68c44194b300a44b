"""Ships the driver's own code to workers on request, and explains why a node cannot run any worker."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from skewbench.vocabulary.errors import RunError

SHIP_CODE = "SKEWBENCH_SHIP_CODE"
"""Environment variable: 1 makes workers of a cluster use the driver's code instead of their node's installation.
The libraries must be installed there."""
_PACKAGE = "skewbench"
_NOT_FOR_WORKERS = ("flows",)


@contextmanager
def shipped_code() -> Iterator[dict[str, Any]]:
    """Yield the driver's Ray `runtime_env`; empty unless `SHIP_CODE` is set.

    It contains a copy of the package in one folder of its name, which an editable install lacks, and the metadata
    that names its version. Ray uploads both while it connects, so the copy is deleted afterwards.
    """
    if os.environ.get(SHIP_CODE, "0") in ("", "0"):
        yield {}
        return
    installed = distribution(_PACKAGE).files or ()
    metadata = next(Path(file.locate()).parent for file in installed if file.name == "entry_points.txt")
    with TemporaryDirectory(prefix="skewbench-code-") as folder:
        copy = Path(folder) / _PACKAGE
        for room in _rooms():
            shutil.copytree(room, copy / room.name, ignore=shutil.ignore_patterns("__pycache__"))
        yield {"py_modules": [str(copy), str(metadata)], "excludes": ["direct_url.json"]}


def _rooms() -> list[Path]:
    """List the folders of the packages that workers import."""
    here = Path(__file__).parents[2]
    found = (path for path in sorted(here.iterdir()) if path.name not in _NOT_FOR_WORKERS)
    return [path for path in found if (path / "__init__.py").is_file() and find_spec(f"{_PACKAGE}.{path.name}")]


def explain_unfit_node(error: BaseException) -> str:
    """Explain in one line why no worker can ever run on a node.

    Args:
        error: The error that a worker raised on it.

    Returns:
        The explanation; empty if another worker may run there.
    """
    missing = re.search(r"No module named '(\w+)", str(error))
    if missing and missing[1] == _PACKAGE:
        return (
            f"a node of the cluster has no skewbench; install it there, or set {SHIP_CODE}=1 to ship the driver's code"
        )
    if missing:
        return f"a node of the cluster has no Python module {missing[1]!r}; install skewbench's dependencies there"
    return (
        f"{error}; install the driver's version there, or set {SHIP_CODE}=1 to ship the driver's code"
        if isinstance(error, RunError)
        else ""
    )
