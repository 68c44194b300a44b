"""Measures `sounds`: `python -m skewbench.training.sounds.evaluate` generates random test captions.

Prints the share of right statements by number of events, with its parts, and the time per sound; `--sheet` writes the
spectrograms of the first sounds: random, not chosen. `--copy` measures the autoencoder and the vocoder alone: it
rebuilds rendered sounds, so its scores are the most that the denoiser can reach.
"""

import time
from io import BytesIO
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AudioLDMPipeline
from jaxtyping import Float
from PIL import Image
from rich.console import Console
from rich.progress import track

from skewbench.eval.scoring.audio import Waveforms, spectrogram
from skewbench.eval.sounds.captions import read
from skewbench.eval.sounds.render import render
from skewbench.eval.sounds.sound import Sound, sample_sound
from skewbench.eval.sounds.vocabulary import RATE
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.identity import noise_seed
from skewbench.tasks.prompts import Prompt
from skewbench.training.quality import by_count
from skewbench.training.scenes import contact_sheet
from skewbench.training.sounds import WEIGHTS
from skewbench.training.sounds.mel import log_mel

BATCH = 8
_ON_SHEET = 64


def main(
    prompts: Annotated[int, typer.Option(help="Captions for each number of events.")] = 64,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Which captions and noise.")] = 1,
    model: Annotated[Path, typer.Option(help="Folder of the model.")] = WEIGHTS,
    copy: Annotated[bool, typer.Option(help="Rebuild rendered sounds instead of generating from noise.")] = False,
    sheet: Annotated[Path | None, typer.Option(help="Write the spectrograms of 64 sounds here.")] = None,
) -> None:
    """Score random test captions, and write a sheet of spectrograms."""
    torch.set_num_threads(1)
    if not (model / "model_index.json").is_file():
        raise typer.BadParameter(
            f"no model_index.json in {model}: train and export the model first", param_hint="--model"
        )
    pipeline = AudioLDMPipeline.from_pretrained(model, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    began = time.process_time()

    def generate(chosen: list[Prompt]) -> Waveforms:
        batches = [chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH)]
        make = rebuilt if copy else generate_batch
        waves = [
            make(pipeline, batch, seed, steps, guidance)
            for batch in track(batches, description="generating", console=Console(stderr=True))
        ]
        typer.echo(f"{(time.process_time() - began) / len(chosen):.2f} s of processor time per sound")
        return Waveforms(np.concatenate(waves).clip(-1, 1), RATE)

    what = "rebuilt from its spectrogram" if copy else f"{steps} steps, guidance {guidance:g}"
    made = by_count(generate, PromptSpec(source="sounds", seed=seed), "sound_binding", f"{model.name}, {what}", prompts)
    if sheet:
        some = made.samples[:_ON_SHEET]
        pixels = np.stack([np.asarray(Image.open(BytesIO(spectrogram(wave, RATE))).convert("RGB")) for wave in some])
        Image.fromarray(contact_sheet(pixels)).save(sheet)
        typer.echo(f"{sheet}: {len(some)} sounds")


def generate_batch(
    pipeline: AudioLDMPipeline, prompts: list[Prompt], seed: int, steps: int, guidance: float
) -> Float[np.ndarray, "n t"]:
    """Generate one sound per prompt, whose noise depends only on the prompt and the seed.

    Args:
        pipeline: The model.
        prompts: n prompts.
        seed: Seed of the noise.
        steps: Denoising steps.
        guidance: Classifier-free guidance scale.

    Returns:
        Waveforms at 8 kHz.
    """
    noise = [torch.Generator().manual_seed(noise_seed(p.id, seed, shared=False)) for p in prompts]
    options = {"num_inference_steps": steps, "guidance_scale": guidance, "generator": noise, "output_type": "np"}
    made: Float[np.ndarray, "n t"] = pipeline([p.text for p in prompts], **options).audios
    return made


@torch.inference_mode()
def rebuilt(
    pipeline: AudioLDMPipeline, prompts: list[Prompt], seed: int, _steps: int, _guidance: float
) -> Float[np.ndarray, "n t"]:
    """Render a sound that each prompt describes, and rebuild it by autoencoder and vocoder.

    Args:
        pipeline: The model.
        prompts: n prompts.
        seed: Seed of the sounds.

    Returns:
        Waveforms at 8 kHz.
    """
    waves = torch.from_numpy(np.stack([render(_described(prompt.text, seed)) for prompt in prompts]))
    latents = pipeline.vae.encode(log_mel(waves)[:, None]).latent_dist.mean
    made: Float[np.ndarray, "n t"] = pipeline.vocoder(pipeline.vae.decode(latents).sample[:, 0]).numpy()
    return made


def _described(text: str, seed: int) -> Sound:
    """A random sound that agrees with a caption. What the caption leaves open is random."""
    meaning = read(text)
    if isinstance(meaning, str):
        raise ValueError(meaning)
    rng = np.random.default_rng(seed)
    while True:
        sound = sample_sound(rng, len(meaning.events), "test")
        stated = [(event.kind, event.pitch, event.timbre, event.loudness) for event in meaning.events]
        if all(
            wanted in (None, had)
            for phrase, event in zip(stated, sound.events, strict=True)
            for wanted, had in zip(phrase, (event.kind, event.pitch, event.timbre, event.loudness), strict=True)
        ):
            return sound


if __name__ == "__main__":
    typer.run(main)
