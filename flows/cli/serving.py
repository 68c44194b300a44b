"""`skewbench up` and `down` start and stop the Prefect UI. `serve` offers the flows to another server."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from skewbench.flows.cli.options import Lake
from skewbench.vocabulary.errors import InputError, RunError

if TYPE_CHECKING:
    from skewbench.flows.serving.state import Up

_OF_THE_USER = "password from PREFECT_SERVER_API_AUTH_STRING"


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.command("up")(up)
    app.command("down")(down)
    app.command("serve")(serve)


def up(
    context: typer.Context,
    lake: Lake = "lake",
    host: Annotated[str, typer.Option(help="Address to listen on. Default: only this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the UI and the API.", min=1, max=65535)] = 4200,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="PREFECT_SERVER_DATABASE_CONNECTION_URL",
            show_envvar=True,
            help="Database of Prefect: postgresql+asyncpg://… Default: SQLite in PREFECT_HOME.",
        ),
    ] = None,
    nightly: Annotated[
        str | None,
        typer.Option(
            metavar="CRON",
            help="Schedule of the nightly benchmark, such as '0 2 * * *'; 'off' removes the schedule. The server keeps "
            "it across `down` and `up` until you change it here or in the UI.",
        ),
    ] = None,
    nightly_timezone: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of --nightly.")] = "UTC",
    nightly_experiment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPERIMENT", help="Experiment of --nightly; repeat the option for several. Default: `nightly`."
        ),
    ] = None,
) -> None:
    """Start a Prefect server in the background and offer the flows in its UI. `skewbench down` stops both.

    Runs in the terminal also appear there, because `skewbench run` uses this server if it is running.
    """
    from skewbench.flows.serving import guard, launch, password, spawn, state

    launch.check_database(database)
    nights = _nights(nightly, nightly_timezone, nightly_experiment)
    there = state.running()
    if there:
        _check_same(context, there, port, lake)
        typer.echo(f"already running: {there.url} with lake {there.lake}; `skewbench down` stops it")
        typer.echo(f"password in {password.path()}" if password.path().exists() else _OF_THE_USER)
        _tell_nights(there.api, nights)
        return
    _clean_up()
    if host not in guard.LOOPBACK:
        typer.echo(f"note: {launch.address(host, port)} has no TLS; on an untrusted network, put a TLS proxy in front. "
                   f"List other names of the server in {guard.TRUSTED}", err=True)  # fmt: skip
    with Console(stderr=True).status("starting the Prefect server"):
        started = launch.start(host, port, lake, database)
    typer.echo(f"the UI is at {started.url}")
    _tell_password(started.url)
    typer.echo(f"lake     {started.lake}")
    typer.echo("launch   Deployments > run-experiment > Run; the defaults of the form are the demo")
    _tell_nights(started.api, nights)
    typer.echo(f"logs     {spawn.log_path('server')} and {spawn.log_path('deployments')}")
    typer.echo("stop     skewbench down")


def down(
    yes: Annotated[bool, typer.Option("--yes", help="Stop the server even if commands in terminals use it.")] = False,
) -> None:
    """Stop the server and the deployments that `skewbench up` started. Their runs are cancelled.

    Launch a cancelled run again to resume it.

    Commands in terminals that use the server would fail, so stopping needs --yes while such commands run.
    """
    from skewbench.flows.serving import launch, state

    there = state.read()
    if there is None:
        typer.echo("nothing to stop: no server of `skewbench up` is running")
        return
    if not yes and there.server.find() and (commands := state.commands()):
        raise InputError(f"in use by `{'`, `'.join(commands)}`, which would fail; let it finish, stop it with "
                         "Ctrl-C, or stop the server anyway with --yes")  # fmt: skip
    with Console(stderr=True).status("stopping"):
        was_running = launch.end(there)
    typer.echo(f"stopped {there.url}" if was_running else f"{there.url} was not running; removed its state files")


def serve(
    lake: Lake = "lake",
    ray_address: Annotated[
        str,
        typer.Option(help="Address of the Ray cluster for runs. Default: each run starts Ray on this machine."),
    ] = "",
) -> None:
    """Offer the flows to the Prefect server at PREFECT_API_URL until stopped. This machine drives the runs.

    `skewbench up` starts its own server and offers the flows in the background.
    """
    from prefect.settings import get_current_settings

    api = get_current_settings().api.url
    if not api:
        raise InputError(
            "PREFECT_API_URL is not set; set it to the server that should offer the flows, or use `skewbench up`"
        )
    from prefect import get_client

    from skewbench.flows.serving import client, deployments, launch, password, state

    if not state.answers(api):
        raise RunError(f"no Prefect server answers at {api}")
    with client.access_to(api):
        with get_client(sync_client=True) as asking:
            password.check(asking)
        place = launch.place_of(lake)
        deployments.serve(place, ray_address, lambda: typer.echo(f"the flows are offered at {api}; lake {place}"))


def _check_same(context: typer.Context, there: "Up", port: int, lake: str) -> None:
    """Raise `InputError` if a given port or lake differs from that of the running server."""
    from skewbench.flows.serving import launch

    requested = {"port": (str(port), str(urlsplit(there.url).port)), "lake": (launch.place_of(lake), there.lake)}
    for name, (given, has) in requested.items():
        source = context.get_parameter_source(name)
        if given != has and source is not None and source.name != "DEFAULT":
            raise InputError(f"--{name} {given}: a server is already running at {there.url} with lake {there.lake}; "
                             "`skewbench down` stops it")  # fmt: skip


def _nights(cron: str | None, timezone: str, names: list[str] | None) -> Callable[[str], None] | None:
    """The requested change of the server's schedule; None without one. Raises `InputError`."""
    if cron is None:
        if names:
            raise InputError(f"--nightly-experiment {names[0]!r}: also set --nightly CRON")
        return None
    from skewbench.flows import experiments
    from skewbench.flows.serving.schedule import cron_schedule, schedule_nights

    schedule = None if cron == "off" else cron_schedule(cron, timezone)
    chosen = experiments.load_several(names or [])
    return lambda api: schedule_nights(api, schedule, chosen)


def _tell_password(url: str) -> None:
    """Print how to sign in. A generated password is printed only once; afterwards it is in its file."""
    from skewbench.flows.serving import password, sign_in

    if password.of_server():
        typer.echo(_OF_THE_USER)
    elif secret := password.of_up():
        typer.echo(f"sign in  {sign_in.link(url, secret)}")
        typer.echo(f"password {secret}, also in {password.path()}")


def _tell_nights(api: str, change: Callable[[str], None] | None) -> None:
    from skewbench.flows.serving.schedule import describe_schedules

    if change:
        change(api)
    typer.echo(f"nightly  {describe_schedules(api) or 'not scheduled; --nightly CRON schedules it'}")


def _clean_up() -> None:
    """End processes and files that the last start left after a crash or a restart of the machine."""
    from skewbench.flows.serving import launch, state

    left = state.read()
    if left:
        launch.end(left)
        typer.echo(f"note: the last start, at {left.url}, was not stopped; removed its state files", err=True)
