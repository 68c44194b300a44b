"""Arguments and options that several commands share."""

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
