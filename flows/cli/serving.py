"""`skewbench up` and `down`: the Prefect UI, from which flows are launched. `serve`: the flows, for another server."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from skewbench.flows.cli.options import Lake
from skewbench.vocabulary.errors import InputError, RunError

if TYPE_CHECKING:
    from skewbench.flows.serving.state import Up

_OF_THE_USER = "password that of PREFECT_SERVER_API_AUTH_STRING"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("serve")(serve)


def up(
    context: typer.Context,
    lake: Lake = "lake",
    host: Annotated[str, typer.Option(help="Address to listen on; this machine alone by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the UI and the API.", min=1, max=65535)] = 4200,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="PREFECT_SERVER_DATABASE_CONNECTION_URL",
            show_envvar=True,
            help="Where Prefect keeps its runs: postgresql+asyncpg://… ; SQLite in PREFECT_HOME where left out.",
        ),
    ] = None,
    nightly: Annotated[
        str | None,
        typer.Option(
            metavar="CRON",
            help="When the nightly benchmark runs by itself, such as '0 2 * * *'; 'off': not any more. The schedule "
            "stays, over `down` and `up`, until it is changed here or in the UI.",
        ),
    ] = None,
    nightly_timezone: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of --nightly.")] = "UTC",
    nightly_experiment: Annotated[
        str | None, typer.Option(metavar="EXPERIMENT", help="What --nightly runs; `nightly` where left out.")
    ] = None,
) -> None:
    """Start a Prefect server and offer the flows in its UI, in the background. `skewbench down` ends both.

    What runs in the terminal shows there too: `skewbench run` uses this server while it is there.
    """
    from skewbench.flows.serving import guard, launch, password, spawn, state

    launch.check_database(database)
    nights = _nights(nightly, nightly_timezone, nightly_experiment)
    there = state.running()
    if there:
        _check_same(context, there, port, lake)
        typer.echo(f"is running already: {there.url} with lake {there.lake}; `skewbench down` ends it")
        typer.echo(f"password in {password.path()}" if password.path().exists() else _OF_THE_USER)
        _tell_nights(there.api, nights)
        return
    _clean_up()
    if host not in guard.LOOPBACK:
        typer.echo(f"note: {launch.address(host, port)} has no TLS: on a network that you do not trust, put a proxy "
                   f"with TLS in front. {guard.TRUSTED} lists other names of the server", err=True)  # fmt: skip
    with Console(stderr=True).status("starting the Prefect server"):
        started = launch.start(host, port, lake, database)
    typer.echo(f"the UI is at {started.url}")
    _tell_password(started.url)
    typer.echo(f"lake     {started.lake}")
    typer.echo("launch   Deployments > benchmark > Run; as the form stands it is the demo")
    _tell_nights(started.api, nights)
    typer.echo(f"logs     {spawn.log_path('server')} and {spawn.log_path('deployments')}")
    typer.echo("end      skewbench down")


def down(
    yes: Annotated[bool, typer.Option("--yes", help="Also while commands in terminals use the server.")] = False,
) -> None:
    """End the server and the deployments that `skewbench up` started; runs that they drive are cancelled.

    Launch a cancelled run again to resume it. Commands in terminals that use the server would
    end in an error: while there are any, --yes is needed.
    """
    from skewbench.flows.serving import launch, state

    there = state.read()
    if there is None:
        typer.echo("nothing to end: `skewbench up` was not called, or has been ended")
        return
    if not yes and there.server.find() and (commands := state.commands()):
        raise InputError(f"in use by `{'`, `'.join(commands)}`, which would end in an error: let it end, stop it with "
                         "Ctrl-C, or end the server all the same with --yes")  # fmt: skip
    with Console(stderr=True).status("ending"):
        was_running = launch.end(there)
    typer.echo(f"ended {there.url}" if was_running else f"{there.url} had ended already; its traces are gone now")


def serve(
    lake: Lake = "lake",
    ray_address: Annotated[
        str,
        typer.Option(help="Address of the Ray cluster for runs; without one, each starts Ray on this machine."),
    ] = "",
) -> None:
    """Offer the flows to the Prefect server that PREFECT_API_URL names, until stopped; runs are driven from here.

    `skewbench up` starts a server of its own and does this in the background.
    """
    from prefect.settings import get_current_settings

    api = get_current_settings().api.url
    if not api:
        raise InputError("PREFECT_API_URL is not set: the server that is to offer the flows; `skewbench up` starts one")
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
    """Raises `InputError` where a port or a lake was given that is not that of the server which runs."""
    from skewbench.flows.serving import launch

    asked = {"port": (str(port), str(urlsplit(there.url).port)), "lake": (launch.place_of(lake), there.lake)}
    for name, (given, has) in asked.items():
        source = context.get_parameter_source(name)
        if given != has and source is not None and source.name != "DEFAULT":
            raise InputError(f"--{name} {given}: a server is running already, at {there.url} with lake {there.lake}; "
                             "`skewbench down` ends it")  # fmt: skip


def _nights(cron: str | None, timezone: str, experiment: str | None) -> Callable[[str], None] | None:
    """What is to be done to the server's schedule; None where nothing was asked. Raises `InputError`."""
    if cron is None:
        if experiment:
            raise InputError(f"--nightly-experiment {experiment!r}: --nightly CRON has to say when it runs")
        return None
    from skewbench.flows import experiments
    from skewbench.flows.serving.schedule import cron_schedule, schedule_nights

    schedule = None if cron == "off" else cron_schedule(cron, timezone)
    chosen = experiments.load(experiment) if experiment else None
    return lambda api: schedule_nights(api, schedule, chosen)


def _tell_password(url: str) -> None:
    """Print how to sign in, once: a password that was made is in its file from then on."""
    from skewbench.flows.serving import password, sign_in

    if password.of_server():
        typer.echo(_OF_THE_USER)
    elif secret := password.of_up():
        typer.echo(f"sign in  {sign_in.link(url, secret)}")
        typer.echo(f"password {secret}, also in {password.path()}")


def _tell_nights(api: str, change: Callable[[str], None] | None) -> None:
    from skewbench.flows.serving.schedule import nights_told

    if change:
        change(api)
    typer.echo(f"nightly  {nights_told(api) or 'is not scheduled; --nightly CRON runs it by itself'}")


def _clean_up() -> None:
    """After a crash or a restart of the machine: what is left of the last start."""
    from skewbench.flows.serving import launch, state

    left = state.read()
    if left:
        launch.end(left)
        typer.echo(f"note: the last start, at {left.url}, had not been ended; its traces are gone now", err=True)
