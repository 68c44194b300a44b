"""Train the bundled model `shapes-pixel` from scratch: `python -m skewbench.training.shapes_pixel.train`.

Two stages, each a command: `denoiser` (UNet and T5 encoder together), then `export` (float16 safetensors into the
package). `denoiser` resumes from its last checkpoint and passes through the same batches.
"""

from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from diffusers import UNet2DConditionModel
from jaxtyping import Int
from torch import Tensor, nn

from skewbench.training.alignment import SHARE, Alignment
from skewbench.training.export import To, save
from skewbench.training.loop import fit, load_average
from skewbench.training.options import Batch, Device, Folder, Precision, Rate, Samples, Seed, Steps
from skewbench.training.shapes_pixel import WEIGHTS
from skewbench.training.shapes_pixel.architecture import (
    CHANNELS,
    TOKENS,
    denoiser,
    pipeline,
    scheduler,
    text_encoder,
    tokenizer,
)
from skewbench.training.shapes_xl.data import as_model_input, captions_of, draw_pool

EMPTY_CAPTIONS = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""
LOCATION, SPREAD = 0.5, 1.2
"""Half of the times are uniform, as the steps of the sampler are. The other half are logit-normal and nearer to noise:
large plain areas show layout and background through much noise, so these are decided early."""

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)


@app.command("denoiser")
def train_denoiser(
    folder: Folder = Path("checkpoints/shapes-pixel"),
    steps: Steps = 7_000,
    batch: Batch = 16,
    scenes: Samples = 20_000,
    rate: Rate = 2e-3,
    muon: Annotated[bool, typer.Option(help="Train the matrices of hidden layers with Muon.")] = True,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the UNet and the T5 encoder: velocity prediction on pixels.

    In training alone, the middle block is aligned with `shapes-clip`.
    """
    torch.manual_seed(seed)
    pool = draw_pool(scenes, seed)
    words = tokenizer()
    encoder, unet = text_encoder(words).to(device), denoiser().to(device)
    alignment = _alignment(unet).to(device)
    alphas = scheduler().alphas_cumprod.to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pool.scenes), (batch,), generator=generator)
        pixels = pool.pixels[chosen]
        clean = as_model_input(pixels)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        times = _times(batch, len(alphas), generator).to(device)
        dropped = torch.rand(batch, generator=generator) < EMPTY_CAPTIONS
        captions = captions_of([pool.scenes[i] for i in chosen], seed=seed * 1_000_003 + step)
        texts = ["" if drop else text for drop, text in zip(dropped, captions, strict=True)]
        tokens = words(texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt").to(device)
        signal = alphas[times].view(-1, 1, 1, 1)
        clean = clean.to(device)
        noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
        velocity = signal.sqrt() * noise - (1 - signal).sqrt() * clean
        sequence = encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
        predicted = unet(noisy, times, encoder_hidden_states=sequence).sample[:, :CHANNELS]
        aligned = SHARE * alignment(pixels.to(device))
        # the curve shows the loss of the velocity alone, so that it compares with trainings without alignment
        return F.mse_loss(predicted, velocity) + aligned - aligned.detach()

    trained = nn.ModuleDict({"unet": unet, "text_encoder": encoder, "alignment": alignment})
    fit(trained, loss_of, folder / "denoiser", steps, rate, seed, precision=precision, muon=muon)


def _alignment(unet: UNet2DConditionModel) -> Alignment:
    return Alignment(unet.mid_block, unet.config.block_out_channels[-1])


def _times(batch: int, count: int, generator: torch.Generator) -> Int[Tensor, "n"]:
    near_noise = torch.sigmoid(LOCATION + SPREAD * torch.randn(batch, generator=generator))
    uniform = torch.rand(batch, generator=generator)
    return (count * torch.where(torch.arange(batch) % 2 == 0, uniform, near_noise)).long().clamp_max(count - 1)


@app.command("export")
def export(
    folder: Folder = Path("checkpoints/shapes-pixel"),
    to: To = WEIGHTS,
) -> None:
    """Write the averaged weights as float16 safetensors, in the layout that diffusers loads."""
    words = tokenizer()
    encoder, unet = text_encoder(words), denoiser()
    load_average(nn.ModuleDict({"unet": unet, "text_encoder": encoder}), folder / "denoiser")
    whole = pipeline({"unet": unet, "text_encoder": encoder, "tokenizer": words})
    save(whole, to)


if __name__ == "__main__":
    app()
