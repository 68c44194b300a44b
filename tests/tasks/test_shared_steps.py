"""Cells that agree up to a step share it, and nothing else changes: to the bit, and in every row of the lake."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

import skewbench.tasks.shared_steps as shared_steps_module
from skewbench.stability.trajectory import Call
from skewbench.tasks.experiment import Cell, ModelSpec
from skewbench.tasks.families.registry import family_of
from skewbench.tasks.generate import generate_shard
from skewbench.tasks.jobs import GenerateJob
from skewbench.tasks.models import load_pipeline, resolve_model, sample_size
from skewbench.tasks.plan import plan_shards
from skewbench.tasks.pool.records import Stream, Task
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.setting import Setting
from skewbench.tasks.shared_steps import Trajectories, in_groups, shared_steps
from skewbench.tasks.size import Size
from tests.tasks.experiments import small
from tests.tiny import save_tiny_sdxl
from tests.tiny_families import save_tiny_flux, save_tiny_lumina

STEPS, SIZE = 6, {"width": 32, "height": 32}
LATE = {"window": [0.5, 1.0]}
SKEW = {"kind": "skew", "alpha": 1.4, "beta": 1.0}
CELLS: dict[str, dict[str, Any]] = {
    "baseline": {"knob": {"kind": "vanilla"}},
    "skew": {"knob": SKEW},
    "late": {"knob": {**SKEW, **LATE}},
    "later": {"knob": {**SKEW, "window": [0.67, 1.0]}},
    "early": {"knob": {**SKEW, "window": [0.0, 0.5]}},
    "rising": {"knob": {**SKEW, **LATE, "schedule": "linear-up"}},
    "weak": {"knob": {"kind": "temperature", "tau": 0.6, "weak": 2.0, **LATE}},
    "weaker": {"knob": {"kind": "temperature", "tau": 0.8, "weak": 2.0, **LATE}},
    "interval": {
        "knob": {"kind": "vanilla"},
        "guidance_rule": {"kind": "guidance_interval", "start": 0.0, "stop": 0.5},
    },
    "longer": {"knob": {"kind": "vanilla"}, "guidance_rule": {"kind": "guidance_interval", "start": 0.0, "stop": 0.8}},
    "noisy": {"knob": {"kind": "vanilla"}, "condition": {"kind": "cads"}},
    "guided": {"knob": {"kind": "vanilla"}, "generation": {"guidance": 3.0}},
}


def _cell(name: str) -> Cell:
    return Cell.model_validate({"name": name, **CELLS[name]})


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("baseline", "skew", 0),
        ("baseline", "late", 3),
        ("late", "later", 3),
        ("baseline", "later", 5),
        ("skew", "early", 3),
        ("late", "rising", 3),
        ("baseline", "weak", 1),  # with a weak branch, another formula guides, which rounds differently
        ("weak", "weaker", 3),
        ("baseline", "interval", 1),  # a rule changes the first step's result, not the model's first call
        ("interval", "longer", 4),
        ("baseline", "noisy", 0),
        ("baseline", "guided", 0),
        ("late", "late", STEPS),
    ],
)
def test_cells_share_the_steps_before_their_knobs_differ(one: str, other: str, expected: int) -> None:
    generation = small(generation={"steps": STEPS}).generation
    for first, second in ((one, other), (other, one)):
        assert shared_steps(_cell(first), _cell(second), generation, STEPS) == expected


SAVED = {"sdxl": save_tiny_sdxl, "flux": save_tiny_flux, "lumina": save_tiny_lumina}
"""Models that are called once a step with all branches, for cond alone, and once for each branch."""
TIMES = ("seconds", "shared_calls")


@pytest.fixture(scope="module", params=SAVED)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    torch.set_num_threads(1)
    folder = SAVED[request.param](tmp_path_factory.mktemp(request.param) / "model")
    return folder, load_pipeline(resolve_model(ModelSpec(id=str(folder))), "cpu")


def _generated(model: tuple[Path, Any], names: list[str], *, shared: bool) -> dict[str, dict[str, pa.Table]]:
    """Tables of each cell, generated in this order."""
    folder, pipeline = model
    cells = [{"name": name, **CELLS[name]} for name in names]
    experiment = small(
        model={"id": str(folder)},
        cells=cells,
        generation={"steps": STEPS, **SIZE},
        measure={"detail": "heads", "every": 2},
    )
    source, generation = resolve_model(experiment.model), experiment.generation
    size, sharing = sample_size(source, generation), tuple(experiment.cells)
    setting = Setting("run", experiment.model, source.revision, generation, experiment.measure, size, 3)
    plan = in_groups(plan_shards(experiment, load_prompts(experiment.prompts), "run", size, 4), sharing, generation)
    trajectories = Trajectories(sharing, generation) if shared else None
    return {
        shard.cell.name: generate_shard(pipeline, setting, shard, trajectories=trajectories).tables()
        for _, shard in plan
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["late", "later", "early"], [0, 3 / 6, 5 / 6, 0]),
        (["skew", "early", "rising"], [0, 0, 3 / 6, 3 / 6]),
        (["later", "interval", "longer"], [0, 5 / 6, 1 / 6, 4 / 6]),
        (["weak", "weaker"], [0, None, None]),
    ],
)
def test_shared_steps_change_nothing_but_the_time(
    model: tuple[Path, Any], names: list[str], expected: list[float | None]
) -> None:
    cells = dict(zip(("baseline", *names), expected, strict=True))
    if "uncond" not in family_of(model[1]).branches:  # a rule has nothing to guide
        cells = {name: share for name, share in cells.items() if "guidance_rule" not in CELLS[name]}
    alone, shared = (_generated(model, list(cells), shared=shared) for shared in (False, True))
    for name, share in cells.items():
        for table, rows in alone[name].items():
            dropped = [column for column in TIMES if column in rows.column_names]
            assert rows.drop_columns(dropped).equals(shared[name][table].drop_columns(dropped)), (name, table)
        assert set(alone[name]["samples"]["shared_calls"].to_pylist()) == {0.0}
        shares = set(shared[name]["samples"]["shared_calls"].to_pylist())
        if share is not None:
            assert shares == {share}
        else:  # a weak branch has additional calls in its window
            assert 0 < min(shares) <= max(shares) < 0.5


def test_other_samples_and_failures_share_nothing(model: tuple[Path, Any]) -> None:
    trajectories = Trajectories([_cell("baseline"), _cell("late")], small(generation={"steps": STEPS}).generation)
    with trajectories.trajectory(_cell("baseline"), ("a", "b"), STEPS) as first:
        first.calls.append(Call(0, torch.zeros(1), ()))
    for pairs, known in ((("a", "b"), 1), (("b", "a"), 0), (("a",), 0)):
        with trajectories.trajectory(_cell("late"), pairs, STEPS) as later:
            assert len(later.known) == known
    with pytest.raises(ValueError, match="out of memory"), trajectories.trajectory(_cell("baseline"), ("c",), STEPS):
        raise ValueError("out of memory")
    with trajectories.trajectory(_cell("late"), ("c",), STEPS) as later:
        assert not later.known


def test_the_oldest_samples_go_when_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_steps_module, "LARGEST", 1000)
    trajectories = Trajectories([_cell("baseline"), _cell("late")], small(generation={"steps": STEPS}).generation)
    for name in "abc":
        with trajectories.trajectory(_cell("baseline"), (name,), STEPS) as first:
            first.calls.append(Call(0, torch.zeros(100), ()))  # 400 bytes
    for name, known in (("a", 0), ("b", 1), ("c", 1)):
        with trajectories.trajectory(_cell("late"), (name,), STEPS) as later:
            assert len(later.known) == known


def test_shards_of_one_group_follow_each_other_if_cells_share_steps() -> None:
    def order(*names: str) -> list[tuple[str, str]]:
        experiment = small(cells=[{"name": name, **CELLS[name]} for name in names], generation={"steps": STEPS})
        shards = plan_shards(experiment, load_prompts(experiment.prompts), "run", Size(64, 64), 2)
        return [(group, shard.cell.name) for group, shard in in_groups(shards, experiment.cells, experiment.generation)]

    assert order("baseline", "skew") == [("", "baseline"), ("", "baseline"), ("", "skew"), ("", "skew")]
    found = order("baseline", "skew", "late")
    assert [name for _, name in found] == ["baseline", "skew", "late"] * 2
    assert len({group for group, _ in found[:3]}) == len({group for group, _ in found[3:]}) == 1
    assert found[0][0] != found[3][0]


def test_workers_keep_to_their_group() -> None:
    experiment = small(
        cells=[{"name": name, **CELLS[name]} for name in ("baseline", "late")], generation={"steps": STEPS}
    )
    shards = plan_shards(experiment, load_prompts(experiment.prompts), "run", Size(64, 64), 2)
    stream = Stream()
    stream.waiting.extend(
        Task(GenerateJob(shard, group=group), stream)
        for group, shard in in_groups(shards, experiment.cells, experiment.generation)
    )
    one, _, two, _ = (task.group for task in stream.waiting)

    def taken(group: str, others: set[str]) -> str:
        task = stream.next_for(group, others)
        stream.waiting.remove(task)
        return task.group

    assert taken("", set()) == one
    assert taken("", {one}) == two
    assert taken(two, {one}) == two
    assert taken(two, {one}) == one  # the last one is left: any worker takes it
