"""`python -m skewbench.eval.sound_binding --sounds 2000 --seed 0`: the scorer's own errors, as tables."""

from typing import Annotated

import typer
from rich.console import Console

from skewbench.eval.scorer_errors import attribute_table, defect_table
from skewbench.eval.sound_binding.defects import DEFECTS
from skewbench.eval.sound_binding.evaluate import evaluate


def main(
    sounds: Annotated[int, typer.Option(min=1, help="Number of sounds to render.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of sounds and damage.")] = 0,
) -> None:
    """Render sounds, damage them, and print where the scorer of sounds is wrong."""
    report = evaluate(sounds, seed)
    console = Console()
    console.print(attribute_table(report), defect_table(report, {name: word for name, (_, word) in DEFECTS.items()}))
    console.print(report.summary())


if __name__ == "__main__":
    typer.run(main)
