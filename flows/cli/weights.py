"""`skewbench weights`: lists the weights that each metric needs, and downloads them."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from skewbench.flows.cli.tables import Document, console, folding, print_json, warn
from skewbench.vocabulary.errors import InputError, RunError

weights = typer.Typer(invoke_without_command=True, help="List the weights that each metric needs, and download them.")


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.add_typer(weights, name="weights")


@weights.callback()
def list_all(context: typer.Context, format: Document = "text") -> None:
    """List the weights and packages that each metric needs: origin, licence, size, whether they are installed."""
    if context.invoked_subcommand:
        return
    with Console(stderr=True).status("looking"):
        from skewbench.eval.scorers import declaration, names, problems

        needs = {name: declaration(name).needs for name in names()}
    if format == "json":
        print_json([_row(name, need) for name, needed in needs.items() for need in needed or (None,)])
        return
    out = console()
    columns = _NARROW if out.width < _WIDE_ENOUGH else _COLUMNS
    table = folding(*columns, whole=("metric", "needs"))
    for name, needed in needs.items():
        for i, need in enumerate(needed or (None,)):
            _add(table, columns, _row(name, need), first=i == 0)
    out.print(table)
    if columns == _NARROW:
        typer.echo("`skewbench weights get NAME` downloads the weights of a metric, or weights by their name;")
        typer.echo("a wider terminal or a pipe also shows the origin and the path of the weights")
    warn(problems())
    _tell_where()


_COLUMNS = ("metric", "needs", "here", "from", "licence", "MB", "to get it")
_NARROW = ("metric", "needs", "here", "licence", "MB")
_WIDE_ENOUGH = 140


def _add(table: Table, columns: tuple[str, ...], row: dict[str, Any], first: bool) -> None:
    """Add a row of `_COLUMNS`. A narrow terminal shows some of them. Only the first row of a metric names it."""
    here = "[green]yes[/green]" if row["here"] else "[yellow]no[/yellow]"
    shown = row | {"metric": row["metric"] if first else "", "needs": row["needs"] or "nothing", "here": here}
    table.add_row(*(str("" if shown[column] is None else shown[column]) for column in columns))


def _row(metric: str, need: str | None) -> dict[str, Any]:
    """Describe weights of a metric: whether they are installed, origin, licence, size, and path or download command."""
    from skewbench.eval.weights import WEIGHTS, find, missing

    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {"metric": metric, "needs": need, "here": True}
    if need is None:
        return row
    reason = missing((need,))
    row["here"] = reason is None
    if need not in WEIGHTS:
        return row | {"from": "a package", "to get it": reason.partition("; ")[2] if reason else None}
    about = WEIGHTS[need]
    how = str(find(need)) if reason is None else f"skewbench weights get {need}"
    return row | {"from": about.origin, "licence": about.licence, "MB": about.megabytes, "to get it": how}


def _tell_where() -> None:
    from skewbench.eval.weights import FOLDER, folder

    typer.echo(f"weights are stored in {folder()}, one folder per name; ${FOLDER} sets another folder;")
    typer.echo(f"${FOLDER}_<NAME>, such as {FOLDER}_ALEXNET, sets a file or folder that you copied by hand")


@weights.command("get")
def get(name: Annotated[str, typer.Argument(metavar="NAME", help="Name of weights, or of a metric.")]) -> None:
    """Download weights and store them. If a sha256 is published, it is checked."""
    from skewbench.eval.scorers import declaration, names
    from skewbench.eval.weights import WEIGHTS, BadWeights
    from skewbench.eval.weights import get as fetch

    scorers = names()  # scorers of other packages bring rows of WEIGHTS
    requested = (name,) if name in WEIGHTS else declaration(name).needs if name in scorers else ()
    if name not in WEIGHTS and name not in scorers:
        raise InputError(f"weights {name!r}: unknown weights; available: {', '.join(WEIGHTS)}")
    for one in requested:
        if one not in WEIGHTS:
            continue
        files = ", ".join(WEIGHTS[one].files)
        try:
            typer.echo(f"{one}: {fetch(one)}")
        except BadWeights as error:
            raise RunError(str(error)) from None
        except Exception as error:  # whatever the hub's and torch's loaders raise without a network
            reason = " ".join(str(error).split())[:200]
            raise RunError(
                f"{one} could not be downloaded ({type(error).__name__}: {reason}); copy {files} from "
                f"{WEIGHTS[one].origin} and set {WEIGHTS[one].variable} to their path"
            ) from None
