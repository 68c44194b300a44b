"""A Prefect server that commands of several tests share: each start of one takes 8 seconds of the processor."""

from collections.abc import Iterator

import pytest

from tests.faults.processes import prefect_server


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables with which commands find it."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as variables:
        yield variables
