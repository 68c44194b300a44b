"""`skewbench compare`, `baseline` and `nightly`: regressions between two runs."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from skewbench.flows.cli import completion
from skewbench.flows.cli.flow_state import StoppedBySignalError, raise_unless_completed
from skewbench.flows.cli.options import Lake, RayAddress, RunId, WeightsFolder
from skewbench.flows.cli.outcome import tell_report
from skewbench.flows.cli.progress import progress_shown, totals_of
from skewbench.flows.cli.session import prefect_and_ray
from skewbench.flows.cli.tables import Format, Limit, note, print_rows
from skewbench.vocabulary.errors import InputError, RunError

if TYPE_CHECKING:
    from skewbench.tasks.experiment import Experiment
    from skewbench.tasks.run import Run

baseline = typer.Typer(no_args_is_help=True, help="Name runs as baselines that later runs are compared with.")
_NAME = typer.Argument(metavar="NAME", help="Name of the baseline. Experiments compare with `nightly` by default.")


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.command("compare")(compare)
    app.add_typer(baseline, name="baseline")
    app.command("nightly")(nightly)


def compare(
    run_a: Annotated[
        str,
        typer.Argument(
            metavar="RUN_A", help="The earlier run: an id, the beginning of an id, or the name of a baseline."
        ),
    ],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="The later run.")],
    lake: Lake = "lake",
    margins: Annotated[
        str | None,
        typer.Option(metavar="EXPERIMENT", help="Experiment that sets the margins. Default: the experiment of RUN_B."),
    ] = None,
    format: Annotated[
        Literal["table", "csv", "json", "markdown", "parquet"],
        typer.Option("--format", help="markdown: a page with the images that changed most; other formats: rows."),
    ] = "table",
    everything: Annotated[bool, typer.Option("--all", help="Include rows that are the same.")] = False,
    limit: Limit = 0,
    fail_on: Annotated[
        Literal["worse", "changed"] | None,
        typer.Option(
            help="Exit with 1 if a required row is worse (worse), or if any row changed (changed). With either value, "
            "also exit with 1 if nothing could be compared."
        ),
    ] = None,
) -> None:
    """Compare RUN_B with the earlier RUN_A, paired: one row per metric, measure and stage, with a verdict."""
    import polars as pl

    from skewbench.flows import experiments
    from skewbench.storage.baselines import find_baseline
    from skewbench.storage.manifest import find_run
    from skewbench.storage.store import open_store
    from skewbench.tasks.experiment import NightlySpec, parse_experiment
    from skewbench.tasks.imports.write import KIND
    from skewbench.tasks.regressions import compare as held_against
    from skewbench.tasks.regressions import summary
    from skewbench.tasks.regressions.page import markdown, rows_for_people

    store = open_store(lake)
    named = [find_baseline(store, given) for given in (run_a, run_b)]
    earlier, later = (
        find_run(store, pointer.run_id if pointer else given)
        for pointer, given in zip(named, (run_a, run_b), strict=True)
    )
    for run in (earlier, later):
        if run.status != "committed":
            message = (
                f"{run.run_id} is {run.status}: the comparison covers its finished samples; `skewbench run` resumes it"
            )
            typer.echo(f"note: {message}", err=True)
    if margins:
        criteria = experiments.load(margins).nightly
    elif KIND in later.identity:  # imported images have no experiment
        criteria = NightlySpec()
    else:
        criteria = parse_experiment(later.experiment, later.run_id).nightly
    with Console(stderr=True).status(f"comparing {later.run_id} with {earlier.run_id}"):
        found = held_against(store, later, earlier, criteria, named[0].name if named[0] else None)
    if format == "markdown":
        typer.echo(markdown(found, store.lake), nl=False)
    elif format == "table":
        typer.echo(summary(found))
        rows = rows_for_people(found.table)
        shown = rows if everything else rows.filter(pl.col("verdict") != "same")
        if shown.height:
            print_rows(shown, "table", shared_once=True, limit=limit)
    else:
        print_rows(found.table, format, limit=limit)
    if fail_on:
        found.check()
    if fail_on == "worse" and found.worse.height:
        raise RunError(summary(found))
    if fail_on == "changed" and not set(found.table["verdict"]) <= {"same", "inconclusive", "not comparable"}:
        raise RunError(summary(found))


@baseline.command("set")
def set_name(name: Annotated[str, _NAME], run: RunId, lake: Lake = "lake") -> None:
    """Name a committed run as a baseline. An existing name then refers to this run."""
    from skewbench.storage.baselines import set_baseline
    from skewbench.storage.store import open_store

    found = set_baseline(open_store(lake), name, run)
    typer.echo(f"baseline {found.name}: {found.run_id}")


@baseline.command("list")
def list_all(lake: Lake = "lake", format: Format = "table") -> None:
    """List the baselines of a lake."""
    import polars as pl

    from skewbench.storage.baselines import scan_baselines
    from skewbench.storage.store import open_store

    whole, broken = scan_baselines(open_store(lake))
    rows = [{"baseline": found.name, "run": found.run_id, "set": found.set} for found in whole]
    if rows or format != "table":
        print_rows(pl.DataFrame(rows, schema={"baseline": pl.String, "run": pl.String, "set": pl.String}), format)
    else:
        typer.echo(f"no baselines in {lake!r}; `skewbench baseline set NAME RUN` names a run")
    for one in broken:
        note(str(one))


@baseline.command("remove")
def remove(name: Annotated[str, _NAME], lake: Lake = "lake") -> None:
    """Remove a baseline's name; its run is kept."""
    from skewbench.storage.baselines import remove_baseline
    from skewbench.storage.store import open_store

    found = remove_baseline(open_store(lake), name)
    typer.echo(f"removed baseline {found.name}" + (f"; {found.run_id} is kept" if found.run_id else ""))


def nightly(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPERIMENT...",
            help="YAML files, or names of bundled experiments. They run one after the other. Default: `nightly`.",
            autocompletion=completion.experiments,
        ),
    ] = None,
    lake: Lake = "lake",
    night: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Scheduled time of the run, such as 2026-05-01T02:00Z. Default: now."),
    ] = None,
    ray_address: RayAddress = "",
    weights: WeightsFolder = None,
) -> None:
    """Run regression benchmarks and compare each run with its baseline.

    Exits with 1 if a required row is worse, or if nothing could be compared. The other experiments run in any case.
    """
    from skewbench.flows import experiments

    chosen, when = experiments.load_several(names or ["nightly"]), _time(night)
    errors = Console(stderr=True)
    with errors.status("checking the experiments"):
        from skewbench.tasks.regressions.nights import as_night
        from skewbench.tasks.run import prepare

        tonight = [prepare(as_night(one, when), lake, download=True) for one in chosen]
    failed = 0
    with prefect_and_ray(errors, ray_address):
        for experiment, run in zip(chosen, tonight, strict=True):
            try:
                _run_night(errors, run, experiment, lake, when, ray_address)
            except StoppedBySignalError:
                raise
            except RunError as error:
                if len(chosen) == 1:
                    raise
                failed += 1
                typer.echo(f"failed: {experiment.name}: {error}", err=True)
    if failed:
        raise RunError(f"{failed} of {len(chosen)} experiments failed; the messages are above")


def _run_night(
    errors: Console, tonight: "Run", experiment: "Experiment", lake: str, when: datetime, ray_address: str
) -> None:
    from skewbench.flows.cells import observed
    from skewbench.flows.nightly import nightly as flow
    from skewbench.storage.baselines import find_baseline
    from skewbench.storage.manifest import read_manifest
    from skewbench.storage.state import keys_of

    done = keys_of(tonight.store, tonight.begun) if tonight.begun else []
    errors.print(f"[bold]{tonight.id}[/bold]: the night of {tonight.experiment.repeat}, lake {lake}")
    with progress_shown(errors, done, totals_of(tonight)) as observe, observed(observe):
        state = flow(experiment, lake, ray_address, when, return_state=True)
    run = read_manifest(tonight.store, tonight.id)
    if run and run.status == "committed":
        tell_report(tonight.store, run.run_id)
        baseline = find_baseline(tonight.store, experiment.nightly.baseline)
        if baseline and baseline.run_id != run.run_id:
            place = "" if lake == "lake" else f" --lake {lake}"
            typer.echo(f"all rows: skewbench compare {baseline.name} {run.run_id}{place}")
    raise_unless_completed(state)
    typer.echo(state.message)


def _time(given: str | None) -> datetime:
    try:
        time = datetime.fromisoformat(given) if given else datetime.now(UTC)
    except ValueError:
        raise InputError(f"--night {given!r}: not a time in ISO 8601, such as 2026-05-01T02:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
