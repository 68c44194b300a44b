"""`python -m skewbench.eval.binding --scenes 2000 --seed 0`: the scorer's own errors, as tables."""

from typing import Annotated

import typer
from rich.console import Console

from skewbench.eval.binding.defects import DEFECTS
from skewbench.eval.binding.evaluate import evaluate
from skewbench.eval.scorer_errors import attribute_table, defect_table


def main(
    scenes: Annotated[int, typer.Option(min=1, help="Number of scenes to render.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of scenes and damage.")] = 0,
) -> None:
    """Draw scenes, damage their images, and print where the binding scorer is wrong."""
    report = evaluate(scenes, seed)
    console = Console()
    console.print(attribute_table(report), defect_table(report, {name: word for name, (_, word) in DEFECTS.items()}))
    console.print(report.summary())


if __name__ == "__main__":
    typer.run(main)
