"""Packages in their environments: the values are those of the package by itself, or of our port."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skewbench.eval.environments import Environment, find
from skewbench.eval.environments.prepare import NotPrepared, prepare
from skewbench.eval.scorers import declaration, make
from skewbench.eval.weights import WEIGHTS
from tests.conformance.__main__ import COMPARED
from tests.conformance.dreamsim import ENVIRONMENT as DREAMSIM

PACKAGES = {"hpsv3": "hpsv3", "image_reward_package": "image_reward", "vqascore": "vqascore"}


@pytest.mark.parametrize("name", PACKAGES)
def test_it_needs_weights_and_an_environment(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = declaration(name)
    assert declared.environment
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("SKEWBENCH_ENVIRONMENTS", str(tmp_path / "environments"))
    assert declared.package == declared.environment.pip[0].replace("==", " ")
    (weights,) = declared.needs
    assert f"skewbench weights get {weights}" in str(declared.missing())
    monkeypatch.setenv(WEIGHTS[weights].variable, str(tmp_path))
    assert declared.missing() is None
    environment = declared.environment.name
    assert declared.missing(prepared=True) == (
        f"environment {environment} is not prepared; `skewbench weights get {environment}`"
    )


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder in which each environment is prepared once for all tests of this file: pip takes minutes."""
    return str(tmp_path_factory.mktemp("environments"))


@pytest.fixture
def prepared(environments: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Prepares an environment, or skips the test; `python -m tests.conformance` does it elsewhere."""

    def prepare_for(name: str) -> None:
        environment = DREAMSIM if name == "dreamsim" else declaration(name).environment
        assert isinstance(environment, Environment)
        if find(environment):
            return
        monkeypatch.setenv("SKEWBENCH_ENVIRONMENTS", environments)
        try:
            prepare(environment)
        except NotPrepared as error:
            pytest.skip(str(error))

    return prepare_for


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [*PACKAGES, "dreamsim"])
def test_the_values_agree(name: str, tmp_path: Path, prepared: Callable[[str], None]) -> None:
    prepared(name)
    rows = COMPARED[PACKAGES.get(name, name)](tmp_path)
    assert all(row.agrees for row in rows), rows
    assert np.std([row.package for row in rows]) > 1e-3


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("scorer", "file"),
    [("hpsv3", "HPSv3.safetensors"), ("image_reward_package", "ImageReward.pt"), ("vqascore", "config.json")],
)
def test_a_checkpoint_of_something_else_is_named(
    scorer: str, file: str, tmp_path: Path, prepared: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(scorer)
    (tmp_path / file).write_bytes(b"something else")
    (weights,) = declaration(scorer).needs
    monkeypatch.setenv(WEIGHTS[weights].variable, str(tmp_path))
    with pytest.raises(RuntimeError, match=rf"{scorer} in environment .*: BadWeights: .*"):
        make(scorer).score(np.zeros((1, 32, 32, 3), np.uint8), ["a red circle"])
