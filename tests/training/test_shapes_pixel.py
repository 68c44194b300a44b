"""Training of the bundled pixel model on a handful of scenes: trained, exported, loaded as plain DeepFloyd IF."""

from pathlib import Path

import pytest
import torch
from diffusers import IFPipeline
from typer.testing import CliRunner

from skewbench.eval.scenes.captions import WORDS
from skewbench.training.shapes_pixel.architecture import TOKENS, denoiser, tokenizer
from skewbench.training.shapes_pixel.train import app
from skewbench.training.shapes_xl.data import captions_of, draw_pool


def _train(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    _train("denoiser", "--folder", folder, "--steps", 2, "--batch", 2, "--scenes", 4)
    _train("export", "--folder", folder, "--to", folder / "weights")
    return folder / "weights"


def test_each_word_of_the_grammar_is_one_token_and_each_caption_fits() -> None:
    words = tokenizer()
    assert all(len(words.tokenize(word)) == 1 for word in WORDS)
    assert words.tokenize("xyz") == ["▁", "x", "y", "z"]  # a word outside the grammar
    captions = captions_of(draw_pool(30, 0, shares=(0, 0, 1)).scenes, 0)
    tokens = words(captions).input_ids
    assert max(len(ids) for ids in tokens) <= TOKENS
    assert all(words.unk_token_id not in ids for ids in tokens)


def test_attention_has_added_text_keys_and_no_cross_attention_of_its_own() -> None:
    attentions = [module for module in denoiser().modules() if type(module).__name__ == "Attention"]
    assert len(attentions) == 7
    assert all(module.added_kv_proj_dim is not None and not module.only_cross_attention for module in attentions)


def test_the_exported_model_is_plain_if_and_generates(exported: Path) -> None:
    pipeline = IFPipeline.from_pretrained(exported, dtype=torch.float32, safety_checker=None, watermarker=None)
    pipeline.set_progress_bar_config(disable=True)

    def images(seed: int, prompt: str) -> torch.Tensor:
        noise = torch.Generator().manual_seed(seed)
        options = {"num_inference_steps": 2, "output_type": "np", "clean_caption": False}
        return torch.as_tensor(pipeline(prompt, generator=noise, **options).images)

    first = images(0, "a red star")
    assert first.shape == (1, 64, 64, 3)
    assert torch.equal(first, images(0, "a red star"))
    assert not torch.equal(first, images(0, "a blue circle on a white background"))
    assert sum(f.stat().st_size for f in exported.rglob("*.safetensors")) < 14e6
