"""Findings of a report: adjusted for all that were looked at, and from ten prompts or more."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skewbench.storage.store import LocalStore
from skewbench.tasks.report import answered, findings
from skewbench.tasks.report.findings import Findings, find
from tests.lakes import Lake, made


def _found(folder: Path, lake: Lake) -> Findings:
    run_id = made(folder, lake)
    with answered(LocalStore(folder), run_id) as answers:
        return find(answers)


def test_seeds_are_no_prompts(tmp_path: Path) -> None:
    """Nine prompts give no finding, however many images they have."""
    assert _found(tmp_path / "few", Lake(prompts=9, seeds=8, images=False)).stated == 0
    many = _found(tmp_path / "many", Lake(prompts=40, seeds=8, images=False))
    assert 0 < many.stated < many.candidates
    for sentence in (sentence for group in many.groups for sentence in group.sentences):
        low, high = re.search(r"\[(.+?),\xa0(.+?)\]", sentence).groups()  # type: ignore[union-attr]
        assert low[0] == high[0], sentence  # the same sign
        assert "n\xa0=\xa0" in sentence


def _stated(monkeypatch: pytest.MonkeyPatch, *rows: tuple[float, float, float, int]) -> tuple[str, ...]:
    """The sentences that hold of candidates: value, ends of the interval, prompts."""
    some = [
        findings._Candidate(str(number), {"low": low, "high": high, "n": 100}, value, prompts)
        for number, (value, low, high, prompts) in enumerate(rows)
    ]
    monkeypatch.setattr(findings, "_correlations", lambda answers: iter(some))
    monkeypatch.setattr(findings, "_regimes", lambda answers, cell: iter(()))
    monkeypatch.setattr(findings, "_worst", lambda answers, cell: iter(()))
    answers: Any = SimpleNamespace(cells=["baseline"], baseline="baseline")
    found = find(answers)
    assert found.candidates == len(rows)
    return found.groups[0].sentences


def test_findings_are_adjusted_for_all_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    barely, clearly, nothing = (1.0, 0.1, 1.9, 1000), (1.0, 0.8, 1.2, 1000), (0.1, -0.9, 1.1, 1000)
    assert _stated(monkeypatch, barely) == ("0",)
    assert _stated(monkeypatch, barely, *[nothing] * 22) == ()
    assert _stated(monkeypatch, barely, clearly, *[nothing] * 21) == ("1",)
    assert _stated(monkeypatch, (*barely[:3], 9), (*clearly[:3], 9), nothing) == ()
