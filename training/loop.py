"""The training loop that the bundled models share: saves, resumes, averages weights and records the loss.

Each step has its own random generator, so that a resumed training uses the same batches.
"""

import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from skewbench.training.precision import Precision, computed_in

SAVE_EVERY = 200
EMA_DECAY = 0.999


def fit(
    model: nn.ModuleDict,
    loss_of: Callable[[int, torch.Generator], Tensor],
    folder: Path,
    steps: int,
    rate: float,
    seed: int,
    *,
    precision: Precision = "float32",
    muon: bool = False,
) -> None:
    """Train on a one-cycle rate, with an exponential average of the weights; saved and resumed.

    Args:
        model: The modules to train.
        loss_of: Computes the loss of a step, given its number and a CPU generator seeded by `seed` and the step.
        folder: Folder of `checkpoint.pt` and `curve.csv`. An existing checkpoint is resumed.
        steps: Number of steps in all, including those before a resume.
        rate: Peak learning rate.
        seed: Seed of the generators.
        precision: Precision of products and convolutions.
        muon: Matrices of hidden layers are trained with Muon (Jordan et al. 2024), all else with AdamW.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimizers = _optimizers(model, rate, muon)
    device = next(model.parameters()).device
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    start = _resume(folder, model, optimizers, average)
    model.train()
    began, recent = time.monotonic(), []
    for step in _progress(start, steps, folder.name):
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate * _one_cycle(step / steps)
        with computed_in(precision, device):
            loss = loss_of(step, torch.Generator().manual_seed(seed * 1_000_003 + step))
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - decay) if value.is_floating_point() else average[name].copy_(value)
        recent.append(loss.item())
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            _log(folder / "curve.csv", step + 1, sum(recent) / len(recent), time.monotonic() - began)
            recent.clear()
            states = [optimizer.state_dict() for optimizer in optimizers]
            _save(folder, {"step": step + 1, "model": model.state_dict(), "optimizers": states, "average": average})


def _optimizers(model: nn.Module, rate: float, muon: bool) -> list[torch.optim.Optimizer]:
    embeddings = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    hidden = [value for value in model.parameters() if muon and value.ndim == 2 and id(value) not in embeddings]
    chosen = {id(value) for value in hidden}
    others = [value for value in model.parameters() if id(value) not in chosen]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, lr=rate, weight_decay=0.01, betas=(0.9, 0.99))]
    if hidden:
        # the adjustment gives Muon's steps the size of AdamW's, so that both share the rate
        found.append(torch.optim.Muon(hidden, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"))
    return found


def begin_with(model: nn.Module, folder: Path) -> None:
    """Save a model as a checkpoint of step 0, from which `fit` resumes.

    Args:
        model: The model.
        folder: Folder of the checkpoint; created if needed.

    Raises:
        typer.BadParameter: The folder already has a checkpoint.
    """
    if (folder / "checkpoint.pt").exists():
        raise typer.BadParameter(f"{folder / 'checkpoint.pt'} is there already: train that stage on, or move it away")
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder, {"step": 0, "model": model.state_dict(), "average": model.state_dict()})


def _save(folder: Path, state: dict[str, Any]) -> None:
    torch.save(state, folder / "checkpoint.tmp")
    (folder / "checkpoint.tmp").replace(folder / "checkpoint.pt")


def _resume(folder: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer], average: dict[str, Tensor]) -> int:
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state.get("optimizers", ()), strict=False):
        optimizer.load_state_dict(saved)
    for name, value in state["average"].items():
        average[name].copy_(value)
    return int(state["step"])


def load_average(model: nn.Module, folder: Path) -> None:
    """Load the averaged weights of a checkpoint into a model, and set it to evaluation mode.

    What only training has, such as heads, is left out.

    Args:
        model: The model that was trained.
        folder: Folder of the checkpoint.

    Raises:
        typer.BadParameter: The folder has no checkpoint.
    """
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.exists():
        raise typer.BadParameter(f"no {checkpoint}: train that stage first")
    average = torch.load(checkpoint, weights_only=True, map_location="cpu")["average"]
    model.load_state_dict({name: average[name] for name in model.state_dict() if name in average})
    model.eval()


def _one_cycle(done: float) -> float:
    """Linear warm-up over 5% of the steps, then half a cosine down to 1% of the peak."""
    if done < 0.05:
        return done / 0.05
    angle = torch.tensor((done - 0.05) / 0.95 * torch.pi)
    return 0.01 + 0.99 * 0.5 * (1 + torch.cos(angle).item())


def _progress(start: int, steps: int, title: str) -> Iterator[int]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        bar = progress.add_task(title, total=steps, completed=start)
        for step in range(start, steps):
            yield step
            progress.advance(bar)


def _log(path: Path, step: int, loss: float, seconds: float) -> None:
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", "loss", "seconds_this_start"])
        writer.writerow([step, f"{loss:.6f}", f"{seconds:.1f}"])
