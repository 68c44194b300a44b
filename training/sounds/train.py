"""Train the bundled model `sounds` from scratch: `python -m skewbench.training.sounds.train`.

Five stages, each a command: `autoencoder` (of spectrograms), `vocoder`, `text`, `denoiser`, then `export` (float16
safetensors into the package). A stage that is started again resumes from its last checkpoint and passes through the
same batches.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from diffusers import AutoencoderKL
from jaxtyping import Float, Int
from rich.progress import track
from torch import Tensor, nn

from skewbench.eval.sounds.captions import caption
from skewbench.eval.sounds.render import render
from skewbench.eval.sounds.sound import Sound, sample_sound
from skewbench.training.export import To, save
from skewbench.training.loop import fit, load_average
from skewbench.training.options import Batch, Device, Folder, Precision, Rate, Samples, Seed, Steps
from skewbench.training.sounds import WEIGHTS
from skewbench.training.sounds.architecture import (
    TOKENS,
    autoencoder,
    denoiser,
    pipeline,
    scheduler,
    text_encoder,
    tokenizer,
    vocoder,
)
from skewbench.training.sounds.mel import log_mel, magnitudes
from skewbench.training.sounds.statements import StatementHead, statements

EMPTY_CAPTIONS = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""
SHARES = (0.35, 0.45, 0.20)
"""Share of sounds with one, two and three events."""
SNR_CLAMP = 5.0
"""Min-SNR weighting, as for `shapes-xl`."""
_RESOLUTIONS = (64, 256, 1024)
"""Windows of the vocoder's loss: clicks are short, tones need fine frequencies."""
_ENCODED_AT_ONCE = 250

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)
_FOLDER = Path("checkpoints/sounds")


def draw_sounds(size: int, seed: int) -> tuple[list[Sound], Float[Tensor, "n t"]]:
    """Sample sounds of the training split and render them.

    Args:
        size: Number of sounds.
        seed: Seed of the sounds.
    """
    rng = np.random.default_rng(seed)
    counts = rng.choice([1, 2, 3], size=size, p=SHARES)
    sounds = [sample_sound(rng, int(count)) for count in counts]
    waves = np.stack([render(sound) for sound in track(sounds, description="rendering sounds")])
    return sounds, torch.from_numpy(waves)


@app.command("autoencoder")
def train_autoencoder(
    folder: Folder = _FOLDER,
    steps: Steps = 2_200,
    batch: Batch = 16,
    sounds: Samples = 20_000,
    rate: Rate = 2e-3,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the autoencoder of spectrograms: mean absolute and squared error, and a little KL divergence."""
    torch.manual_seed(seed)
    _, waves = draw_sounds(sounds, seed)
    model = autoencoder().to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(waves), (batch,), generator=generator)
        mel = log_mel(waves[chosen].to(device))[:, None]
        posterior = model.encode(mel).latent_dist
        decoded = model.decode(posterior.sample(generator)).sample
        return F.mse_loss(decoded, mel) + F.l1_loss(decoded, mel) + 1e-6 * posterior.kl().mean()

    fit(nn.ModuleDict({"vae": model}), loss_of, folder / "autoencoder", steps, rate, seed, precision=precision)


@app.command("vocoder")
def train_vocoder(
    folder: Folder = _FOLDER,
    steps: Steps = 5_500,
    batch: Batch = 8,
    sounds: Samples = 20_000,
    rate: Rate = 1e-3,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the vocoder by spectra at three resolutions. The autoencoder decoded half of the spectrograms it reads."""
    torch.manual_seed(seed)
    _, waves = draw_sounds(sounds, seed)
    vae = _trained_autoencoder(folder).to(device)
    model = vocoder().to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(waves), (batch,), generator=generator)
        true = waves[chosen].to(device)
        mel = log_mel(true)
        with torch.no_grad():
            half = vae.decode(vae.encode(mel[::2, None]).latent_dist.mean).sample[:, 0]
        given = mel.clone()
        given[::2] = half
        made = model(given)
        spectral = [_spectral_loss(magnitudes(made, n), magnitudes(true, n)) for n in _RESOLUTIONS]
        return F.l1_loss(log_mel(made), mel) + torch.stack(spectral).mean()

    fit(nn.ModuleDict({"vocoder": model}), loss_of, folder / "vocoder", steps, rate, seed, precision=precision)


def _spectral_loss(made: Float[Tensor, "n t f"], true: Float[Tensor, "n t f"]) -> Tensor:
    """Spectral convergence, and the mean absolute error of log magnitudes (Yamamoto et al. 2020, arXiv 1910.11480)."""
    logarithmic = F.l1_loss((made + 1e-3).log(), (true + 1e-3).log())
    return (made - true).norm() / true.norm() + 0.3 * logarithmic


@app.command("text")
def train_text(
    folder: Folder = _FOLDER,
    steps: Steps = 1_500,
    batch: Batch = 64,
    sounds: Samples = 20_000,
    rate: Rate = 1e-3,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the text encoder to tell what captions state.

    Trained with the denoiser alone, it gave all captions one vector: at first that loss hardly depends on text.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pool = [sample_sound(rng, int(count)) for count in rng.choice([1, 2, 3], size=sounds, p=SHARES)]
    words = tokenizer()
    encoder, head = text_encoder(words).to(device), StatementHead().to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        texts = _captions(pool, torch.randint(len(pool), (batch,), generator=generator), generator, seed, step)
        return torch.as_tensor(head(_vectors(encoder, words, texts, device), statements(texts).to(device)))

    parts = nn.ModuleDict({"text_encoder": encoder, "head": head})
    fit(parts, loss_of, folder / "text", steps, rate, seed, precision=precision)
    load_average(parts, folder / "text")
    fresh = [caption(sample_sound(rng, 1 + number % 3, "test"), rng) for number in range(300)]
    with torch.no_grad():
        right = head.right(_vectors(encoder, words, fresh, device), statements(fresh).to(device))
    typer.echo(f"{right:.1%} of the statements of 300 captions of the test split are read right")


@app.command("denoiser")
def train_denoiser(
    folder: Folder = _FOLDER,
    steps: Steps = 7_000,
    batch: Batch = 24,
    sounds: Samples = 20_000,
    rate: Rate = 1.5e-3,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the UNet on the autoencoder's latents: velocity prediction, min-SNR weights. Both encoders are frozen."""
    torch.manual_seed(seed)
    pool, waves = draw_sounds(sounds, seed)
    encoded = _encode(_trained_autoencoder(folder).to(device), waves, device)
    scaling = 1.0 / encoded.std().item()
    (folder / "scaling_factor.txt").write_text(f"{scaling:.6f}\n")
    words = tokenizer()
    encoder, unet = _trained_text_encoder(words, folder).to(device), denoiser().to(device)
    alphas = scheduler().alphas_cumprod.to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pool), (batch,), generator=generator)
        noise = torch.randn((batch, *encoded.shape[1:]), generator=generator).to(device)
        times = torch.randint(len(alphas), (batch,), generator=generator).to(device)
        texts = _captions(pool, chosen, generator, seed, step)
        latents, signal = encoded[chosen].to(device) * scaling, alphas[times].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        velocity = signal.sqrt() * noise - (1 - signal).sqrt() * latents
        vectors = _vectors(encoder, words, texts, device)
        predicted = unet(noisy, times, encoder_hidden_states=None, class_labels=vectors).sample
        snr = signal.flatten() / (1 - signal.flatten()).clamp_min(1e-8)
        weight = snr.clamp_max(SNR_CLAMP) / (snr + 1) + 0.1  # the floor keeps the pure-noise steps
        return (weight * F.mse_loss(predicted, velocity, reduction="none").mean(dim=(1, 2, 3))).mean()

    fit(nn.ModuleDict({"unet": unet}), loss_of, folder / "denoiser", steps, rate, seed, precision=precision)


def _captions(
    pool: list[Sound], chosen: Int[Tensor, "n"], generator: torch.Generator, seed: int, step: int
) -> list[str]:
    """Write a caption for each chosen sound. Some are empty."""
    dropped = torch.rand(len(chosen), generator=generator) < EMPTY_CAPTIONS
    rng = np.random.default_rng(seed * 1_000_003 + step)
    return ["" if drop else caption(pool[int(i)], rng) for drop, i in zip(dropped, chosen, strict=True)]


def _vectors(encoder: Any, words: Any, texts: list[str], device: str) -> Float[Tensor, "n d"]:
    """Encode captions as the pipeline does: the projected vector, of norm 1."""
    ids = words(texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt").to(device)
    embedded = encoder(ids.input_ids, attention_mask=ids.attention_mask).text_embeds
    return F.normalize(embedded.float(), dim=-1)


@app.command("export")
def export(
    folder: Folder = _FOLDER,
    to: To = WEIGHTS,
) -> None:
    """Write the averaged weights as float16 safetensors, in the layout that diffusers loads."""
    words = tokenizer()
    encoder, unet, voice = _trained_text_encoder(words, folder), denoiser(), vocoder()
    load_average(nn.ModuleDict({"unet": unet}), folder / "denoiser")
    load_average(nn.ModuleDict({"vocoder": voice}), folder / "vocoder")
    vae = _trained_autoencoder(folder)
    vae.register_to_config(scaling_factor=float((folder / "scaling_factor.txt").read_text()))
    whole = pipeline({"vae": vae, "unet": unet, "text_encoder": encoder, "tokenizer": words, "vocoder": voice})
    save(whole, to)


def _trained_autoencoder(folder: Path) -> AutoencoderKL:
    vae = autoencoder()
    load_average(nn.ModuleDict({"vae": vae}), folder / "autoencoder")
    return vae.requires_grad_(False)


def _trained_text_encoder(words: Any, folder: Path) -> Any:
    encoder = text_encoder(words)
    load_average(nn.ModuleDict({"text_encoder": encoder}), folder / "text")
    return encoder.requires_grad_(False)


def _encode(vae: AutoencoderKL, waves: Float[Tensor, "n t"], device: str) -> Float[Tensor, "n c h w"]:
    """Return mean latents of all sounds: sharper targets than samples, and the decoder accepts either."""
    with torch.inference_mode():
        means = [
            vae.encode(log_mel(some.to(device))[:, None]).latent_dist.mean.cpu()
            for some in track(waves.split(_ENCODED_AT_ONCE), description="encoding")
        ]
    return torch.cat(means).clone()  # an inference tensor could not take part in training


if __name__ == "__main__":
    app()
