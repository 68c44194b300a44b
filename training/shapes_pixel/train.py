"""Train the bundled model `shapes-pixel` from scratch: `python -m skewbench.training.shapes_pixel.train`.

Two stages, each a command: `denoiser` (UNet and T5 encoder together), then `export` (float16 safetensors into the
package). `denoiser` resumes from its last checkpoint and passes through the same batches.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

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

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)


@app.command("denoiser")
def train_denoiser(
    folder: Folder = Path("checkpoints/shapes-pixel"),
    steps: Steps = 12_000,
    batch: Batch = 16,
    scenes: Samples = 20_000,
    rate: Rate = 1e-3,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the UNet and the T5 encoder: velocity prediction on pixels."""
    torch.manual_seed(seed)
    pool = draw_pool(scenes, seed)
    words = tokenizer()
    encoder, unet = text_encoder(words).to(device), denoiser().to(device)
    alphas = scheduler().alphas_cumprod.to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pool.scenes), (batch,), generator=generator)
        clean = as_model_input(pool.pixels[chosen])
        noise = torch.randn(clean.shape, generator=generator).to(device)
        times = torch.randint(len(alphas), (batch,), generator=generator).to(device)
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
        return F.mse_loss(predicted, velocity)

    fit(
        nn.ModuleDict({"unet": unet, "text_encoder": encoder}),
        loss_of,
        folder / "denoiser",
        steps,
        rate,
        seed,
        precision=precision,
    )


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
