"""Train the bundled model `shapes-mmdit` from scratch: `python -m skewbench.training.shapes_mmdit.train`.

Three stages, each a command: `data` (renders and encodes the training set), then `denoiser`, then `export` (float16
safetensors into the package). Autoencoder and text encoders are those of `shapes-xl`, frozen. `denoiser` resumes from
its last checkpoint and passes through the same batches. `unpack` makes a checkpoint of the weights in the package.
"""

from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from diffusers import SD3Transformer2DModel
from torch import Tensor, nn

from skewbench.tasks.models import BUNDLED
from skewbench.training.alignment import SHARE, Alignment
from skewbench.training.export import To, save
from skewbench.training.loop import begin_with, fit, load_average
from skewbench.training.options import Batch, Device, Folder, Precision, Rate, Samples, Seed, Steps
from skewbench.training.shapes_mmdit import WEIGHTS
from skewbench.training.shapes_mmdit.architecture import denoiser, frozen_parts, pipeline
from skewbench.training.shapes_mmdit.data import embed, read_training_set, tokens, write_training_set

EMPTY_CAPTIONS = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""
LOCATION, SPREAD = 0.5, 1.2
"""Times are logit-normal (Esser et al. 2024, arXiv 2403.03206, section 3.1), moved towards noise: large plain areas
show layout and background through much noise, so these are decided near t = 1."""

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)


@app.command("data")
def make_data(
    folder: Folder = Path("checkpoints/shapes-mmdit"),
    scenes: Samples = 20_000,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """Render the training scenes, encode them, and write latents and caption tokens."""
    write_training_set(_data(folder), frozen_parts(), scenes, seed, device)
    typer.echo(f"{_data(folder)}: {scenes} scenes")


@app.command("denoiser")
def train_denoiser(
    folder: Folder = Path("checkpoints/shapes-mmdit"),
    steps: Steps = 12_000,
    batch: Batch = 16,
    rate: Rate = 3e-3,
    muon: Annotated[bool, typer.Option(help="Train the matrices of hidden layers with Muon.")] = True,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
) -> None:
    """Train the MMDiT by rectified flow: predict noise minus latents on the straight line between them.

    In training alone, an early block is aligned with `shapes-clip`.
    """
    if not _data(folder).exists():
        raise typer.BadParameter(f"no {_data(folder)}: run the command `data` first")
    torch.manual_seed(seed)
    parts = frozen_parts()
    for name in ("text_encoder", "text_encoder_2"):
        parts[name].to(device)
    latents, words, pixels = read_training_set(_data(folder))
    empty = tokens(parts, [""])
    model = denoiser().to(device)
    alignment = _alignment(model).to(device)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(latents), (batch,), generator=generator)
        phrasing = torch.randint(words.shape[1], (batch,), generator=generator)
        dropped = torch.rand(batch, generator=generator) < EMPTY_CAPTIONS
        noise = torch.randn((batch, *latents.shape[1:]), generator=generator).to(device)
        times = torch.sigmoid(LOCATION + SPREAD * torch.randn(batch, generator=generator)).to(device)
        sequence, pooled = embed(parts, torch.where(dropped[:, None], empty, words[chosen, phrasing]).to(device))
        clean, t = latents[chosen].to(device), times.view(-1, 1, 1, 1)
        velocity = model(
            hidden_states=(1 - t) * clean + t * noise,
            timestep=1000 * times,
            encoder_hidden_states=sequence,
            pooled_projections=pooled,
            return_dict=False,
        )[0]
        aligned = SHARE * alignment(pixels[chosen].to(device))
        # the curve shows the loss of the flow alone, so that it compares with trainings without alignment
        return F.mse_loss(velocity, noise - clean) + aligned - aligned.detach()

    fit(_trained(model, alignment), loss_of, folder / "denoiser", steps, rate, seed, precision=precision, muon=muon)


@app.command("unpack")
def unpack(
    folder: Folder = Path("checkpoints/shapes-mmdit"),
    source: Annotated[Path, typer.Option("--from", help="Folder of a model that `export` wrote.")] = WEIGHTS,
) -> None:
    """Make a checkpoint of exported weights, from which `denoiser` resumes, with steps counted from 0."""
    model = SD3Transformer2DModel.from_pretrained(source, subfolder="transformer", dtype=torch.float32)
    begin_with(_trained(model, _alignment(model)), folder / "denoiser")
    typer.echo(f"{folder}: checkpoint of {source}")


@app.command("export")
def export(
    folder: Folder = Path("checkpoints/shapes-mmdit"),
    to: To = WEIGHTS,
) -> None:
    """Write the averaged weights as float16 safetensors; in the package, link the files that `shapes-xl` also has."""
    model = denoiser()
    load_average(nn.ModuleDict({"transformer": model}), folder / "denoiser")
    save(pipeline({**frozen_parts(), "transformer": model}), to, twins=BUNDLED["shapes-xl"])


def _alignment(model: SD3Transformer2DModel) -> Alignment:
    """Align an early block, as the authors advise."""
    blocks = model.transformer_blocks
    return Alignment(blocks[len(blocks) // 2 - 1], model.inner_dim)


def _trained(model: SD3Transformer2DModel, alignment: Alignment) -> nn.ModuleDict:
    return nn.ModuleDict({"transformer": model, "alignment": alignment})


def _data(folder: Path) -> Path:
    return folder / "scenes.safetensors"


if __name__ == "__main__":
    app()
