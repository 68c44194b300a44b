"""Running `skewbench` in a test as a person would: a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SKEWBENCH = (sys.executable, "-c", "from skewbench.flows.cli import main; main()")
"""The command, also where it is not installed under its name."""
SMALL: dict[str, Any] = {
    "name": "small",
    "prompts": {"source": "scenes", "count": 4, "objects": [1, 2]},
    "seeds": 2,
    "generation": {"steps": 3},
    "cells": [
        {"name": "baseline", "knob": {"kind": "vanilla"}},
        {"name": "skew", "knob": {"kind": "skew", "alpha": 1.5, "beta": 5.0}},
    ],
    "metrics": ["binding", "msssim_diversity"],
    "workers": {"count": 1, "batch": 4, "shard": 4},
}


def write_experiment(folder: Path, **changes: Any) -> str:
    """A small experiment as a file."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    return str(path)


def skewbench(
    *arguments: str, home: Path | Mapping[str, str], cwd: Path | None = None, typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would.

    Args:
        arguments: Of the command.
        home: Its Prefect home, in which it starts a server of its own; or the variables of a server that is up.
        cwd: Its working folder.
        typed: What it reads from standard input.
    """
    environment = {**os.environ, "COLUMNS": "200"}
    environment.pop("PREFECT_API_URL", None)
    environment.pop("RAY_ADDRESS", None)
    environment |= {"PREFECT_HOME": str(home)} if isinstance(home, Path) else home
    return subprocess.run(
        [*SKEWBENCH, *arguments], capture_output=True, text=True, timeout=600, env=environment, cwd=cwd, input=typed
    )
