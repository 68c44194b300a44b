"""Ids change with what decides the numbers, and with nothing else."""

from typing import Any

import pytest

from skewbench.tasks import identity
from skewbench.tasks.identity import digest, noise_seed, pair_id, run_id
from skewbench.tasks.prompts import Prompt, load_prompts
from skewbench.tasks.size import Size
from tests.tasks.experiments import BASELINE, small

PROMPTS = load_prompts(small().prompts)


def _id(**changes: Any) -> str:
    return run_id(small(**changes), PROMPTS, "revision", "source")


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "other words"},
        {"metrics": ["sharpness"]},
        {"workers": {"batch": 4, "shard": 64, "count": 3}},
    ],
)
def test_how_work_is_placed_does_not_matter(changes: dict[str, Any]) -> None:
    assert _id(**changes) == _id()


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 3},
        {"shared_seeds": True},
        {"generation": {"steps": 3}},
        {"generation": {"steps": 2, "threads": 2}},
        {"generation": {"steps": 2, "attention_kernel": "triton"}},
        {"cells": [BASELINE]},
        {"measure": {"every": 2}},
        {"model": {"dtype": "bfloat16"}},
        {"repeat": "2026-01-01"},
    ],
)
def test_what_decides_numbers_matters(changes: dict[str, Any]) -> None:
    assert _id(**changes) != _id()


def test_prompts_revision_source_and_libraries_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        _id(),
        run_id(small(), PROMPTS[:1], "revision", "source"),
        run_id(small(), PROMPTS, "other revision", "source"),
        run_id(small(), PROMPTS, "revision", "other source"),
    }
    with monkeypatch.context() as patched:
        patched.setattr(identity, "versions", lambda: {"torch": "0", "diffusers": "0", "skewbench": "0"})
        known.add(_id())
    assert len(known) == 5


def test_batch_decides_where_eta_is_shared_by_it() -> None:
    def with_batch(batch: int) -> str:
        knob = {"kind": "skew", "alpha": 1.2, "adapt_alpha": "dev", "eta_scope": "batch"}
        return _id(cells=[BASELINE, {"name": "b", "knob": knob}], workers={"batch": batch})

    assert with_batch(2) != with_batch(4)


def test_noise_seeds() -> None:
    own = {noise_seed(prompt, seed, shared=False) for prompt in ("a", "b") for seed in range(100)}
    shared = {noise_seed(prompt, seed, shared=True) for prompt in ("a", "b") for seed in range(100)}
    assert (len(own), len(shared)) == (200, 100)
    assert all(0 <= seed < 2**63 for seed in own | shared)


def test_pairs_do_not_know_cell_or_run() -> None:
    assert pair_id("p", 1, Size(64, 64)) == pair_id("p", 1, Size(64, 64)) == digest("pair", "p", 1, 64, 64)[:16]
    assert len({pair_id(p, n, Size(w, 64)) for p in "pq" for n in (1, 2) for w in (64, 128)}) == 8
    videos = [Size(64, 64, frames, fps=fps) for frames in (5, 9) for fps in (8.0, 16.0)]
    assert len({pair_id("p", 1, size) for size in videos}) == 2  # how fast frames are shown changes none of them
    assert len({pair_id("p", 1, Size(duration=seconds, sampling_rate=16000)) for seconds in (1.0, 2.0)}) == 2


def test_prompt_id_is_of_its_text() -> None:
    assert Prompt("x", "t", None) != PROMPTS[0]
    assert [p.id for p in load_prompts(small().prompts)] == [p.id for p in PROMPTS]
