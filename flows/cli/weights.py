"""`skewbench weights`: what each metric needs, whether it is here, and getting it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skewbench.flows.cli.tables import console, folding, warn
from skewbench.vocabulary.errors import InputError, RunError

weights = typer.Typer(
    invoke_without_command=True, help="What each metric needs, whether it is here, and how to get it."
)


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.add_typer(weights, name="weights")


@weights.callback()
def list_all(context: typer.Context) -> None:
    """List the weights and packages that each metric needs: origin, licence, size, whether they are installed."""
    if context.invoked_subcommand:
        return
    with Console(stderr=True).status("looking"):
        from skewbench.eval.scorers import declaration, names, problems

        needs = {name: declaration(name).needs for name in names()}
    out = console()
    columns = _NARROW if out.width < _WIDE_ENOUGH else _COLUMNS
    table = folding(*columns, whole=("metric", "needs"))
    for name, needed in needs.items():
        for i, need in enumerate(needed):
            _add(table, columns, name if i == 0 else "", need, *_about(need))
        if not needed:
            _add(table, columns, name, "nothing", "[green]yes[/green]", "", "", "", "")
    out.print(table)
    if columns == _NARROW:
        typer.echo("skewbench weights get NAME gets what a metric needs, or weights by their name;")
        typer.echo("a wider terminal or a pipe also shows the origin and the place of the weights")
    warn(problems())
    _tell_where()


_COLUMNS = ("metric", "needs", "here", "from", "licence", "MB", "to get it")
_NARROW = ("metric", "needs", "here", "licence", "MB")
_WIDE_ENOUGH = 140


def _add(table: Table, columns: tuple[str, ...], *cells: str) -> None:
    """A row of `_COLUMNS`, of which a narrow terminal has room for some."""
    table.add_row(*(cell for column, cell in zip(_COLUMNS, cells, strict=True) if column in columns))


def _about(need: str) -> tuple[str, str, str, str, str]:
    """Whether it is here, from where, licence, size, how to get it."""
    from skewbench.eval.weights import WEIGHTS, find, missing

    here = "[green]yes[/green]" if missing((need,)) is None else "[yellow]no[/yellow]"
    if need not in WEIGHTS:
        return here, "a package", "", "", "" if "yes" in here else str(missing((need,))).partition("; ")[2]
    found = WEIGHTS[need]
    how = str(find(need)) if "yes" in here else f"skewbench weights get {need}"
    return here, found.origin, found.licence, str(found.megabytes), how


def _tell_where() -> None:
    from skewbench.eval.weights import FOLDER, folder

    typer.echo(f"weights are kept in {folder()}, a folder a set; ${FOLDER} names another folder,")
    typer.echo(f"${FOLDER}_<NAME>, such as {FOLDER}_ALEXNET, one file or folder that was copied here by hand")


@weights.command("get")
def get(name: Annotated[str, typer.Argument(metavar="NAME", help="Weights, or a metric that needs some.")]) -> None:
    """Download weights, check their sha256 where one is published, and keep them."""
    from skewbench.eval.scorers import declaration, names
    from skewbench.eval.weights import WEIGHTS, BadWeights
    from skewbench.eval.weights import get as fetch

    scorers = names()  # scorers of other packages bring rows of WEIGHTS
    requested = (name,) if name in WEIGHTS else declaration(name).needs if name in scorers else ()
    if name not in WEIGHTS and name not in scorers:
        raise InputError(f"weights {name!r}: no such weights; available: {', '.join(WEIGHTS)}")
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
                f"{WEIGHTS[one].origin} and name the place in {WEIGHTS[one].variable}"
            ) from None
