"""Embeddings are kept by all that decides them, within a limit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skewbench.stability import Vanilla
from skewbench.tasks import embeddings
from skewbench.tasks.applied import applied
from skewbench.tasks.embeddings import encoded_once
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.families.contract import PromptEncoding
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.generation import GenerationSpec, LoraSpec
from skewbench.tasks.models import load_pipeline, resolve_model
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.size import Size


class _Pipeline:
    def __init__(self) -> None:
        self.made: list[Any] = []

    def encode_prompt(
        self, prompt: Any, negative_prompt: Any = None, clip_skip: int | None = None, instruction: Any = ()
    ) -> Any:
        self.made.append((prompt, negative_prompt, clip_skip, *instruction))
        return torch.full((len(prompt), 2), float(len(prompt[0]))), None, torch.arange(3)


def test_a_prompt_is_encoded_again_where_another_setting_decides_it() -> None:
    pipeline = _Pipeline()
    with encoded_once(pipeline, None, PromptEncoding()):
        first = pipeline.encode_prompt(["a", "bb"], negative_prompt=["x", "x"])
        again = pipeline.encode_prompt(negative_prompt=["x", "x", "x"], prompt=["bb", "a", "bb"])
        assert len(pipeline.made) == 2
        pipeline.encode_prompt(["a"], ["y"])
        pipeline.encode_prompt(["a"], ["x"], clip_skip=1)
        assert len(pipeline.made) == 4
    assert first[0].tolist() == [[1, 1], [2, 2]]
    assert again[0].tolist() == [[2, 2], [1, 1], [2, 2]]
    assert first[1] is None
    assert again[2].tolist() == [0, 1, 2]  # not of a prompt
    for lora in (LoraSpec(path="x", digest="0" * 16), LoraSpec(path="x", digest="0" * 16, weight=0.5)):
        before = len(pipeline.made)
        for _ in range(2):
            with encoded_once(pipeline, lora, PromptEncoding()):
                pipeline.encode_prompt(["a"], ["x"])
        assert len(pipeline.made) == before + 1
    assert "encode_prompt" not in vars(pipeline)


def test_a_list_that_is_no_prompt_is_given_whole() -> None:
    """Sana's instruction has eight lines, as many as a batch may have prompts."""
    pipeline = _Pipeline()
    with encoded_once(pipeline, None, PromptEncoding()):
        pipeline.encode_prompt(["a", "b"], ["x", "y"], instruction=["first", "second"])
    assert pipeline.made == [(["a"], ["x"], None, "first", "second"), (["b"], ["y"], None, "first", "second")]


class _Padding:
    """Returns states as long as a prompt, and a mask only where one is asked for."""

    def __init__(self, gives_mask: bool) -> None:
        self.gives_mask = gives_mask

    def _encode(self, prompt: Any, do_classifier_free_guidance: bool = False) -> Any:
        branches = 1 + do_classifier_free_guidance
        states = torch.full((branches, len(prompt[0]), 2), float(len(prompt[0])))
        states[: branches - 1] *= -1  # the negative prompt comes first
        return states, torch.ones(states.shape[:2], dtype=torch.long) if self.gives_mask else None, states[:, :1]


@pytest.mark.parametrize("gives_mask", [False, True])
@pytest.mark.parametrize("guided", [False, True])
def test_prompts_of_a_batch_are_padded_under_a_mask(gives_mask: bool, guided: bool) -> None:
    pipeline = _Padding(gives_mask)
    with encoded_once(pipeline, None, PromptEncoding("_encode", stacked=True, masked=True)):
        states, mask, pooled = pipeline._encode(["a", "bbb"], do_classifier_free_guidance=guided)
        equally_long = pipeline._encode(["a", "b"], do_classifier_free_guidance=guided)[1]
    signs = [-1, 1] if guided else [1]
    assert states[..., 0].tolist() == [row for sign in signs for row in ([sign, 0, 0], [3 * sign] * 3)]
    assert mask.tolist() == [[1, 0, 0], [1, 1, 1]] * len(signs)
    assert pooled[:, 0, 0].tolist() == [size * sign for sign in signs for size in (1, 3)]
    assert (equally_long is not None) == gives_mask


def test_what_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = _Pipeline()
    monkeypatch.setattr(embeddings, "LARGEST", 2 * (2 * 4 + 3 * 8))
    with encoded_once(pipeline, None, PromptEncoding()):
        for prompt in ("a", "b", "a", "c", "a", "b"):
            pipeline.encode_prompt([prompt])
    assert [prompt for (prompt,), *_ in pipeline.made] == ["a", "b", "c", "b"]


def test_each_cells_settings_reach_the_encoders(tiny_sdxl: Path) -> None:
    """What `clip_skip` and a negative prompt change is not taken from what is kept."""
    pipeline = load_pipeline(resolve_model(ModelSpec(id=str(tiny_sdxl))), "cpu")
    sample = Sample("s", "p", Prompt("p", "a circle"), 0, 7)
    kept, plain = [], []
    for changes in ({}, {"clip_skip": 1}, {"negative_prompt": "a square"}, {"guidance": 1.0}, {}):
        generation = GenerationSpec(steps=1).model_copy(update=changes)
        with applied(pipeline, generation):
            kept.append(generate_batch(pipeline, [sample], Vanilla(), generation, Size(16, 16))[0])
        plain.append(generate_batch(pipeline, [sample], Vanilla(), generation, Size(16, 16))[0])
    assert np.array_equal(kept, plain)
    assert not any(np.array_equal(kept[0], other) for other in kept[1:4])
