"""`skewbench rate`: people compare cells of a run without knowing which is which."""

import getpass
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from skewbench.flows.cli.options import AnyRun, Lake
from skewbench.flows.cli.session import Stopped
from skewbench.flows.cli.tables import note
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from skewbench.flows.rating.media import Media
    from skewbench.storage.store import Store
    from skewbench.tasks.rating import Question, Session
    from skewbench.tasks.rating.comparisons import Found

_LONGEST_NAME = 80


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The application `skewbench`.
    """
    app.command("rate")(rate)


def rate(
    run: AnyRun = None,
    cells: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Compare these cells, each with each; one name: with the baseline. Default: the baseline with each "
            "other cell.",
        ),
    ] = "",
    question: Annotated[
        Literal["quality", "diversity"],
        typer.Option(help="Compare pairs of one prompt and seed, or sets of up to nine seeds of one prompt."),
    ] = "quality",
    rater: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the rater, stored with each vote. Default: the user's name.")
    ] = "",
    pairs: Annotated[int, typer.Option(metavar="N", min=0, help="Show at most N pairs. 0: all.")] = 0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**63 - 1, help="Seed of the shuffle. Default: derived from run, rater and question."),
    ] = None,
    lake: Lake = "lake",
    port: Annotated[int, typer.Option(help="Port of the page. 0: any free one.", min=0, max=65535)] = 4300,
) -> None:
    """Serve a page on which a person rates samples blind: side by side, shuffled, without the names of cells.

    Each vote is saved before the next pair appears. Run the same command again to resume. Ctrl-C ends the page.
    """
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store
    from skewbench.tasks.rating import Session, Votes, default_seed, find_comparisons, shuffled

    rater = _checked(rater or _user())
    store = open_store(lake)
    manifest = find_run(store, run)
    if run is None:
        note(f"no RUN given; using the newest, {manifest.run_id}")
    with Console(stderr=True).status("looking for pairs"):
        found = find_comparisons(store, manifest, question, [name.strip() for name in cells.split(",") if name.strip()])
        _note_left_out(found, question)
        _commit(store, manifest.run_id)  # votes of a session that was killed
        votes = Votes(store, find_run(store, manifest.run_id), rater)
        chosen = default_seed(manifest.run_id, rater, question) if seed is None else seed
        session = Session(shuffled(found.comparisons, chosen, pairs), votes)
        from skewbench.flows.rating.media import Media
        from skewbench.tasks.media import medium_of

        media = Media(lake, manifest.run_id, medium_of(manifest))
    typer.echo(f"run      {manifest.run_id}")
    typer.echo(f"rater    {rater}, seed {chosen}")
    typer.echo(f"pairs    {session.total}, of which {session.done} are rated")
    _serve(store, manifest.run_id, session, media, question, port)
    _tell_saved(store, manifest.run_id, session)


def _note_left_out(found: "Found", question: str) -> None:
    reason = {
        "quality": "a sample failed or its file is missing",
        "diversity": "fewer than two seeds of a prompt are usable in both cells",
    }
    for pair, count in found.left_out.items():
        if count:
            note(f"{count} pairs of {pair[0]} and {pair[1]} are left out: {reason[question]}")


def _user() -> str:
    """The name of the user. Raises `InputError` if the system has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise InputError("this user has no name; set one with --rater NAME") from None


def _checked(rater: str) -> str:
    """The name of the rater. Raises `InputError` for one that cannot be stored or printed."""
    name = rater.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InputError(f"--rater {rater!r}: use a name of 1 to {_LONGEST_NAME} printable characters")
    return name


def _serve(store: "Store", run_id: str, session: "Session", media: "Media", question: "Question", port: int) -> None:
    """Serve the page until a signal."""
    from skewbench.flows.rating.app import Rating, create_app
    from skewbench.flows.rating.serve import HOST, link, serve
    from skewbench.flows.serving import password
    from skewbench.flows.serving.spawn import listening_at

    secret = password.of_up() or password.make()
    rating = Rating(session, media, question, lambda: _commit(store, run_id), _report)
    with listening_at(HOST, port) as listening:
        app = create_app(rating, HOST, secret)
        typer.echo(f"open     {link(listening.getsockname()[1], secret)}")
        typer.echo("stop     Ctrl-C; the same command resumes")
        serve(app, listening)


def _tell_saved(store: "Store", run_id: str, session: "Session") -> None:
    """Print how many votes are saved. Raises `Stopped` if some pairs are not rated."""
    _commit(store, run_id)
    saved = f"{session.done} of {session.total} pairs are rated and saved, {session.votes_written} of them now"
    if session.done < session.total:
        raise Stopped(f"stopped; {saved}; run the same command again to resume")
    typer.echo(f"{saved}; see `skewbench query ratings --run {run_id}`")


def _commit(store: "Store", run_id: str) -> bool:
    """Commit votes. Returns whether all are committed; prints a note if not."""
    from skewbench.tasks.rating import commit_votes

    if reason := commit_votes(store, run_id, note):
        note(f"votes are saved, but queries do not show them yet: {reason}")
        return False
    return True


def _report(error: Exception) -> None:
    """Print an error that the page must not show."""
    typer.secho(f"error: {' '.join(str(error).split()) or type(error).__name__}", fg="red", err=True)
