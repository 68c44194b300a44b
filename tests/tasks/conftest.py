"""What the tests of tasks share."""

from pathlib import Path

import pytest

from skewbench.storage.store import LocalStore
from skewbench.tasks.report import report_run
from tests.lakes import Lake, made


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a synthetic lake that has everything."""
    folder = tmp_path_factory.mktemp("lake")
    return Path(report_run(LocalStore(folder), made(folder, Lake(prompts=16, seeds=4))))
