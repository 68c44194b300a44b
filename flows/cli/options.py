"""Arguments and options that several commands share."""

import os
from typing import Annotated

import typer

Lake = Annotated[str, typer.Option("--lake", envvar="SKEWBENCH_LAKE", help="Folder of the Parquet lake.")]
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or the beginning of it; see `skewbench runs list`.")
]
AnyRun = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run's id, or the beginning of it; the newest where left out.")
]
ExperimentName = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT", help="A YAML file, or the name of an experiment of the package, such as `demo`."
    ),
]
Prompts = Annotated[
    str | None, typer.Option("--prompts", help="A text file, one prompt a line, in place of the experiment's prompts.")
]


def _use_weights(folder: str | None) -> str | None:
    """Workers of a Ray that is started here inherit it; those of a cluster need the variable in their environment."""
    if folder:
        os.environ["SKEWBENCH_WEIGHTS"] = os.path.abspath(folder)
    return folder


WeightsFolder = Annotated[
    str | None,
    typer.Option(
        "--weights",
        envvar="SKEWBENCH_WEIGHTS",
        callback=_use_weights,
        help="Folder of metrics' weights; see `skewbench weights`.",
    ),
]
