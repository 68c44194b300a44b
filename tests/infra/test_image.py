"""The image: linted, pinned, not root, and what it copies and installs is there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.infra.files import INFRA, ROOT

DOCKERFILE = (INFRA / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_the_linter_finds_nothing() -> None:
    command = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([command, INFRA / "Dockerfile"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_it_copies_is_there_and_reaches_the_builder() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"]
    sources = [source for line in _instructions("COPY") for source in line.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in kept, f"{source} is held back by .dockerignore"
    rooms = re.search(r"ROOMS = \((.*)\)", (ROOT / "setup.py").read_text(encoding="utf-8"))
    assert rooms
    assert set(re.findall(r'"(\w+)"', rooms[1])) <= set(sources)


def test_it_runs_as_a_user_and_has_no_secret() -> None:
    assert _instructions("USER") == ["1000"]
    assert DOCKERFILE.index("USER 1000") < DOCKERFILE.index("CMD [")
    settings = " ".join([*_instructions("ENV"), *_instructions("ARG")])
    assert not re.search(r"TOKEN=|SECRET|PASSWORD|KEY", settings)


def test_bases_and_packages_are_pinned() -> None:
    bases = [line.split()[0] for line in _instructions("FROM")]
    outside = [base for base in bases if base not in ("python", "torch-${DEVICE}")]
    assert outside == ["python:3.11.14-slim-bookworm"]
    for line in _instructions("RUN"):
        if "pip install" in line:
            assert "constraints.txt" in line


def test_extras_that_it_installs_exist() -> None:
    asked = re.search(r'"\.\[([a-z,]+)\]"', DOCKERFILE)
    assert asked
    assert set(asked[1].split(",")) <= set(PROJECT["optional-dependencies"])
