"""docs/cloud.md: its commands parse, its experiment is one, its cost is the command's, its files exist."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from skewbench.tasks.estimate import estimate
from skewbench.tasks.experiment import Experiment
from tests.infra.files import INFRA, ROOT, parses

PAGE = (ROOT / "docs" / "cloud.md").read_text(encoding="utf-8")
README = (INFRA / "README.md").read_text(encoding="utf-8")


def _commands() -> list[list[str]]:
    lines = re.findall(r"^    (.+)$", PAGE.replace("\\\n", " "), re.MULTILINE)
    parts = [part.split(" # ")[0].strip() for line in lines for part in line.split("&&")]
    inner = re.findall(r"`(skewbench [^`]*--[^`]*)`|'(skewbench [^']+)'|-- +(skewbench .+)", PAGE.replace("\\\n", " "))
    commands = [*parts, *("".join(found) for found in inner)]
    return [shlex.split(part) for part in commands if re.match(r"(skewbench|ray|prefect) [a-z]", part)]


def test_commands_parse() -> None:
    commands = [command for command in _commands() if not {"…", "P"} & set(command)]
    assert {"skewbench", "ray", "prefect"} == {command[0] for command in commands}
    assert all(parses(command) for command in commands)


def test_the_example_is_what_the_command_works_out(tmp_path: Path) -> None:
    written = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert written
    captions = tmp_path / "captions.txt"
    captions.write_text("\n".join(f"caption {number}" for number in range(100)))
    fields = yaml.safe_load(written[1].replace("/experiment/captions.txt", str(captions)))
    expected = estimate(Experiment.model_validate(fields), str(tmp_path), seconds=6.0)
    assert f"{expected.samples:,} x 6 s / 3600 = {expected.hours:.2f} GPU hours" in PAGE
    assert "about 20 min on 8 worker(s)" in expected.time
    cost = (float(f"{expected.hours:.2f}") + 8 * 10 / 60) * 0.90
    assert f"(2.67 + 1.33) x 0.90 = {cost:.2f}" in PAGE


def test_files_that_are_named_exist() -> None:
    for name in set(re.findall(r"infra/[\w./-]+\.(?:yaml|json|example)", PAGE)) | {"infra/Dockerfile"}:
        assert (ROOT / name).is_file(), name
    column = " ".join(line.split("|")[1] for line in README.splitlines() if "|" in line)
    listed = set(re.findall(r"`([\w/.-]+)`", column))
    files = {path.relative_to(INFRA).as_posix() for path in INFRA.rglob("*") if path.is_file()}
    assert files - {"README.md", ".env"} <= listed


@pytest.mark.parametrize("path", sorted(INFRA.rglob("*.*")), ids=lambda path: path.relative_to(INFRA).as_posix())
def test_what_stands_for_a_persons_own_is_told(path: Path) -> None:
    placeholders = set(re.findall(r"\b(REGISTRY|PROJECT|ami-REPLACE|IMAGE)\b", path.read_text(encoding="utf-8")))
    assert all(f"`{word}`" in README for word in placeholders)
