"""The command `skewbench`."""

import io
import logging
import os
import sys
import warnings
from typing import Annotated, TextIO

import typer

from skewbench.flows.cli import (
    doctor,
    exports,
    imports,
    lake,
    query,
    rate,
    regressions,
    report,
    run,
    runs,
    score,
    serving,
    shell,
    track,
    tune,
    weights,
)
from skewbench.flows.cli.session import Stopped
from skewbench.flows.cli.tables import note
from skewbench.storage.location import LakeError, LakeUnreachable, LakeWarning
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.texts import is_unicode

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "skewbench.tasks,skewbench.storage.kept_delta",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
}
"""Defaults for variables that are not set: no telemetry, long timeouts for busy machines, and no log lines between
progress bars, because the server has them."""

_NOTED = "skewbench.storage.kept_delta"
"""A logger whose warnings are notes in a terminal. The Prefect UI shows them in the log of the flow run."""


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


_NOTES = _Notes()
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

app = typer.Typer(
    name="skewbench",
    epilog="Start with: skewbench run demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
run.add_to(app)
runs.add_to(app)
score.add_to(app)
tune.add_to(app)
serving.add_to(app)
weights.add_to(app)
query.add_to(app)
rate.add_to(app)
report.add_to(app)
track.add_to(app)
regressions.add_to(app)
shell.add_to(app)
lake.add_to(app)
imports.add_to(app)
exports.add_to(app)
doctor.add_to(app)


def _print_version(wanted: bool) -> None:
    """Print the versions that affect the numbers, without importing the packages."""
    if wanted:
        from importlib.metadata import version

        beside = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "ray", "prefect", "duckdb"))
        typer.echo(f"skewbench {version('skewbench')} ({beside})")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Benchmark fidelity against diversity in image generation under perturbed self-attention."""


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 the run failed or is incomplete, 2 bad input, 130 Ctrl-C."""
    try:
        _run()
    except SystemExit as ended:
        loss = sys.modules.get("skewbench.flows.server_loss")
        if loss and loss.is_lost():  # at the interpreter's exit Prefect would try to reach its server for a minute
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code if isinstance(ended.code, int) else 0)
        raise


def _run() -> None:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    _bypass_proxies()
    _escape_for_terminals()
    warnings.showwarning = _shown_as_notes
    logging.getLogger(_NOTED).addHandler(_NOTES)
    try:
        _check_arguments()
        app()
    except LakeUnreachable as error:
        _end(f"{error}; run the same command again to resume", 1)
    except (InputError, LakeError) as error:
        _end(str(error), 2)
    except Stopped as stopped:
        typer.secho(str(stopped), err=True)
        sys.exit(130)
    except RunError as error:
        _end(str(error), 1)
    except MemoryError:
        _end("out of memory; free memory, then run the same command again to resume", 1)
    except OSError as error:  # a full disk, or a deleted folder
        _end(f"{error}; fix this, then run the same command again to resume", 1)


def _escape_for_terminals() -> None:
    """Escape characters that the terminal's encoding does not have. Without this, they end in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_arguments() -> None:
    """Raise `InputError` for an argument that is not UTF-8, such as a file's name of another encoding."""
    for argument in sys.argv[1:]:
        if not is_unicode(argument):
            raise InputError(f"argument {argument!a}: is not UTF-8 text; rename the file, or use another text")


def _bypass_proxies() -> None:
    """Bypass proxies for loopback: a proxy would not find this machine's server, and would see its password."""
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    listed = [name.strip() for name in given.split(",") if name.strip()]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys([*listed, *_LOOPBACK]))


def _shown_as_notes(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print warnings about what an answer leaves out as notes, and other warnings as usual."""
    if issubclass(category, LakeWarning):
        note(str(message))
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def _end(message: str, code: int) -> None:
    typer.secho(f"error: {message}", fg="red", err=True)
    sys.exit(code)
