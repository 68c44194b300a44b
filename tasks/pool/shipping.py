"""Workers run the driver's own code: it is shipped where that is asked for, and a node without it is told."""

import os
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from skewbench.vocabulary.errors import RunError

SHIP_CODE = "SKEWBENCH_SHIP_CODE"
"""Environment variable: 1 where workers of a cluster get the driver's own code, whatever of it their nodes have. The
libraries have to be there."""
_PACKAGES = ("tasks", "stability", "eval", "sql")


def shipped() -> dict[str, Any]:
    """The driver's `runtime_env`: its packages, and the metadata that tells their version and torch's entry point.
    Empty where nothing is to be shipped.
    """
    if os.environ.get(SHIP_CODE, "0") in ("", "0"):
        return {}
    house = Path(__file__).parents[2]
    installed = distribution("skewbench").files or ()
    metadata = next(Path(file.locate()).parent for file in installed if file.name == "entry_points.txt")
    folders = [*(house / name for name in _PACKAGES), metadata]
    return {"py_modules": [str(folder) for folder in folders], "excludes": ["__pycache__", "direct_url.json"]}


def unfit(error: BaseException) -> str:
    """Why no worker will ever stand on its node, in a line; empty where another one may."""
    missing = re.search(r"No module named '(\w+)", str(error))
    if missing and missing[1] in _PACKAGES:
        return (
            f"a node of the cluster has no skewbench: install it there, or set {SHIP_CODE}=1, which ships the driver's"
        )
    if missing:
        return f"a node of the cluster has no Python module {missing[1]!r}: install there what skewbench needs"
    return f"{error}; install the driver's there (its code alone: {SHIP_CODE}=1)" if isinstance(error, RunError) else ""
