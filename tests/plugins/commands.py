"""Several commands in one process: `python -m tests.plugins.commands '[["plan", "demo"], ["weights"]]'`.

Prints a list of arguments, exit code, standard output and standard error of each, as JSON.
"""

import json
import sys

import pytest

from tests.flows.command import run_in_process


def main(commands: list[list[str]]) -> None:
    """Run them one after the other."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = [run_in_process(monkeypatch, *command) for command in commands]
    print(json.dumps([[done.args, done.returncode, done.stdout, done.stderr] for done in found]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
