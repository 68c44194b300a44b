"""What a run would cost is said before anything is loaded, also for a model that is not on this machine."""

from pathlib import Path

import pytest

from skewbench import sql
from skewbench.flows import experiments
from skewbench.tasks.devices import has_gpu
from skewbench.tasks.estimate import BUNDLED as PACES
from skewbench.tasks.estimate import estimate, expected_time, measured_pace
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.models import BUNDLED
from skewbench.vocabulary.errors import InputError
from tests.lakes import Lake, make
from tests.tasks.experiments import BASELINE, small


@pytest.mark.parametrize(
    ("name", "samples", "shards"),
    [("paper-correlations", 1000, 50), ("paper-knob", 4000, 200), ("paper-adaptive", 5 * 350, 5 * 18)],
)
def test_the_papers_experiments_are_planned(tmp_path: Path, name: str, samples: int, shards: int) -> None:
    captions = tmp_path / "captions.txt"
    lines = 350 if name == "paper-adaptive" else 100
    captions.write_text("\n".join(f"caption {i}" for i in range(lines)))
    experiment = experiments.load(name).model_copy(update={"prompts": PromptSpec(source="file", path=str(captions))})
    expected = estimate(experiment, str(tmp_path / "lake"))
    assert (expected.prompts, expected.samples, expected.shards) == (lines, samples, shards)
    assert "not on this machine" in expected.model
    assert expected.disk > samples * 1024 * 1024
    assert "unknown" in expected.time
    assert not (tmp_path / "lake").exists()


def test_blocks_of_a_model_that_is_not_here_are_not_checked(tmp_path: Path) -> None:
    expected = estimate(experiments.load("knobs-sdxl"), str(tmp_path))
    assert "its blocks are not checked" in expected.model
    assert expected.samples == 13 * 240


def test_the_demo_is_planned() -> None:
    expected = estimate(experiments.load("demo"), "no-such-lake")
    assert (expected.prompts, expected.samples, expected.shards, expected.per_shard) == (32, 512, 16, 32)
    assert "11 self-attention blocks" in expected.model


def test_metrics_that_would_have_no_values_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "skewbench.eval.scoring.declaration.missing", lambda needs: "not here" if "clip-vit-l-14" in needs else None
    )
    assert estimate(small(metrics=["binding", "aesthetic", "clip_score"]), str(tmp_path)).lacking == (
        "aesthetic",
        "clip_score",
    )


def test_environments_that_are_not_prepared_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the metric has no values anyway."""
    monkeypatch.setenv("SKEWBENCH_ENVIRONMENTS", str(tmp_path))
    experiment = small(metrics=["binding", "image_reward_package"])
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path / "none"))
    expected = estimate(experiment, str(tmp_path))
    assert (expected.lacking, expected.to_prepare) == (("image_reward_package",), ())
    monkeypatch.setenv("SKEWBENCH_WEIGHTS_IMAGE_REWARD_V1", str(tmp_path))
    expected = estimate(experiment, str(tmp_path))
    assert (expected.lacking, expected.to_prepare) == ((), ("image-reward",))


def test_a_weak_branch_costs_evaluations_and_says_so(tmp_path: Path) -> None:
    """Of three rows in place of two in each step, or in half of the steps."""
    knob = {"kind": "pag", "share": 1.0, "weak": 3.0}
    weak = [{"name": "pag", "knob": knob}, {"name": "half", "knob": {**knob, "window": [0.0, 0.5]}}]
    experiment = small(cells=[BASELINE, *weak], generation={"steps": 4})
    expected = estimate(experiment, str(tmp_path), seconds=3600.0)
    assert [line.rpartition(": ")[2] for line in expected.more_calls] == [
        f"about {x:.2f} times the time" for x in (1.5, 1.25)
    ]
    assert expected.more_calls[0].startswith("cell pag evaluates cond once more in 4 of its steps, for its weak branch")
    assert expected.hours == pytest.approx(4 * (1 + 1.5 + 1.25))
    alone = small(cells=[BASELINE, weak[0]], generation={"steps": 4, "guidance": 1.0})
    assert estimate(alone, str(tmp_path), seconds=3600.0).hours == pytest.approx(4 * (1 + 2))


def test_detail_costs_disk() -> None:
    disk = [estimate(small(measure={"detail": d}), "no-such-lake").disk for d in ("mean", "steps", "heads")]
    assert disk[0] < disk[1] < disk[2]


def test_time_is_that_of_earlier_runs_of_the_model(tmp_path: Path) -> None:
    make(tmp_path, Lake(name="toy"))
    experiment = small(model={"id": "toy"}, generation={"steps": 4})
    printed = expected_time(
        experiment, measured_pace(experiment, None, str(tmp_path)), predictions=120 * 4 * 2, samples=120
    )
    with sql.connect(tmp_path) as lake:
        a_step = lake.execute("SELECT median(seconds / steps) FROM samples").fetchall()[0][0]
    assert f"at {4 * a_step:.2f} s per image" in printed
    assert measured_pace(small(model={"id": "other"}), None, str(tmp_path)) is None


def test_each_cell_costs_its_own_steps_branches_and_calls_of_the_scheduler() -> None:
    heun = {"scheduler": {"name": "HeunDiscreteScheduler"}}
    overrides = {"plain": {}, "short": {"steps": 3}, "alone": {"guidance": 1.0}, "heun": {**heun, "steps": 5}}
    cells = [{"name": name, "knob": {"kind": "vanilla"}, "generation": own} for name, own in overrides.items()]
    one = estimate(small(cells=cells[:1], generation={"steps": 10}), "no-such-lake", seconds=2.0)
    all_ = estimate(small(cells=cells, generation={"steps": 10}), "no-such-lake", seconds=2.0)
    assert one.predictions == 4 * 10 * 2
    assert all_.predictions == 4 * (10 * 2 + 3 * 2 + 10 * 1 + 9 * 2)
    assert one.hours == pytest.approx(4 * 2.0 / 3600)
    assert all_.hours == pytest.approx(all_.predictions / one.predictions * one.hours)
    assert one.disk < all_.disk < 4 * one.disk


def test_hours_are_those_of_the_seconds_that_are_assumed() -> None:
    expected = estimate(experiments.load("demo"), "no-such-lake", seconds=9.0)
    assert expected.hours == pytest.approx(512 * 9.0 / 3600)
    assert "assumed, at 9.00 s per image on average" in expected.time


@pytest.mark.parametrize(("name", "images", "pace"), [
    ("demo", 512, 0.019), ("nightly-mmdit", 180, 0.012), ("nightly-pixel", 180, 0.022), ("nightly-sounds", 180, 0.023),
])  # fmt: skip
def test_each_bundled_model_has_a_pace_in_a_new_lake(name: str, images: int, pace: float) -> None:
    """That of docs/performance.md, for each step and each of two branches of guidance."""
    experiment = experiments.load(name)
    expected = estimate(experiment, "no-such-lake")
    assert expected.hours == pytest.approx(images * experiment.generation.steps * 2 * pace / 3600)
    assert "like one of two on a two-core AMD EPYC" in expected.time


def test_every_bundled_model_has_a_pace() -> None:
    assert set(PACES) == set(BUNDLED)


@pytest.mark.parametrize(
    ("model", "gpus", "there", "line"),
    [
        ("org/large", 1.0, False, "workers.gpus is 1, but no GPU was found on this machine"),
        ("org/large", 0.0, False, "workers.gpus is 0: the model runs on the CPU, which takes minutes per image"),
        ("org/large", 1.0, True, None),
        ("shapes-xl", 0.0, False, None),
    ],
)
def test_plan_says_which_device_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, gpus: float, there: bool, line: str | None
) -> None:
    monkeypatch.setattr("skewbench.tasks.estimate.has_gpu", lambda: there)
    expected = estimate(small(model={"id": model}, workers={"gpus": gpus}), str(tmp_path))
    found = [note for note in expected.without_effect if "workers.gpus" in note]
    assert len(found) == (line is not None)
    assert not line or found[0].startswith(line)


def test_a_gpu_is_known_by_its_device_files(tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    assert not has_gpu(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_gpu(tmp_path)


def test_unknown_model_is_bad_input() -> None:
    with pytest.raises(InputError, match="no-such-model"):
        estimate(small(model={"id": "no-such-model"}), "no-such-lake")


def test_a_reference_that_is_not_there_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reference '/nope': not a folder, and not a run of the lake"):
        estimate(small(reference="/nope"), str(tmp_path))
    estimate(small(reference="small"), str(tmp_path))  # its own baseline, once it is there
