"""Names that people give reach neither a path outside of the lake nor a shell."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from skewbench.flows.cli import main
from skewbench.tasks.experiment import Cell, Experiment
from tests.lakes import Lake, make
from tests.security.hostile import NAMES
from tests.tasks.experiments import small


@pytest.mark.parametrize("name", NAMES)
def test_experiments_and_cells_have_plain_names(name: str) -> None:
    fields = small().model_dump()
    with pytest.raises(ValidationError, match="name"):
        Experiment.model_validate(fields | {"name": name})
    with pytest.raises(ValidationError, match="name"):
        Cell.model_validate({"name": name, "knob": {"kind": "vanilla"}})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work") / "lake"
    make(folder, Lake(images=False, prompts=2))
    return folder


COMMANDS = (["report"], ["replay"], ["score"], ["verify"], ["query", "correlations", "--run"], ["runs", "rm", "--yes"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_run_ids_are_looked_up_and_never_become_paths(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    before = sorted(lake.parent.rglob("*"))
    for name in NAMES:
        if not name or "\x00" in name:  # no argument, or none that a shell could pass
            continue
        monkeypatch.setattr(sys, "argv", ["skewbench", *command, "--lake", str(lake), "--", name])
        if command[-1] == "--run":
            monkeypatch.setattr(sys, "argv", ["skewbench", *command[:-1], "--lake", str(lake), f"--run={name}"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2, name
        assert "Traceback" not in capsys.readouterr().err
    assert sorted(lake.parent.rglob("*")) == before
