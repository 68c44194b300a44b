"""Declarations that break the contract are refused, each with what is wrong."""

from typing import Any

import numpy as np
import pytest

from skewbench.eval.scorers import GroupScore, Metric, Scorers, make, scorer
from skewbench.eval.scoring import declaration
from skewbench.eval.weights import WEIGHTS, Source, Weights
from skewbench.vocabulary.metrics import merged
from tests.eval.scorers.registered import metric, register


class Toy:
    """A scorer of samples."""

    def score(self, images: np.ndarray, prompts: list[str]) -> dict[str, Any]:
        return {}


def declare(**changes: Any) -> None:
    fields: dict[str, Any] = {"name": "toy", "version": 1, "unit": "sample", "medium": "image"}
    made = changes.pop("make", Toy)
    scorer(**(fields | {"metrics": [metric("toy")]} | changes))(made)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "binding", "metrics": [metric("mine")]}, "the name is taken by skewbench.eval.scorers.binding"),
        ({"name": "all"}, "the name must consist of lower-case letters"),
        ({"name": "To y"}, "the name must consist of lower-case letters"),
        ({"version": 0}, "version is 0"),
        ({"unit": "image"}, "unit is 'image'; one of sample, prompt, cell"),
        ({"medium": "smell"}, "medium is 'smell'; one of image, audio, video"),
        ({"environment": ["numpy<2"]}, r"environment is \['numpy<2'\]; an Environment\(name"),
        ({"set": "all"}, "set is only for the units"),
        ({"unit": "prompt"}, "set is only for the units"),
        ({"unit": "prompt", "set": "the seeds"}, "it is not a GroupScorer, which its unit prompt requires"),
        ({"metrics": []}, "it declares no metric, or a duplicate metric"),
        ({"metrics": [metric("one"), metric("one")]}, "it declares no metric, or a duplicate metric"),
        ({"metrics": ["one"]}, "metrics are Metric"),
        ({"metrics": [metric("alignment")]}, "metric 'alignment': the name is reserved"),
        ({"metrics": [metric("contrast")]}, "metric 'contrast' is that of scorer 'contrast'"),
        ({"metrics": [metric("one", grows_with_n=True)]}, "metric 'one' grows with n, but its unit is sample"),
        (
            {"needs": [Weights("alexnet", (Source(("mine.pt",)),), "MIT", 1)]},
            "weights 'alexnet': the name is already used",
        ),
    ],
)
def test_what_breaks_the_contract_is_refused(changes: dict[str, Any], reason: str) -> None:
    make("contrast")  # after discovery a mistake is an error at once
    with pytest.raises(ValueError, match=reason):
        declare(**changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "Two words"}, "lower-case letters"),
        ({"better": "up"}, "better is 'up'; one of higher, lower, neither"),
        ({"label": " "}, "label must be one line of text"),
        ({"meaning": "one\ntwo"}, "meaning must be one line of text"),
        ({"low": 1.0, "high": 0.0}, "low 1.0 is not below high 0.0"),
    ],
)
def test_a_metric_that_makes_no_sense_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        metric(**({"name": "toy"} | changes))


def test_a_side_has_no_default() -> None:
    with pytest.raises(TypeError, match="better"):
        Metric(name="toy", label="Toy", meaning="a toy", low=None, high=None, grows_with_n=False)  # type: ignore[call-arg]


def test_a_function_that_makes_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, "toy", lambda: object())
    with pytest.raises(ValueError, match=r"scorer 'toy' of tests\.eval\.scorers\.registered is not a SampleScorer"):
        make("toy")


def test_what_is_decorated_gets_the_scorers_if_it_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    class Group:
        def __init__(self, scorers: Scorers) -> None:
            given.append(scorers.device)

        def score_group(self, images: np.ndarray, prompt: str | None) -> dict[str, GroupScore]:
            return {}

    register(monkeypatch, "toy", Group, unit="prompt", set="the seeds")
    scorers = Scorers("cuda")
    assert scorers.get("toy") is scorers.get("toy")
    assert given == ["cuda"]


def test_a_scorer_brings_its_own_row_of_weights() -> None:
    row = Weights("toy-weights", (Source(("toy.pt",), url="https://example.org/toy.pt"),), "MIT", 1)
    make("contrast")
    try:
        declare(name="toy_with_weights", metrics=[metric("toy_with_weights")], needs=[row, "numpy"])
        assert WEIGHTS["toy-weights"] is row
        assert declaration.declaration("toy_with_weights").needs == ("toy-weights", "numpy")
    finally:
        WEIGHTS.pop("toy-weights", None)
        declaration._OWNERS.pop("toy_with_weights", None)
        declaration.REGISTRY._items.pop("toy_with_weights", None)


def test_what_a_run_knew_stays_unless_the_version_changed() -> None:
    known = [{"name": "a", "scorer": "s", "version": 1, "better": "lower"}]
    assert merged(known, [{"name": "a", "scorer": "s", "version": 1, "better": "higher"}]) == known
    newer = {"name": "a", "scorer": "s", "version": 2, "better": "higher"}
    assert merged(known, [newer, {"name": "b", "scorer": "t", "version": 1}])[0] == newer
