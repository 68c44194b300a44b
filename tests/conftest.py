"""What all tests share: a quiet, offline environment, and a tiny SDXL on disk."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Shapes are checked in the modules that compute, so before anything imports them. (Settings answer for themselves.)
CHECKED = [f"stability.{name}" for name in ("measures", "retrieval", "control", "attention")]
install_import_hook([*CHECKED, "eval.statistics", "tasks.generate"], "beartype.beartype")

os.environ.update(
    {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TRANSFORMERS_VERBOSITY": "error",
    }
)


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a randomly initialised SDXL: three levels, attention at two, in the hub's layout."""
    from tests.tiny import save_tiny_sdxl

    return save_tiny_sdxl(tmp_path_factory.mktemp("models") / "tiny-sdxl")
