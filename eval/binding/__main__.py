"""`python -m skewbench.eval.binding --scenes 2000 --seed 0`: the scorer's own errors, as tables."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skewbench.eval.binding.defects import DEFECTS
from skewbench.eval.binding.evaluate import Report, evaluate


def main(
    scenes: Annotated[int, typer.Option(min=1, help="Number of scenes to render.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of scenes and damage.")] = 0,
) -> None:
    """Draw scenes, damage their images, and print where the binding scorer is wrong."""
    report = evaluate(scenes, seed)
    console = Console()
    console.print(attribute_table(report), defect_table(report))
    console.print(
        f"{report.images} scenes, {report.seconds / report.images * 1e3:.2f} ms per image; "
        f"all attributes right: {report.accuracy():.4f}; "
        f"defects named in faithful images: {dict(report.false_alarms) or 'none'}"
    )


def attribute_table(report: Report) -> Table:
    """Tabulate the accuracy per attribute and the most frequent confusions.

    Args:
        report: Counts from `evaluate`.

    Returns:
        One row per attribute, with up to 6 confusions, the most frequent first.
    """
    table = Table("attribute", "n", "right", "true as seen: times", title="attributes seen")
    for attribute in dict.fromkeys(key[0] for key in report.seen):
        of_it = [(key, n) for key, n in report.seen.items() if key[0] == attribute]
        wrong = sorted(((n, true, seen) for (_, true, seen), n in of_it if true != seen), reverse=True)
        confusions = "; ".join(f"{true} as {seen}: {n}" for n, true, seen in wrong[:6])
        table.add_row(attribute, str(sum(n for _, n in of_it)), f"{report.accuracy(attribute):.4f}", confusions)
    return table


def defect_table(report: Report) -> Table:
    """Tabulate the detection rate of each defect, and the defects detected instead.

    Args:
        report: Counts from `evaluate`.

    Returns:
        One row per defect of `DEFECTS`; `share` is empty if no scene could have the defect.
    """
    table = Table("defect", "detected", "n", "share", "detected instead: times", title="detected defects")
    for name, (_, word) in DEFECTS.items():
        n = report.named[name, True] + report.named[name, False]
        instead = "; ".join(f"{other}: {k}" for (which, other), k in report.instead.most_common() if which == name)
        table.add_row(name, word, str(n), f"{report.share_named(name):.4f}" if n else "", instead)
    return table


if __name__ == "__main__":
    typer.run(main)
