"""Fill the table of docs/metrics.md from the declarations of scorers: `python docs/metrics_table.py`."""

import re
from pathlib import Path

from skewbench.eval.scorers import Declaration, Metric, declaration, names
from skewbench.eval.weights import WEIGHTS

PAGE = Path(__file__).with_name("metrics.md")
BLOCK = re.compile(r"(<!-- metrics: [^\n]* -->\n).*?(\n<!-- end -->)", re.DOTALL)
HEAD = ("metric", "label", "scorer", "of", "needs (licence)", "range", "better", "meaning")


def table() -> str:
    """The metrics of skewbench's scorers as Markdown, one per row."""
    rows = [_row(one, metric) for one in map(declaration, names()) if _ours(one) for metric in one.metrics]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEAD, ("---",) * len(HEAD), *rows))


def _ours(declared: Declaration) -> bool:
    return declared.make.__module__.startswith("skewbench.")


def _row(declared: Declaration, metric: Metric) -> tuple[str, ...]:
    needs = [f"{need} ({WEIGHTS[need].licence})" if need in WEIGHTS else f"package {need}" for need in declared.needs]
    if declared.environment:
        needs.append(f"environment {declared.environment.name}")
    meaning = f"{metric.meaning}; grows with n" if metric.grows_with_n else metric.meaning
    return (
        f"`{metric.name}`",
        metric.label,
        declared.name,
        declared.unit if declared.medium == "image" else f"{declared.unit} ({declared.medium})",
        ", ".join(needs) or "nothing",
        f"{_bound(metric.low)}…{_bound(metric.high)}" if (metric.low, metric.high) != (None, None) else "any",
        metric.better,
        meaning,
    )


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}".replace("-", "−")


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda block: block[1] + table() + block[2], text), encoding="utf-8")
