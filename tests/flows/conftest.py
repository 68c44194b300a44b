"""A Prefect server that commands of several tests share: each start of one takes 8 seconds of the processor."""

import threading
from collections.abc import Iterator

import pytest

from skewbench.flows import server_loss
from tests.faults.processes import prefect_server


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables with which commands find it."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as variables:
        yield variables


@pytest.fixture
def server_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process remembers of a server that it lost is forgotten after the test."""
    monkeypatch.setattr(server_loss, "_lost", threading.Event())
