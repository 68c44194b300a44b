"""Training of the bundled model of sounds on a handful of them: trained, exported, loaded as plain AudioLDM."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AudioLDMPipeline
from typer.testing import CliRunner

from skewbench.eval.sound_binding.facts import score_sound
from skewbench.eval.sounds.captions import WORDS, caption, read
from skewbench.eval.sounds.render import render
from skewbench.eval.sounds.sound import Event, Sound, sample_sound
from skewbench.eval.sounds.vocabulary import RATE, SAMPLES
from skewbench.stability import self_attention_blocks
from skewbench.training.sounds import evaluate
from skewbench.training.sounds.architecture import TOKENS, denoiser, tokenizer
from skewbench.training.sounds.mel import BANDS, FRAMES, log_mel
from skewbench.training.sounds.statements import statements
from skewbench.training.sounds.train import app


def _train(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    for stage in ("autoencoder", "vocoder", "text", "denoiser"):
        _train(stage, "--folder", folder, "--steps", 2, "--batch", 2, "--sounds", 4)
    _train("export", "--folder", folder, "--to", folder / "weights")
    return folder / "weights"


def test_each_word_of_the_grammar_is_one_token_and_each_caption_fits() -> None:
    words = tokenizer()
    assert all(len(words.tokenize(word)) == 1 for word in WORDS)
    rng = np.random.default_rng(0)
    ids = words([caption(sample_sound(rng, 3), rng) for _ in range(300)]).input_ids
    assert max(map(len, ids)) <= TOKENS
    assert not any(words.unk_token_id in one for one in ids)


def test_all_attentions_are_self_attentions() -> None:
    assert len(self_attention_blocks(denoiser())) == 2 * (2 * 1 + 1 + 2 * 2)


def test_spectrograms_show_pitch_level_and_silence() -> None:
    tone = Event("tone", "high", "pure", "loud", 0.2, 0.25, 0.3, 1250.0)
    mel = log_mel(torch.from_numpy(render(Sound((tone,), noise=0)))[None])[0]
    assert mel.shape == (FRAMES, BANDS)
    sounding = mel[round(0.3 * RATE / 128)]
    band = 2595 * np.log10(1 + 1250 / 700) / (2595 * np.log10(1 + 4000 / 700)) * (BANDS + 1) - 1
    assert abs(int(sounding.argmax()) - band) <= 1
    assert mel.max() == pytest.approx((np.log(0.3 * 2**0.5) + 4) / 3 + 0.2, abs=0.1)  # a band holds the whole peak
    assert mel[0].max() < -0.9


def test_the_exported_model_is_plain_audioldm_and_generates(exported: Path) -> None:
    pipeline = AudioLDMPipeline.from_pretrained(exported, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)

    def sound(seed: int, prompt: str) -> np.ndarray:
        noise = torch.Generator().manual_seed(seed)
        return np.asarray(pipeline(prompt, num_inference_steps=2, generator=noise).audios)

    first = sound(0, "a low tone")
    assert first.shape == (1, SAMPLES)
    assert np.array_equal(first, sound(0, "a low tone"))
    assert not np.array_equal(first, sound(0, "a click then a noise burst"))
    assert sum(file.stat().st_size for file in exported.rglob("*.safetensors")) < 14e6


@pytest.mark.parametrize("copy", [False, True])
def test_it_is_evaluated(
    exported: Path, copy: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    evaluate.main(prompts=1, steps=1, guidance=5.0, seed=1, model=exported, copy=copy, sheet=tmp_path / "sheet.png")
    printed = capsys.readouterr().out
    assert "3 events" in printed
    assert "sound_binding" in printed
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_a_copied_sound_is_one_that_its_caption_describes() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        text = caption(sample_sound(rng, int(rng.integers(1, 3)), "test"), rng)
        meaning = read(text)
        assert not isinstance(meaning, str)
        assert score_sound(render(evaluate._described(text, 0)), meaning)["sound_binding"].value == 1.0


def test_statements_are_what_captions_say() -> None:
    found = statements(
        ["", "a loud buzzy low tone", "a click before a quiet high rising sweep", "a click, a click and a click"]
    )
    assert found.tolist() == [
        [0] * 13,
        [1, 1, 2, 2, *[0] * 8, 0],
        [5, 0, 0, 0, 2, 3, 0, 1, *[0] * 4, 1],
        [5, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 0],
    ]
    with pytest.raises(ValueError, match="outside the sound grammar"):
        statements(["a red circle"])


def test_the_text_encoder_tells_captions_apart(tmp_path: Path) -> None:
    """A short training is enough to read most kinds; an encoder that collapses reads none."""
    output = _train("text", "--folder", tmp_path, "--steps", 150, "--batch", 32, "--sounds", 400, "--rate", 2e-3)
    share = re.search(r"([0-9.]+)% of the statements", output)
    assert share is not None
    rng = np.random.default_rng(0)
    texts = [caption(sample_sound(rng, 1 + number % 3, "test"), rng) for number in range(300)]
    wanted = statements(texts)
    most_frequent = np.mean([np.bincount(column).max() / len(column) for column in wanted.T.numpy()])
    assert float(share[1]) / 100 > most_frequent + 0.05
