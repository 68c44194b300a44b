"""Arguments and options that several commands share."""

import os
from typing import Annotated, Any

import typer

from skewbench.flows.cli import completion
from skewbench.flows.cli.tables import note
from skewbench.tasks.ray_address import check_reachable
from skewbench.vocabulary.user_paths import user_path


def _check_lake(lake: str) -> str:
    """Check that a lake in a bucket can be reached before anything else, so that errors appear within seconds."""
    if "://" in lake:
        from skewbench.storage.bucket import Bucket
        from skewbench.storage.location import LakeUnreachable
        from skewbench.vocabulary.errors import InputError

        try:
            Bucket(lake).check_reachable()
        except LakeUnreachable as error:
            raise InputError(str(error)) from None
    return lake


_LAKE: dict[str, Any] = {"envvar": "SKEWBENCH_LAKE", "help": "Folder or s3:// or gs:// URL of the Parquet lake."}
Lake = Annotated[str, typer.Option("--lake", callback=_check_lake, **_LAKE)]
AnyLake = Annotated[str, typer.Option("--lake", **_LAKE)]
_RUN = "Id of a run, the beginning of an id, or the name of an experiment for its newest run."
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help=f"{_RUN} See `skewbench runs list`.", autocompletion=completion.runs)
]
AnyRun = Annotated[
    str | None, typer.Argument(metavar="RUN", help=f"{_RUN} Default: the newest.", autocompletion=completion.runs)
]

ExperimentName = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT",
        help="A YAML file, or the name of a bundled experiment, such as `demo`.",
        autocompletion=completion.experiments,
    ),
]
Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        help="A file of prompts that replaces the experiment's: text with one prompt per line, or a table with a "
        "column of prompts (.csv, .tsv, .jsonl, .parquet).",
    ),
]


def _check_cluster(address: str) -> str:
    if address:
        check_reachable(address)
    return address


RayAddress = Annotated[
    str,
    typer.Option(
        "--ray-address",
        envvar="RAY_ADDRESS",
        callback=_check_cluster,
        help="Address of a Ray cluster for the workers. Default: start Ray on this machine.",
    ),
]


Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="Run in this process, without Ray and Prefect, for small runs and for debugging: errors show their "
        "traceback. The rows are the same.",
    ),
]


def note_local(ray_address: str) -> None:
    """Print a note that --local ignores the cluster, because RAY_ADDRESS may be set for other commands.

    Args:
        ray_address: The cluster's address; empty: no note.
    """
    if ray_address:
        note(f"the Ray cluster at {ray_address} is not used with --local")


def _use_weights(folder: str | None) -> str | None:
    """Set the variable for a local Ray, whose workers inherit it. Workers of a cluster need it in their environment."""
    if folder:
        os.environ["SKEWBENCH_WEIGHTS"] = str(user_path(folder, "--weights").absolute())
    return folder


WeightsFolder = Annotated[
    str | None,
    typer.Option(
        "--weights",
        envvar="SKEWBENCH_WEIGHTS",
        callback=_use_weights,
        help="Folder of the weights of metrics; see `skewbench weights`.",
    ),
]


def check_tracker_name(name: str | None) -> str | None:
    """Check a tracker before anything starts: it must exist, with its package.

    Args:
        name: Name of the tracker, or None.

    Returns:
        The name.

    Raises:
        InputError: No such tracker, or its package is missing.
    """
    if name is not None:
        from skewbench.tasks.trackers.registry import check_tracker

        check_tracker(name)
    return name


Track = Annotated[
    str | None,
    typer.Option(
        "--track",
        metavar="TRACKER",
        callback=check_tracker_name,
        help="Send the finished run to a tracker: mlflow, wandb or trackio. See `skewbench track`.",
    ),
]
