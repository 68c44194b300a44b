"""Prompts that a model reads in part are counted as its own tokenizers count them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import transformers

from skewbench.tasks import prompt_lengths
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.families.contract import Encoder
from skewbench.tasks.families.registry import families
from skewbench.tasks.models import ModelSource, resolve_model
from skewbench.tasks.prompt_lengths import prompt_notes
from skewbench.tasks.prompts import load_prompts
from skewbench.training.shapes_xl.architecture import write_tokenizer
from tests.tasks.experiments import BASELINE, small
from tests.tiny_families import save_tiny_hunyuan, save_tiny_lumina, save_tiny_qwen

SAVERS = (save_tiny_hunyuan, save_tiny_lumina, save_tiny_qwen)  # BERT, T5, Gemma and Qwen


def _notes(source: ModelSource | None, texts: list[str], folder: Path, **changes: Any) -> tuple[str, ...]:
    (folder / "prompts.txt").write_text("\n".join(texts), encoding="utf-8")
    experiment = small(prompts={"source": "file", "path": str(folder / "prompts.txt")}, **changes)
    return prompt_notes(experiment, load_prompts(experiment.prompts), source)


@pytest.fixture
def source(tiny_sdxl: Path) -> ModelSource:
    return resolve_model(ModelSpec(id=str(tiny_sdxl)))


def _words(count: int) -> str:
    """As many tokens, and two that begin and end the text."""
    return " ".join(["circle"] * count)


@pytest.mark.parametrize("save", SAVERS)
def test_tokens_are_counted_as_the_models_tokenizer_does(save: Callable[[Path], Path], tmp_path: Path) -> None:
    source = resolve_model(ModelSpec(id=str(save(tmp_path / "model"))))
    index = json.loads((source.folder / "model_index.json").read_text(encoding="utf-8"))
    encoders = families.get(index["_class_name"]).encoders
    assert encoders
    for encoder in encoders:
        kind = getattr(transformers, index[encoder.tokenizer][1])
        own = kind.from_pretrained(source.folder / encoder.tokenizer, local_files_only=True)
        count = prompt_lengths._counter(source, source.folder / encoder.tokenizer)
        for text in ("a red circle", "Ein grüner Kreis, 3 Ecken.", "", "x" * 200):
            assert count(text) == len(own(text).input_ids)


def test_a_tokenizer_of_several_files_counts_alike(source: ModelSource, tmp_path: Path) -> None:
    """As older models on the hub have it."""
    write_tokenizer(tmp_path / "tokenizer")
    shutil.copy(source.folder / "model_index.json", tmp_path)
    older = replace(source, folder=tmp_path)
    counts = [prompt_lengths._counter(one, one.folder / "tokenizer") for one in (older, source)]
    assert not (tmp_path / "tokenizer" / "tokenizer.json").exists()
    for text in ("a red circle", "a zebra", ""):
        assert counts[0](text) == counts[1](text)


def test_a_limit_is_met_exactly(source: ModelSource, tmp_path: Path) -> None:
    assert _notes(source, [_words(38)], tmp_path) == ()
    (note,) = _notes(source, [_words(39), _words(60), "a circle"], tmp_path)
    assert note == (
        "2 of 3 prompts too long: tokenizer reads 40 tokens, tokenizer_2 reads 40 tokens, the longest has 62; the rest "
        "of the text is lost"
    )


def test_the_largest_limit_decides_whether_text_is_lost(
    source: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        type(families.get("StableDiffusionXLPipeline")),
        "encoders",
        (Encoder("tokenizer", 10), Encoder("tokenizer_2", 20)),
    )
    texts = [_words(5), _words(12)]
    (note,) = _notes(source, texts, tmp_path)
    assert note == (
        "1 of 2 prompts too long: tokenizer reads 10 tokens, the longest has 14; no text is lost, because tokenizer_2 "
        "reads it all"
    )
    (note,) = _notes(source, [*texts, _words(30)], tmp_path)
    assert note.startswith("2 of 3 prompts too long: tokenizer reads 10 tokens, tokenizer_2 reads 20 tokens, the")
    assert note.endswith("has 32; text of 1 is lost, and tokenizer_2 reads all of the others")


def test_negative_prompts_are_counted_too(source: ModelSource, tmp_path: Path) -> None:
    cells = [BASELINE, {"name": "a", "knob": {"kind": "vanilla"}, "generation": {"negative_prompt": _words(50)}}]
    (note,) = _notes(source, ["a circle"], tmp_path, cells=cells, generation={"negative_prompt": "a square"})
    assert note.startswith("1 of 2 negative prompts too long: tokenizer reads 40 tokens, ")


def test_text_before_a_prompt_counts(source: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = type(families.get("StableDiffusionXLPipeline"))
    monkeypatch.setattr(family, "encoders", (Encoder("tokenizer", 10, before=f"{_words(6)} ", lower=True),))
    assert _notes(source, ["CIRCLE CIRCLE"], tmp_path) == ()
    (note,) = _notes(source, [_words(3)], tmp_path, generation={"negative_prompt": _words(8)})
    assert "1 of 1 prompt too long: tokenizer reads 10 tokens, the longest has 11; " in note


def test_duplicates_and_words_that_a_bundled_model_does_not_know(tmp_path: Path) -> None:
    bundled = resolve_model(ModelSpec())
    texts = ["a red circle", "a red circle", "a red dog", "a zebra", "a red circle"]
    assert _notes(bundled, texts, tmp_path) == (
        "2 duplicate prompts left out: each prompt is generated once",
        "2 of 3 prompts with words that shapes-xl was not trained on, such as 'dog'",
    )
    scenes = small(prompts={"source": "scenes", "count": 32})
    assert prompt_notes(scenes, load_prompts(scenes.prompts), bundled) == ()
    assert _notes(None, texts, tmp_path) == ("2 duplicate prompts left out: each prompt is generated once",)
