"""`skewbench weights`: lists the weights that each metric needs, and downloads them."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from skewbench.flows.cli.tables import Document, console, folding, print_json, warn
from skewbench.vocabulary.errors import InputError, RunError

if TYPE_CHECKING:
    from skewbench.eval.environments import Environment
    from skewbench.eval.scorers import Declaration

weights = typer.Typer(
    invoke_without_command=True,
    help="List the weights and environments that each metric needs, download weights, and prepare environments.",
)


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.add_typer(weights, name="weights")


@weights.callback()
def list_all(context: typer.Context, format: Document = "text") -> None:
    """List what each metric needs: weights, packages, environments; origin, licence, size, whether it is here."""
    if context.invoked_subcommand:
        return
    with Console(stderr=True).status("looking"):
        from skewbench.eval.scorers import declaration, names, problems

        needs = {name: _needs(declaration(name)) for name in names()}
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


def _needs(declared: "Declaration") -> "tuple[str | Environment, ...]":
    return (*declared.needs, *([declared.environment] if declared.environment else []))


_COLUMNS = ("metric", "needs", "here", "from", "licence", "MB", "to get it")
_NARROW = ("metric", "needs", "here", "licence", "MB")
_WIDE_ENOUGH = 140


def _add(table: Table, columns: tuple[str, ...], row: dict[str, Any], first: bool) -> None:
    """Add a row of `_COLUMNS`. A narrow terminal shows some of them. Only the first row of a metric names it."""
    here = "[green]yes[/green]" if row["here"] else "[yellow]no[/yellow]"
    shown = row | {"metric": row["metric"] if first else "", "needs": row["needs"] or "nothing", "here": here}
    table.add_row(*(str("" if shown[column] is None else shown[column]) for column in columns))


def _row(metric: str, need: "str | Environment | None") -> dict[str, Any]:
    """Describe a need of a metric: whether it is installed, origin, licence, size, and path or command to get it."""
    from skewbench.eval.weights import WEIGHTS, find, missing

    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {"metric": metric, "needs": need, "here": True}
    if need is None:
        return row
    if not isinstance(need, str):
        return row | _environment_row(need)
    reason = missing((need,))
    row["here"] = reason is None
    if need not in WEIGHTS:
        return row | {"from": "a package", "to get it": reason.partition("; ")[2] if reason else None}
    about = WEIGHTS[need]
    how = str(find(need)) if reason is None else f"skewbench weights get {need}"
    return row | {"from": about.origin, "licence": about.licence, "MB": about.megabytes, "to get it": how}


def _environment_row(environment: "Environment") -> dict[str, Any]:
    """Of an environment: the package with its version, and the size of a prepared one."""
    from skewbench.eval.environments import find, package_of, unprepared
    from skewbench.eval.environments.prepare import size_of

    path = find(environment)
    row = {"needs": f"environment {environment.name}", "here": bool(path), "from": f"pip: {package_of(environment)}"}
    if path:
        return row | {"MB": math.ceil(size_of(path) / 1e6), "to get it": str(path)}
    reason = unprepared(environment) or ""
    how = f"skewbench weights get {environment.name}"
    return row | {"to get it": how if how in reason else reason}


def _tell_where() -> None:
    from skewbench.eval import environments
    from skewbench.eval.weights import FOLDER, folder

    typer.echo(f"weights are stored in {folder()}, one folder per name; ${FOLDER} sets another folder;")
    typer.echo(f"${FOLDER}_<NAME>, such as {FOLDER}_ALEXNET, sets a file or folder that you copied by hand")
    own = environments.FOLDER
    typer.echo(f"environments are stored in {environments.folder()}; ${own} sets another folder;")
    typer.echo("$SKEWBENCH_ENV_<NAME>, such as SKEWBENCH_ENV_IMAGE_REWARD, sets one that you prepared by hand")


@weights.command("get")
def get(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of weights, of an environment, or of a metric that needs some.")
    ],
) -> None:
    """Download weights and store them, or prepare an environment. If a sha256 is published, it is checked."""
    from skewbench.eval.scorers import declaration, names
    from skewbench.eval.scoring.declaration import ENVIRONMENTS
    from skewbench.eval.weights import WEIGHTS

    scorers = names()  # scorers of other packages bring rows of WEIGHTS, and environments
    if name in WEIGHTS:
        _download(name)
    elif name in ENVIRONMENTS:
        _prepare(ENVIRONMENTS[name])
    elif name in scorers:
        for need in _needs(declaration(name)):
            if not isinstance(need, str):
                _prepare(need)
            elif need in WEIGHTS:
                _download(need)
    else:
        environments = f"; environments: {', '.join(ENVIRONMENTS)}" if ENVIRONMENTS else ""
        raise InputError(f"weights {name!r}: unknown weights; available: {', '.join(WEIGHTS)}{environments}")


def _download(name: str) -> None:
    from skewbench.eval.weights import WEIGHTS, BadWeights
    from skewbench.eval.weights import get as fetch

    files = ", ".join(WEIGHTS[name].files)
    try:
        typer.echo(f"{name}: {fetch(name)}")
    except BadWeights as error:
        raise RunError(str(error)) from None
    except Exception as error:  # whatever the hub's and torch's loaders raise without a network
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{name} could not be downloaded ({type(error).__name__}: {reason}); copy {files} from "
            f"{WEIGHTS[name].origin} and set {WEIGHTS[name].variable} to their path"
        ) from None


def _prepare(environment: "Environment") -> None:
    from skewbench.eval.environments import missing
    from skewbench.eval.environments.find import failure, named
    from skewbench.eval.environments.prepare import NotPrepared, prepare

    if named(environment) and (reason := missing(environment)):
        raise InputError(reason)
    try:
        path = prepare(environment, say=lambda line: typer.echo(line, err=True), again=True)
    except NotPrepared as error:
        if not (reason := failure(environment)):
            raise RunError(str(error)) from None
        raise RunError(
            f"environment {environment.name} could not be prepared: {reason}; check pip's index or wheels "
            f"(PIP_INDEX_URL, PIP_FIND_LINKS), or set {environment.variable} to a folder that you prepared by hand"
        ) from None
    typer.echo(f"{environment.name}: {path}")
