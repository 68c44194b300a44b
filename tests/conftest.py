"""What all tests share: a quiet, offline environment, and a tiny SDXL on disk."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jaxtyping import install_import_hook

from tests.prefect_home import TEMPLATE

if TYPE_CHECKING:
    from skewbench.storage.store import Store
    from tests.google_store import GoogleStore
    from tests.object_store import S3Server

# Shapes are checked in the modules that compute, so before anything imports them. (Settings answer for themselves.)
COMPUTING = ("measures", "retrieval", "retrieved", "rescaled", "control", "attention")
CHECKED = [f"skewbench.stability.{name}" for name in COMPUTING]
install_import_hook([*CHECKED, "skewbench.eval.statistics", "skewbench.tasks.generate"], "beartype.beartype")

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


LONGEST = (
    "flows/test_prefect",
    "test_installed",
    "faults/test_campaign",
    "flows/test_incomplete",
    "tasks/test_nodes",
    "tasks/test_pool",
    "security/test_attacks",
    "flows/test_nightly",
    "flows/test_end_to_end",
    "flows/test_bucket_lake",
    "tasks/test_bucket_run",
    "plugins/test_knob_and_family",
    "tasks/test_hangs",
    "test_trials",
    "test_bench",
    "flows/test_reports",
    "flows/test_schedule",
    "flows/test_deployments",
    "plugins/test_queries",
    "plugins/test_scorers",
    "plugins/test_environments",
    "eval/environments/test_prepare",
    "tasks/test_broken_files",
    "tasks/test_report",
    "tasks/test_shortfalls",
    "tasks/test_compact",
    "tasks/test_analyse",
    "sql/test_query_contract",
    "plugins/test_contracts",
    "eval/test_cpu_torchvision",
    "stability/test_compile",
    "test_object_store",
    "tasks/families/test_runs",
)
"""The files that take longest. They come first, so that no core is idle at the end while another is at one of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--device cuda` runs the golden tests and the kernel's tests on a GPU. Other tests stay on the CPU."""
    parser.addoption("--device", choices=["cpu", "cuda"], default="cpu", help="of the golden and the kernel's tests")


def pytest_configure(config: pytest.Config) -> None:
    """Choose Triton's interpreter on a CPU. Triton reads the variable when it is first imported."""
    if config.getoption("--device") == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"  # its kernels run on any machine then, slowly


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    """Device of the golden tests and of the kernel's tests."""
    return str(request.config.getoption("--device"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order."""

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(Path(__file__).parent).with_suffix("").as_posix()
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def prefect_template(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the processes of this test run share a database for new Prefect homes (`prefect_home`)."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    os.environ[TEMPLATE] = str(shared / "prefect-template")


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a randomly initialised SDXL: three levels, attention at two, in the hub's layout."""
    from tests.tiny import save_tiny_sdxl

    return save_tiny_sdxl(tmp_path_factory.mktemp("models") / "tiny-sdxl")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[S3Server]":
    """A real S3 server on loopback, for all tests of the session that want one."""
    from tests.object_store import S3Server

    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket_lake(s3_server: "S3Server", monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a lake of its own on the S3 server, whose keys are in the environment."""
    return _own_lake(s3_server, monkeypatch)


@pytest.fixture(scope="session")
def google_store() -> "Iterator[GoogleStore]":
    """What stands in for Google's store, for all tests of the session that want it."""
    from tests.google_store import GoogleStore

    with GoogleStore() as server:
        yield server


@pytest.fixture
def google_lake(google_store: "GoogleStore", monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a lake of its own there."""
    return _own_lake(google_store, monkeypatch)


def _own_lake(server: "S3Server | GoogleStore", monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.lake(uuid.uuid4().hex)


@pytest.fixture(params=["folder", "bucket_lake", "google_lake"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> "Store":
    """An empty lake of each kind: what one promises the others do."""
    from skewbench.storage.store import open_store

    return open_store(tmp_path / "lake" if request.param == "folder" else request.getfixturevalue(request.param))
