"""Options that the training commands share."""

from pathlib import Path
from typing import Annotated

import typer

from skewbench.training.precision import Precision as _Precision

Folder = Annotated[Path, typer.Option("--folder", help="Where the training set, checkpoints and curves are kept.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Decides samples, captions, noise and initial weights.")]
Samples = Annotated[int, typer.Option(help="Number of images or sounds to render.")]
Batch = Annotated[int, typer.Option(help="Samples a step.")]
Steps = Annotated[int, typer.Option(help="Steps in all.")]
Rate = Annotated[float, typer.Option(help="Peak learning rate.")]
Precision = Annotated[_Precision, typer.Option(help="bfloat16 is faster on GPUs, and on processors with AMX.")]
