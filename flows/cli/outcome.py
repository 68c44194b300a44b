"""The last lines of commands on a run: missing metrics, the path of the report, and where the run is tracked."""

from typing import TYPE_CHECKING

import typer

from skewbench.flows.cli.tables import note

if TYPE_CHECKING:
    from skewbench.storage.store import Store


def tell_missing(store: "Store", run_id: str) -> None:
    """Print the metrics that a run lacks, one line per reason.

    Args:
        store: The lake.
        run_id: The run.
    """
    from skewbench.storage.manifest import read_manifest

    manifest = read_manifest(store, run_id)
    by_reason: dict[str, list[str]] = {}
    for missing in manifest.missing_metrics if manifest else []:
        by_reason.setdefault(missing["reason"], []).append(missing["metric"])
    for reason, metrics in by_reason.items():
        typer.echo(f"no {', '.join(metrics)}: {reason}")


def tell_report(store: "Store", run_id: str) -> None:
    """Print the path of the report and, for a lake in a bucket, the command that opens it.

    Args:
        store: The lake.
        run_id: The run.
    """
    from skewbench.storage.manifest import report_path

    typer.echo(f"report: {store.address(report_path(run_id))}")
    if "://" in store.lake:
        typer.echo(f"open it with: skewbench report {run_id} --lake {store.lake}")


def tell_tracked(store: "Store", run_id: str, tracker: str | None) -> None:
    """Send a finished run to a tracker, and print where it is. If the tracker does not take it, print a note.

    Args:
        store: The lake.
        run_id: The run.
        tracker: Name of the tracker; None: do nothing.
    """
    if tracker is None:
        return
    from skewbench.tasks.trackers.contract import NotSent
    from skewbench.tasks.tracking import track_run

    try:
        typer.echo(f"{tracker}: {track_run(store, run_id, tracker)}")
    except NotSent as error:  # the command did its work, and the line says how to send the run again
        note(str(error))
