"""Sends a finished run to a tracker of experiments: settings, means by cell, counts, figures and the report."""

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from skewbench.eval.figures import draw
from skewbench.storage.manifest import find_run, report_path
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.tasks.report import answered, write_report
from skewbench.tasks.report.answers import Answers
from skewbench.tasks.report.assemble import run_sections
from skewbench.tasks.trackers.contract import NotSent, TrackedRun, one_line
from skewbench.tasks.trackers.registry import trackers
from skewbench.vocabulary.errors import InputError

_OF_A_MEAN = ("low", "high", "n", "worst_case")
_OF_A_CELL = ("samples", "failed", "blank", "nonfinite")


def track_run(store: Store, run_id: str, tracker: str) -> str:
    """Send a run to a tracker, with its report. If the lake has no report of the run yet, it is written first.

    Args:
        store: The lake.
        run_id: The run's id, or a unique beginning of it.
        tracker: Name of the tracker.

    Returns:
        Where the tracker stores the run, for people.

    Raises:
        InputError: There is no such run or tracker, the run is not finished, or the tracker's package is missing.
        NotSent: The tracker did not take the run. The lake is unchanged.
        RunError: Parts that the manifest names are broken.
    """
    chosen = trackers.get(tracker)
    chosen.check()
    if (found := find_run(store, run_id)).status == "running":
        raise InputError(f"run {found.run_id} is not finished; send it when it is")
    with answered(store, found.run_id) as answers, _gathered(store, answers) as run:
        try:
            return chosen.send(run)
        except Exception as error:  # whatever the tracker's package raises
            raise NotSent(
                f"{run.run_id} was not sent to {tracker}: {one_line(error)}; send it again with "
                f"`skewbench track {run.run_id} --to {tracker} --lake {shlex.quote(store.lake)}`"
            ) from None


@contextmanager
def _gathered(store: Store, answers: Answers) -> Iterator[TrackedRun]:
    """Yield what a tracker gets. Its files exist within the block."""
    run = answers.run
    if not store.exists(report_path(run.run_id)):
        write_report(store, answers)
    with tempfile.TemporaryDirectory(prefix="skewbench-") as name:
        folder = Path(name)
        (folder / "report.html").write_bytes(store.read(report_path(run.run_id)))
        text = yaml.safe_dump(dict(run.experiment), sort_keys=False, allow_unicode=True)
        (folder / "settings.yaml").write_text(text, encoding="utf-8")
        answers.curve.write_csv(folder / "cells.csv")
        _write_figures(answers, folder / "figures")
        yield TrackedRun(
            run_id=run.run_id,
            experiment=run.name,
            description=str(run.experiment.get("description") or ""),
            settings=run.experiment,
            tags=_tags(run),
            metrics=metrics_of(answers.curve),
            folder=folder,
        )


def metrics_of(curve: pl.DataFrame) -> dict[str, float]:
    """Name the numbers of the query `operating_curve` as trackers show them.

    Args:
        curve: The answer of the query about one run.

    Returns:
        Numbers by `<cell>/<metric>`, `<cell>/<metric>/low` and so on (`TrackedRun`). A metric that has means over
        samples and over sets has the kind in its name. NULL is left out.
    """
    kinds = dict(curve.group_by("metric").agg(pl.col("kind").n_unique()).iter_rows())
    found: dict[str, float | None] = {}
    for row in curve.iter_rows(named=True):
        metric = row["metric"] if kinds[row["metric"]] == 1 else f"{row['metric']} of a {row['kind']}"
        found[f"{row['cell']}/{metric}"] = row["mean"]
        found |= {f"{row['cell']}/{metric}/{name}": row[name] for name in _OF_A_MEAN}
        found |= {f"{row['cell']}/{name}": row[name] for name in _OF_A_CELL}
    return {name: float(value) for name, value in found.items() if value is not None}


def _tags(run: Manifest) -> dict[str, str]:
    versions: Mapping[str, Any] = run.identity.get("versions") or {}
    found = {
        "model": run.experiment.get("model", {}).get("id"),
        "revision": run.identity.get("revision"),
        "status": run.status,
        "created": run.created,
        **versions,
    }
    return {name: str(value) for name, value in found.items() if value}


def _write_figures(answers: Answers, folder: Path) -> None:
    """Render each chart of the report as PNG. Of two layouts of the same chart, the wide one."""
    folder.mkdir()
    for section in run_sections(answers):
        charts = [
            chart
            for figure in section.figures
            for panel in figure.panels
            for chart in panel.charts
            if chart.layout != "narrow"
        ]
        for number, chart in enumerate(charts, 1):
            (folder / f"{section.id}-{number:02d}.png").write_bytes(draw(chart.spec))
