"""Where `skewbench score` and its flow score a run that was made on GPUs."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from prefect.states import Completed
from typer.testing import CliRunner

from skewbench.eval.scorers import declaration, names
from skewbench.flows.cli import app
from skewbench.flows.score import score
from skewbench.tasks.jobs import Needs
from skewbench.vocabulary.errors import IncompleteRunError, InputError
from tests.lakes import Lake, made

EXPERIMENT = {
    "name": "toy",
    "description": "A toy.",
    "model": {"id": "shapes-xl"},
    "generation": {"threads": 1},
    "metrics": ["binding"],
    "workers": {"gpus": 2.0},
}


@pytest.mark.parametrize(("given", "asked"), [(None, 2.0), (0.0, 0.0), (0.5, 0.5)])
def test_gpus_of_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: float | None, asked: float) -> None:
    def workers(needs: Needs, *_others: Any) -> None:
        raise AssertionError(f"asked for {needs.gpus} GPUs")

    monkeypatch.setattr("skewbench.flows.score.workers", workers)
    monkeypatch.setattr("skewbench.flows.score.left_of_run", lambda *_: ["a job"])
    run_id = made(tmp_path, Lake(), experiment=EXPERIMENT)
    with pytest.raises(AssertionError, match=f"asked for {asked} GPUs"):
        score.fn(run_id, ("contrast",), lake=str(tmp_path), gpus=given)


@pytest.mark.parametrize(("options", "gpus"), [([], None), (["--gpus", "0"], 0.0)])
def test_the_command_hands_them_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], gpus: float | None
) -> None:
    run_id, given = made(tmp_path, Lake(), experiment=EXPERIMENT), []
    known = [name for name in score.parameters.properties if name != "track"]  # the command sends runs itself
    monkeypatch.setattr("skewbench.flows.cli.score.prefect_and_ray", lambda *_: nullcontext())
    monkeypatch.setattr("skewbench.tasks.scoring.left_of_run", lambda *_: ["a job"])
    monkeypatch.setattr("skewbench.flows.score.score", lambda *those, **_: given.append(those) or Completed())
    done = CliRunner().invoke(app, ["score", run_id, "--metrics", "contrast", "--lake", str(tmp_path), *options])
    assert done.exit_code == 0, done.exception
    assert dict(zip(known, given[0], strict=True))["gpus"] == gpus


@pytest.mark.parametrize("medium", ["image", "audio"])
def test_all_are_the_scorers_of_the_runs_medium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, medium: str) -> None:
    """The command hands the flow names, which the flow checks again."""
    run_id, given = made(tmp_path, Lake(), experiment=EXPERIMENT), []
    for module in ("skewbench.tasks.media", "skewbench.flows.score"):
        monkeypatch.setattr(f"{module}.medium_of", lambda _: medium)
    monkeypatch.setattr("skewbench.flows.cli.score.prefect_and_ray", lambda *_: nullcontext())
    monkeypatch.setattr("skewbench.tasks.scoring.left_of_run", lambda *_: ["a job"])
    monkeypatch.setattr(
        "skewbench.flows.score.score", lambda _, metrics, *__, **___: given.append(metrics) or Completed()
    )
    done = CliRunner().invoke(app, ["score", run_id, "--metrics", "all", "--lake", str(tmp_path)])
    assert done.exit_code == 0, done.exception
    assert given == [tuple(name for name in names() if declaration(name).medium == medium)]
    monkeypatch.setattr("skewbench.flows.score.left_of_run", lambda *_: [])
    monkeypatch.setattr("skewbench.flows.score.finish", lambda store, state, lease: state.manifest)
    monkeypatch.setattr("skewbench.flows.score.raise_unless_scored", lambda *_: None)
    assert score.fn(run_id, given[0], lake=str(tmp_path)) == score.fn(run_id, lake=str(tmp_path)) == run_id
    other = "contrast" if medium == "audio" else "onset_rate"
    with pytest.raises(InputError, match=f"metrics '{other}': it scores .*, and the model generates {medium}"):
        score.fn(run_id, [other], lake=str(tmp_path))


def test_an_incomplete_run_that_is_scored_is_still_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "8 of 8 samples have no usable image (8 failed)"
    run_id = made(
        tmp_path,
        Lake(),
        experiment=EXPERIMENT,
        status="incomplete",
        shortfalls=[{"cell": "skew-1.2", "reason": reason}],
    )
    monkeypatch.setattr("skewbench.tasks.scoring.left_of_run", lambda *_: [])
    monkeypatch.setattr("skewbench.flows.score.left_of_run", lambda *_: [])
    monkeypatch.setattr("skewbench.flows.score.finish", lambda store, state, lease: state.manifest)
    with pytest.raises(IncompleteRunError) as raised:
        score.fn(run_id, lake=str(tmp_path))
    done = CliRunner().invoke(app, ["score", run_id, "--metrics", "contrast", "--lake", str(tmp_path)])
    for error in (raised.value, done.exception):
        assert isinstance(error, IncompleteRunError)
        assert str(error).splitlines() == [
            f"run {run_id} is incomplete: cell skew-1.2: {reason}",
            "`skewbench run` with the run's experiment completes it.",
        ]


@pytest.mark.parametrize(("metrics", "whole"), [("image_reward", False), ("image_reward,contrast", True)])
def test_a_request_without_any_value_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metrics: str, whole: bool
) -> None:
    """A metric without weights is missing beside others; alone, nothing was done."""
    run_id = made(tmp_path, Lake(missing=("image_reward",)), experiment=EXPERIMENT)
    monkeypatch.setattr("skewbench.tasks.scoring.left_of_run", lambda *_: [])
    monkeypatch.setattr("skewbench.flows.score.left_of_run", lambda *_: [])
    monkeypatch.setattr("skewbench.flows.score.finish", lambda store, state, lease: state.manifest)
    done = CliRunner().invoke(app, ["score", run_id, "--metrics", metrics, "--lake", str(tmp_path)])
    assert (done.exit_code == 0) is whole
    if whole:
        assert score.fn(run_id, metrics.split(","), lake=str(tmp_path)) == run_id
        return
    with pytest.raises(IncompleteRunError) as raised:
        score.fn(run_id, [metrics], lake=str(tmp_path))
    for error in (raised.value, done.exception):
        assert isinstance(error, IncompleteRunError)
        first, reason, _ = str(error).splitlines()
        assert first == f"run {run_id} has no value of any requested metric:"
        assert reason.startswith("  no image_reward: ")
