"""The last lines of commands on a run: missing metrics, and the path of the report."""

from typing import TYPE_CHECKING

import typer

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
