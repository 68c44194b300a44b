"""Train the bundled model `shapes-xl` from scratch: `python -m skewbench.training.shapes_xl.train`.

Three stages, each a command: `autoencoder`, then `denoiser` (with the text encoders), then `export` (float16
safetensors into the package). A stage that is started again resumes from its last checkpoint. With the same seed and
step count it passes through the same batches, since each step draws from a generator of its own. If the checkpoints are
missing, `unpack` makes new ones from the weights that ship.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import typer
from diffusers import AutoencoderKL, StableDiffusionXLPipeline
from jaxtyping import Float
from torch import Tensor, nn

from skewbench.eval.scenes.vocabulary import SIZE
from skewbench.tasks.models import BUNDLED
from skewbench.training.export import To, save
from skewbench.training.loop import begin_with, fit, load_average
from skewbench.training.options import Batch, Device, Folder, Precision, Rate, Samples, Seed, Steps
from skewbench.training.shapes_xl.architecture import (
    autoencoder,
    denoiser,
    pipeline,
    scheduler,
    text_encoders,
    write_tokenizer,
)
from skewbench.training.shapes_xl.data import Pool, as_model_input, captions_of, draw_pool

WEIGHTS = BUNDLED["shapes-xl"]

EMPTY_CAPTIONS = 0.1
"""Share of captions dropped, for classifier-free guidance."""
SNR_CLAMP = 5.0
"""Min-SNR weighting (Hang et al. 2023, arXiv 2303.09556), in its velocity form min(SNR, 5) / (SNR + 1)."""

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)


@app.command("autoencoder")
def train_autoencoder(
    folder: Folder = Path("checkpoints/shapes-xl"),
    steps: Steps = 3000,
    batch: Batch = 16,
    scenes: Samples = 20_000,
    rate: Rate = 2e-3,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the autoencoder: mean absolute and squared error, and a whisper of KL divergence."""
    torch.manual_seed(seed)
    pool = draw_pool(scenes, seed)
    model = autoencoder().to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pool.scenes), (batch,), generator=generator)
        pixels = as_model_input(pool.pixels[chosen]).to(device)
        posterior = model.encode(pixels).latent_dist
        drawn = model.decode(posterior.sample(generator)).sample
        return F.mse_loss(drawn, pixels) + F.l1_loss(drawn, pixels) + 1e-6 * posterior.kl().mean()

    fit(nn.ModuleDict({"vae": model}), loss_of, folder / "autoencoder", steps, rate, seed, precision=precision)


@app.command("denoiser")
def train_denoiser(
    folder: Folder = Path("checkpoints/shapes-xl"),
    steps: Steps = 9000,
    batch: Batch = 32,
    scenes: Samples = 20_000,
    rate: Rate = 1.5e-3,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the UNet and both text encoders on the autoencoder's latents: velocity prediction, min-SNR weights."""
    torch.manual_seed(seed)
    vae = autoencoder().to(device)
    load_average(nn.ModuleDict({"vae": vae}), folder / "autoencoder")
    pool = draw_pool(scenes, seed)
    encoded = _encode(vae, pool, device)
    scaling = 1.0 / encoded.std().item()
    (folder / "scaling_factor.txt").write_text(f"{scaling:.6f}\n")
    tokenizer = write_tokenizer(folder / "tokenizer")
    first, second = (encoder.to(device) for encoder in text_encoders(tokenizer))
    unet = denoiser().to(device)
    alphas = scheduler().alphas_cumprod.to(device)
    where = torch.tensor([[SIZE, SIZE, 0, 0, SIZE, SIZE]], dtype=torch.float32, device=device).expand(batch, -1)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pool.scenes), (batch,), generator=generator)
        noise = torch.randn((batch, *encoded.shape[1:]), generator=generator).to(device)
        times = torch.randint(len(alphas), (batch,), generator=generator).to(device)
        kept = (torch.rand(batch, generator=generator) >= EMPTY_CAPTIONS).float().to(device)
        latents = encoded[chosen].to(device) * scaling
        words = tokenizer(
            captions_of([pool.scenes[i] for i in chosen], seed=seed * 1_000_003 + step),
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        ).input_ids.to(device)
        sequence, pooled = _encode_text(first, second, words)
        signal = alphas[times].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        velocity = signal.sqrt() * noise - (1 - signal).sqrt() * latents
        predicted = unet(
            noisy,
            times,
            sequence * kept[:, None, None],  # SDXL's empty prompt is zeros
            added_cond_kwargs={"text_embeds": pooled * kept[:, None], "time_ids": where},
        ).sample
        snr = signal.flatten() / (1 - signal.flatten()).clamp_min(1e-8)
        weight = (
            snr.clamp_max(SNR_CLAMP) / (snr + 1) + 0.1
        )  # the floor keeps the pure-noise steps, which set the background
        return (weight * F.mse_loss(predicted, velocity, reduction="none").mean(dim=(1, 2, 3))).mean()

    parts = {"unet": unet, "text_encoder": first, "text_encoder_2": second}
    fit(nn.ModuleDict(parts), loss_of, folder / "denoiser", steps, rate, seed, precision=precision)


@app.command("unpack")
def unpack(
    folder: Folder = Path("checkpoints/shapes-xl"),
    source: Annotated[Path, typer.Option("--from", help="Folder of a model that `export` wrote.")] = WEIGHTS,
) -> None:
    """Make checkpoints of exported weights, from which both stages resume, with steps counted from 0."""
    whole = StableDiffusionXLPipeline.from_pretrained(source, use_safetensors=True).to(torch.float32)
    begin_with(nn.ModuleDict({"vae": whole.vae}), folder / "autoencoder")
    parts = {"unet": whole.unet, "text_encoder": whole.text_encoder, "text_encoder_2": whole.text_encoder_2}
    begin_with(nn.ModuleDict(parts), folder / "denoiser")
    typer.echo(f"{folder}: checkpoints of {source}")


@app.command("export")
def export(
    folder: Folder = Path("checkpoints/shapes-xl"),
    to: To = WEIGHTS,
) -> None:
    """Write the averaged weights as float16 safetensors, in the layout that diffusers loads."""
    tokenizer = write_tokenizer(folder / "tokenizer")
    first, second = text_encoders(tokenizer)
    unet, vae = denoiser(), autoencoder()
    load_average(nn.ModuleDict({"vae": vae}), folder / "autoencoder")
    load_average(nn.ModuleDict({"unet": unet, "text_encoder": first, "text_encoder_2": second}), folder / "denoiser")
    vae.register_to_config(scaling_factor=float((folder / "scaling_factor.txt").read_text()))
    parts: dict[str, Any] = {"vae": vae, "unet": unet, "text_encoder": first, "text_encoder_2": second}
    whole = pipeline({**parts, "tokenizer": tokenizer, "tokenizer_2": tokenizer})
    save(whole, to)


def _encode(vae: AutoencoderKL, pool: Pool, device: str) -> Float[Tensor, "n c h w"]:
    """Return mean latents of all images: sharper targets than samples, and the decoder accepts either."""
    with torch.inference_mode():
        means = [vae.encode(as_model_input(p).to(device)).latent_dist.mean.cpu() for p in pool.pixels.split(250)]
    return torch.cat(means).clone()  # an inference tensor could not take part in training


def _encode_text(first: Any, second: Any, words: Tensor) -> tuple[Float[Tensor, "n t c"], Float[Tensor, "n c"]]:
    """Return both encoders' layer before the last and the second's pooled output, as the SDXL pipeline does."""
    one, two = first(words, output_hidden_states=True), second(words, output_hidden_states=True)
    return torch.cat([one.hidden_states[-2], two.hidden_states[-2]], dim=-1), two.text_embeds


if __name__ == "__main__":
    app()
