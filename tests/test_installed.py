"""The wheel, installed in an environment of its own and used from a folder full of misleading names."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from tests.flows.command import SMALL, write_experiment
from tests.flows.serving import served
from tests.prefect_home import prepare_home

pytestmark = pytest.mark.timeout(1800)  # builds a wheel and runs with it, on a machine that may be busy
ROOT = Path(__file__).parents[1]
MISLEADING = (
    "tasks.py",
    "eval.py",
    "stability.py",
    "storage.py",
    "vocabulary.py",
    "flows/__init__.py",
    "sql/__init__.py",
)
"""Files of a user's working folder that have the names of our packages."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment that holds the wheel; it borrows the libraries of this one.

    The wheel is built from the source distribution, so that both are complete.
    """
    folder = tmp_path_factory.mktemp("installed")
    build = "from setuptools.build_meta import build_sdist; import sys; build_sdist(sys.argv[1])"
    _run([sys.executable, "-c", build, str(folder)], cwd=ROOT)
    (source,) = folder.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(source)])
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    (packages,) = environment.glob("lib/python*/site-packages")
    # a plain path: unlike this environment's own .pth files, it does not activate the editable install
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = environment / "bin" / "python"
    _run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)])
    return environment / "bin"


@pytest.fixture
def misleading(tmp_path: Path) -> Path:
    """A working folder whose modules fail when they are imported."""
    for name in MISLEADING:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise RuntimeError('imported from the working folder')\n")
    return tmp_path


def test_the_wheel_installs_one_name(installed: Path) -> None:
    (packages,) = installed.parent.glob("lib/python*/site-packages")
    ours = {path.name for path in packages.iterdir() if "skewbench" in path.name}
    assert {path.name for path in packages.iterdir()} == ours | {"libraries.pth"}
    assert (packages / "skewbench" / "stability" / "__init__.py").is_file()


def test_importing_torch_runs_nothing_of_ours(installed: Path, misleading: Path) -> None:
    """`python -c` puts the working folder first on the path, so any hook of ours would meet the folder's names."""
    code = "import sys, torch; print([name for name in sys.modules if name.startswith('skewbench')])"
    assert _run([str(installed / "python"), "-c", code], cwd=misleading).strip() == "[]"


@pytest.mark.slow
def test_a_run_in_a_folder_of_misleading_names(installed: Path, misleading: Path) -> None:
    """The command, its temporary Prefect server and Ray's workers import the installed package alone."""
    experiment = write_experiment(misleading, prompts={"source": "scenes", "count": 1, "objects": [1]})
    command = [str(installed / "skewbench"), "run", experiment, "--lake", "lake"]
    _run(command, cwd=misleading, home=misleading / "home")
    code = (
        "from skewbench import sql\n"
        "lake = sql.connect('lake')\n"
        "print(lake.sql('SELECT count(*) FROM images').fetchone()[0], sql.__file__)\n"
    )
    count, where = _run([str(installed / "python"), "-P", "-c", code], cwd=misleading).split()
    assert int(count) == 4
    assert Path(where).is_relative_to(installed.parent)


@pytest.mark.slow
def test_a_served_flow_in_a_folder_of_misleading_names(
    installed: Path, misleading: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`skewbench up`, the flow that it runs, and that flow's workers import the installed package alone."""
    folder = tmp_path_factory.mktemp("up")
    with served(folder, skewbench=[str(installed / "skewbench")], cwd=misleading) as server:
        smallest = {**SMALL, "prompts": {"source": "scenes", "count": 1, "objects": [1]}, "metrics": ["contrast"]}
        experiment = {"yaml": yaml.safe_dump({**smallest, "generation": {"steps": 1}})}
        flow_run = server.launch("benchmark", experiment=experiment, lake=str(server.lake))
        assert server.end_of(flow_run) == "COMPLETED", server.log(flow_run)
    assert find_run(LocalStore(server.lake), None).status == "committed"


def _run(command: list[str], cwd: Path | None = None, home: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PREFECT_API_URL")}
    environment |= {"PREFECT_HOME": str(prepare_home(home))} if home else {}
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
