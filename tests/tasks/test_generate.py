"""Samples are what plain diffusers draws, alone or in a batch, and one bad prompt costs one sample."""

import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import HeunDiscreteScheduler
from PIL import Image

from skewbench.eval.scoring.images import levels
from skewbench.stability import Recorder, Skew
from skewbench.storage.tables import TABLES
from skewbench.tasks import generate
from skewbench.tasks.experiment import Experiment, ModelSpec
from skewbench.tasks.generate import generate_shard, knob_columns
from skewbench.tasks.models import load_pipeline, resolve_model, sample_size
from skewbench.tasks.plan import Shard, plan_shards
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.setting import BrokenDeviceError, Setting
from tests.tasks.experiments import SKEW, small


@pytest.fixture(scope="module")
def pipeline(tiny_sdxl: Path) -> Any:
    torch.set_num_threads(1)
    return load_pipeline(resolve_model(ModelSpec(id=str(tiny_sdxl))), "cpu")


def _planned(tiny_sdxl: Path, batch: int = 4, **changes: Any) -> tuple[Setting, list[Shard]]:
    experiment: Experiment = small(model={"id": str(tiny_sdxl)}, **changes)
    source = resolve_model(experiment.model)
    size = sample_size(source, experiment.generation)
    shards = plan_shards(experiment, load_prompts(experiment.prompts), "run", size, 4)
    spec = experiment.generation
    return Setting("run", experiment.model, source.revision, spec, experiment.measure, size, batch), shards


def _images(rows: generate.ShardRows) -> list[np.ndarray]:
    return [np.asarray(Image.open(BytesIO(row.result()["image"]["bytes"]))) for row in rows.files["images"]]


def test_tables_meet_their_schemas(pipeline: Any, tiny_sdxl: Path) -> None:
    setting, shards = _planned(tiny_sdxl)
    tables = generate_shard(pipeline, setting, shards[1]).tables()
    assert {name: table.schema for name, table in tables.items()} == {name: TABLES[name].schema for name in tables}
    assert tables["samples"].num_rows == tables["images"].num_rows == 4
    assert tables["stability"].num_rows == 4 * 2 * 11  # samples, branches, self-attention blocks
    assert set(tables["samples"].column("status").to_pylist()) == {"ok"}
    assert set(tables["stability"].column("alpha_eff").to_pylist()) == {np.float32(1.2)}


def test_baseline_is_what_plain_diffusers_draws(pipeline: Any, tiny_sdxl: Path) -> None:
    setting, shards = _planned(tiny_sdxl, batch=1)
    sample = shards[0].samples[0]
    plain = pipeline(
        sample.prompt.text,
        generator=torch.Generator().manual_seed(sample.noise_seed),
        num_inference_steps=setting.generation.steps,
        guidance_scale=setting.generation.guidance,
    ).images[0]
    assert np.array_equal(_images(generate_shard(pipeline, setting, shards[0]))[0], np.asarray(plain))


@pytest.mark.parametrize("knob", ["baseline", "skew", "adaptive"])
def test_a_sample_does_not_depend_on_its_neighbours(pipeline: Any, tiny_sdxl: Path, knob: str) -> None:
    adaptive = {"name": "adaptive", "knob": {**SKEW["knob"], "adapt_alpha": "dev", "adapt_beta": True}}
    cells = [{"name": "baseline", "knob": {"kind": "vanilla"}}, SKEW, adaptive]
    found = []
    for batch in (4, 3, 1):
        setting, shards = _planned(tiny_sdxl, batch=batch, cells=cells)
        found.append(generate_shard(pipeline, setting, next(s for s in shards if s.cell.name == knob)))
    for other in found[1:]:
        for one, two in zip(_images(found[0]), _images(other), strict=True):
            assert np.abs(one.astype(int) - two.astype(int)).max() <= 1
        first, second = (rows.tables()["stability"] for rows in (found[0], other))
        for name in ("sample_id", "block", "branch"):
            assert first.column(name) == second.column(name)
        for name in ("energy", "alignment", "symmetry", "alpha_eff"):
            np.testing.assert_allclose(first.column(name), second.column(name), rtol=1e-3, atol=1e-4)


def test_a_window_is_of_the_models_calls(pipeline: Any, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heun's scheduler calls the model twice in each step but the last."""
    monkeypatch.setattr(pipeline, "scheduler", HeunDiscreteScheduler.from_config(pipeline.scheduler.config))
    setting, shards = _planned(tiny_sdxl, generation={"steps": 3})
    shard = next(shard for shard in shards if shard.cell.name != "baseline")
    recorder = Recorder()
    knob = Skew(0.5, 2.0, window=(0.4, 1.0))
    generate.generate_batch(pipeline, shard.samples[:1], knob, setting.generation, setting.size, recorder)
    assert recorder.to_arrow()["alpha_eff_steps"][0].as_py() == [1.0, 1.0, 0.5, 0.5, 0.5]


def test_one_bad_prompt_costs_one_sample(pipeline: Any, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting, shards = _planned(tiny_sdxl)
    bad, whole = shards[0].samples[2], generate.generate_batch

    def fails_on_one(pipe: Any, samples: Any, *rest: Any) -> Any:
        if bad in samples:
            raise ValueError("a bad prompt")
        return whole(pipe, samples, *rest)

    monkeypatch.setattr(generate, "generate_batch", fails_on_one)
    with pytest.raises(ValueError, match="a bad prompt"):
        generate_shard(pipeline, setting, shards[0])
    rows = generate_shard(pipeline, setting, shards[0], one_by_one=True)
    assert [row["status"] for row in rows.samples] == ["ok", "ok", "failed", "ok"]
    assert rows.samples[2]["reason"] == "ValueError: a bad prompt"
    assert len(rows.files["images"]) == 3
    assert bad.sample_id not in rows.tables()["stability"].column("sample_id").to_pylist()


def test_images_are_encoded_beside_the_next_batch(
    pipeline: Any, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch's wait here until the second is drawn, and the second's until the shard is returned."""
    setting, shards = _planned(tiny_sdxl, batch=2)
    whole, encode, drawn = generate.generate_batch, generate._file_row, []
    second, returned = threading.Event(), threading.Event()

    def draw(pipe: Any, samples: Any, *rest: Any) -> Any:
        pixels = whole(pipe, samples, *rest)
        drawn.append(pixels)
        if len(drawn) == 2:
            second.set()
        return pixels

    def wait_and_encode(shard: Any, sample: Any, pixels: np.ndarray, setting: Any) -> dict[str, Any]:
        assert second.wait(120), "the second batch was not drawn"
        assert any(np.shares_memory(pixels, one) for one in drawn[0]) or returned.wait(120), (
            "the last images are waited for"
        )
        return encode(shard, sample, pixels, setting)

    monkeypatch.setattr(generate, "generate_batch", draw)
    monkeypatch.setattr(generate, "_file_row", wait_and_encode)
    rows = generate_shard(pipeline, setting, shards[0])
    returned.set()
    made = [pixels for batch in drawn for pixels in batch]
    assert all(np.array_equal(image, levels(pixels)) for image, pixels in zip(_images(rows), made, strict=True))


@pytest.mark.parametrize(("value", "status"), [(np.nan, "nonfinite"), (0.0, "blank")])
def test_broken_images_are_told(
    pipeline: Any, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch, value: float, status: str
) -> None:
    setting, shards = _planned(tiny_sdxl)
    whole = generate.generate_batch

    def broken(*arguments: Any) -> Any:
        pixels = whole(*arguments)
        pixels[1] = value
        return pixels

    monkeypatch.setattr(generate, "generate_batch", broken)
    rows = generate_shard(pipeline, setting, shards[0])
    assert [row["status"] for row in rows.samples] == ["ok", status, "ok", "ok"]
    assert rows.samples[1]["reason"]
    assert len(rows.files["images"]) == 4


def test_knob_columns_are_flat() -> None:
    fields = {"kind": "skew", "alpha": 1.1, "beta": 2, "blocks": ["up", 4], "window": [0.25, 0.5]}
    columns = knob_columns(small(cells=[{"name": "c", "knob": fields}]).cells[0])
    assert columns["knob"] == "skew"
    assert (columns["alpha"], columns["beta"], columns["window_start"], columns["window_end"]) == (1.1, 2.0, 0.25, 0.5)
    assert set(columns) <= set(TABLES["samples"].schema.names)


class _Limited:
    """A pipeline with memory for so many images at once, or on which a prompt breaks the device."""

    def __init__(self, pipeline: Any, most: int = 99, breaks: str = "") -> None:
        self._pipeline, self._most, self._breaks, self.batches = pipeline, most, breaks, []

    @property
    def __class__(self) -> type:  # by whose name a pipeline's family is found
        return type(self._pipeline)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def __call__(self, prompts: list[str], **settings: Any) -> Any:
        self.batches.append(len(prompts))
        if len(prompts) > self._most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if self._breaks in prompts:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return self._pipeline(prompts, **settings)


def test_the_batch_is_halved_where_memory_runs_out(pipeline: Any, tiny_sdxl: Path) -> None:
    setting, shards = _planned(tiny_sdxl, batch=4)
    limited = _Limited(pipeline, most=1)
    rows = generate_shard(limited, setting, shards[1])
    assert (limited.batches, rows.batch) == ([4, 2, 1, 1, 1, 1], 1)
    assert [row["status"] for row in rows.samples] == ["ok"] * 4
    for ours, whole in zip(_images(rows), _images(generate_shard(pipeline, setting, shards[1])), strict=True):
        assert np.abs(ours.astype(int) - whole).max() <= 2  # to rounding
    generate_shard(limited, setting, shards[1], batch=rows.batch)
    assert limited.batches[6:] == [1, 1, 1, 1]


def test_memory_that_runs_out_after_the_images_doubles_none(
    pipeline: Any, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measures are put together on the device too."""
    to_arrow, failures = Recorder.to_arrow, iter([torch.OutOfMemoryError("CUDA out of memory")])

    def failing_once(recorder: Recorder) -> Any:
        for failure in failures:
            raise failure
        return to_arrow(recorder)

    monkeypatch.setattr(Recorder, "to_arrow", failing_once)
    setting, shards = _planned(tiny_sdxl, batch=4)
    rows = generate_shard(pipeline, setting, shards[1])
    ids = [sample.sample_id for sample in shards[1].samples]
    assert (
        [row["sample_id"] for row in rows.samples] == [row.result()["sample_id"] for row in rows.files["images"]] == ids
    )


def test_no_memory_for_the_smallest_batch_is_an_error(pipeline: Any, tiny_sdxl: Path) -> None:
    setting, shards = _planned(tiny_sdxl, batch=2)
    with pytest.raises(RuntimeError, match="out of memory with batch size 1"):
        generate_shard(_Limited(pipeline, most=0), setting, shards[0], one_by_one=True)
    shared = {"name": "shared", "knob": {**SKEW["knob"], "adapt_beta": True, "eta_scope": "batch"}}
    setting, shards = _planned(tiny_sdxl, batch=4, cells=[shared])
    limited = _Limited(pipeline, most=2)
    with pytest.raises(RuntimeError, match=r"the knob depends on the batch"):
        generate_shard(limited, setting, shards[0])
    assert limited.batches == [4]


def test_a_sample_that_breaks_its_device_is_named_and_then_left_out(pipeline: Any, tiny_sdxl: Path) -> None:
    setting, shards = _planned(tiny_sdxl, seeds=1)
    bad = shards[0].samples[1]
    breaking = _Limited(pipeline, breaks=bad.prompt.text)
    with pytest.raises(BrokenDeviceError) as raised:
        generate_shard(breaking, setting, shards[0], one_by_one=True)
    ids, reason = raised.value.args
    assert ids == [bad.sample_id]
    rows = generate_shard(breaking, setting, shards[0], one_by_one=True, given_up=dict.fromkeys(ids, reason))
    assert [row["status"] for row in rows.samples] == ["ok", "failed"]
    assert "device-side assert" in rows.samples[1]["reason"]
