"""Running `skewbench` in a test: as a person would, in a process of its own, or in this one."""

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from skewbench.flows.cli import main
from tests.prefect_home import prepare_home

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


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what the block does to the environment: options set variables for the processes that a command starts."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_in_process(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, where its libraries are imported already.

    Args:
        monkeypatch: Of the test.
        arguments: Of the command.
        typed: What it reads from standard input.
    """
    out, err = io.StringIO(), io.StringIO()
    with monkeypatch.context() as patched, _environment_kept(), redirect_stdout(out), redirect_stderr(err):
        patched.setattr(sys, "argv", ["skewbench", *arguments])
        patched.setattr(sys, "stdin", io.StringIO(typed))
        patched.setattr(warnings, "showwarning", warnings.showwarning)  # the command sets its own
        patched.setenv("COLUMNS", "200")
        try:
            main()
        except SystemExit as ended:
            return subprocess.CompletedProcess(
                ["skewbench", *arguments], int(ended.code or 0), out.getvalue(), err.getvalue()
            )
    raise AssertionError("the command did not exit")


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
    environment |= {"PREFECT_HOME": str(prepare_home(home))} if isinstance(home, Path) else home
    return subprocess.run(
        [*SKEWBENCH, *arguments], capture_output=True, text=True, timeout=600, env=environment, cwd=cwd, input=typed
    )
