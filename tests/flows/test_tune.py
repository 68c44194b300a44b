"""`skewbench tune` on the bundled model, stopped half way and resumed; and bad input."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skewbench import sql
from skewbench.flows.experiments.strict_yaml import read_yaml
from skewbench.stability import Knob, Skew, Temperature, perturb
from skewbench.stability.knobs import Cads, Guidance, Pag
from skewbench.tasks.experiment import GenerationSpec, ModelSpec, parse_experiment
from skewbench.tasks.families.registry import families
from skewbench.tasks.models import resolve_model
from skewbench.tasks.tune.design import Design
from skewbench.tasks.tune.form import Tuning
from skewbench.tasks.tune.request import check_request, check_support
from skewbench.tasks.tune.words import usage
from skewbench.tasks.worker import Worker
from skewbench.vocabulary.errors import InputError
from tests.flows.command import run_in_process
from tests.stability.models import tiny_unet

ASKED = (
    "--objective",
    "binding, subject to sharpness >= 0.1 of baseline",
    "--budget",
    "84",
    "--seeds",
    "1",
    "--steps",
    "1",
    "--knobs",
    "skew,guidance,weak-pag",
)
TINY = Design(seeds=1, rounds=1, prompts=2, cells=4, held_out=3)


@pytest.mark.slow
def test_a_stopped_search_resumes_to_the_same_path_and_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewbench.tasks.tune.request.divide", lambda *_: TINY)
    jobs: list[str] = []
    done = Worker.run

    def run(worker: Worker, job: Any) -> Any:
        if len(jobs) == stop_at:
            raise KeyboardInterrupt
        receipt = done(worker, job)
        jobs.append(f"{receipt.run_id} {job.key}")
        return receipt

    def tuned(lake: str) -> Any:
        return run_in_process(monkeypatch, "tune", *ASKED, "--local", "--lake", str(tmp_path / lake))

    monkeypatch.setattr(Worker, "run", run)
    stop_at = -1
    whole, expected = tuned("whole"), list(jobs)
    assert whole.returncode == 0, whole.stderr
    assert len(expected) == len(set(expected))
    jobs.clear()
    stop_at = len(expected) // 2
    stopped = tuned("stopped")
    assert (stopped.returncode, "stopped; run the same command again to resume" in stopped.stderr) == (130, True)
    assert len(jobs) == stop_at
    stop_at = -1
    resumed = tuned("stopped")
    assert resumed.returncode == 0, resumed.stderr
    assert sorted(jobs) == sorted(expected)  # nothing was generated or scored twice
    results = [[line for line in one.stdout.splitlines() if _of_result(line)] for one in (whole, resumed)]
    assert results[0] == results[1]
    assert "verdict: not shown: only 3 prompts have a pair; 10 are needed" in results[0]
    assert any(line.startswith("perturb(pipeline.unet, ") for line in results[0])
    paths = [_path(tmp_path / lake) for lake in ("whole", "stopped")]
    assert paths[0] == paths[1]
    assert [row["phase"] for row in paths[0]] == ["explore"] * 3 + ["final"] * 3 + ["held-out"]
    assert [row["words"].split(",")[0] for row in paths[0][:3]] == ["skew", "guidance", "pag"]
    assert "as weak branch" in paths[0][2]["words"]
    assert paths[0][-1]["verdict"] == "not shown"
    assert len({row["measured_in"] for row in paths[0]}) == 3
    with sql.connect(tmp_path / "stopped") as lake:
        samples = lake.execute(
            "SELECT count(*), count(DISTINCT (prompt_id, seed, run_id, cell)) FROM samples"
        ).fetchone()
    assert samples == (TINY.images, TINY.images)
    (page,) = (tmp_path / "stopped" / "_reports").glob("*held-out*.html")
    assert "How was this setting chosen?" in page.read_text(encoding="utf-8")


def _of_result(line: str) -> bool:
    return not line.startswith(("tune-", "done in", "report:"))


def _path(lake: Path) -> list[dict[str, Any]]:
    with sql.connect(lake) as connection:
        return sql.query(connection, "tuning_path").to_dicts()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--objective": "beauty"}, "objective 'beauty': no such metric; there are"),
        ({"--objective": "sharpness"}, "this metric has no better side"),
        (
            {"--objective": "binding, subject to msssim_diversity >= 0.9 of baseline"},
            "seeds 1: msssim_diversity compares",
        ),
        ({"--budget": "83"}, "budget 83: the smallest search with 1 seeds generates 84 images"),
        ({"--budget": "0"}, "budget 0: Input should be greater than or equal to 1"),
        ({"--knobs": "skew,magic"}, "knobs 'magic': no such knob; there are apg, cads, "),
        ({"--knobs": "vanilla"}, "knobs 'vanilla': none of its strengths declares a range to search"),
        ({"--model": "./nowhere"}, "model.id './nowhere'"),
        ({"--prompts": "nowhere.txt"}, "prompts.path 'nowhere.txt'"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], message: str
) -> None:
    asked = {**dict(zip(ASKED[::2], ASKED[1::2], strict=True)), **changes}
    given = [word for pair in asked.items() for word in pair]
    ended = run_in_process(monkeypatch, "tune", *given, "--local", "--lake", str(tmp_path / "lake"))
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "lake").exists()


def test_a_knob_that_the_model_does_not_support_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewbench.tasks.tune.request.blocks_of", lambda _source: [])
    request = check_request(Tuning(knobs=("skew",)))
    with pytest.raises(InputError, match=r"knobs 'skew': shapes-xl does not support it: .* matches no self-attention"):
        check_support(request, resolve_model(ModelSpec()))


def test_the_prompts_of_a_request_depend_on_its_seed_alone() -> None:
    first, again, other = (check_request(Tuning(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.name == again.name != other.name
    assert {prompt.id for prompt in first.prompts} == {prompt.id for prompt in other.prompts}
    assert first.prompts != other.prompts


@pytest.mark.parametrize(
    ("setting", "needs"),
    [
        (Skew(alpha=1.2, beta=4.5, blocks=("up", 0), rescale="off"), ""),
        (Temperature(tau=0.8), ""),
        (Pag(share=1.0, weak=2.5), ", samples=1, guidance=5"),
        (Guidance(scale=3.5), ", samples=1, guidance=5"),
        (Cads(noise=0.5), ", samples=1, steps=12, noise_seeds=[0]"),
    ],
)
def test_the_lines_that_use_a_setting_are_python_and_yaml(setting: Knob, needs: str) -> None:
    unet = tiny_unet()
    python, cell = usage(setting, families.get("StableDiffusionXLPipeline"), 5.0, 12)
    named = {"perturb": perturb, "pipeline": SimpleNamespace(unet=unet), type(setting).__name__: type(setting)}
    with eval(python, named):
        pass
    call = python.removeprefix("perturb(pipeline.unet, ").removesuffix(f"{needs})")
    assert eval(call, named) == setting
    assert "adapt_alpha" not in python
    (given,) = read_yaml(cell, "the line")
    baseline = {"name": "baseline", "knob": {"kind": "vanilla"}}
    assert setting in parse_experiment({"name": "x", "cells": [baseline, given]}, "the line").cells[1].knobs


def test_the_line_for_a_model_that_guides_in_calls_has_its_loop() -> None:
    python, _ = usage(Guidance(scale=3.5), families.get("QwenImagePipeline"), 4.0, 20)
    assert python.endswith("samples=1, guidance=4, loop=Loop(pipeline.scheduler, ('cond', 'uncond')))")


def test_a_rule_needs_a_model_that_guides() -> None:
    request = check_request(Tuning(knobs=("guidance",), generation=GenerationSpec(guidance=1.0)))
    with pytest.raises(InputError, match=r"knobs 'guidance': shapes-xl does not support it: .* set it above 1"):
        check_support(request, resolve_model(ModelSpec()))
