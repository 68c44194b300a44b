"""What tests of commands share."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from skewbench.flows import server_loss
from tests.faults.processes import prefect_server
from tests.flows.command import run_in_process
from tests.flows.importing import Command


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables with which commands find a Prefect server. Each start of one takes 8 seconds of the processor."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as variables:
        yield variables


@pytest.fixture
def server_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process remembers of a server that it lost is forgotten after the test."""
    monkeypatch.setattr(server_loss, "_lost", threading.Event())


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command on the lake `lake` of an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_in_process(monkeypatch, *arguments, "--lake", "lake")
