"""`skewbench run` and `plan`. Slow imports are inside functions."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from skewbench.flows.cli.flow_state import raise_unless_completed
from skewbench.flows.cli.options import (
    ExperimentName,
    Lake,
    Local,
    Prompts,
    RayAddress,
    Track,
    WeightsFolder,
    note_local,
)
from skewbench.flows.cli.outcome import tell_missing, tell_report, tell_tracked
from skewbench.flows.cli.progress import progress_shown, totals_of
from skewbench.flows.cli.session import ServerLostError, prefect_and_ray, stoppable
from skewbench.flows.cli.tables import Document, console, folding, note, print_json, warn
from skewbench.tasks.ray_address import check_temporary_folder
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from skewbench.tasks.experiment import Experiment


def add_to(app: typer.Typer) -> None:
    """Register the commands.

    Args:
        app: The application `skewbench`.
    """
    app.command("run")(run)
    app.command("plan")(plan)


def run(
    experiment: ExperimentName,
    lake: Lake = "lake",
    prompts: Prompts = None,
    ray_address: RayAddress = "",
    local: Local = False,
    weights: WeightsFolder = None,
    repeat: Annotated[
        str | None,
        typer.Option(help="Any text. A new text runs an unchanged experiment and build again, as a separate run."),
    ] = None,
    track: Track = None,
) -> None:
    """Run an experiment: generate, measure, score, analyse, and write the report.

    Run the same command again to resume after a crash or a stop. If the run is complete, it does nothing.
    """
    errors = Console(stderr=True)
    if local:
        note_local(ray_address)
    elif not ray_address:
        check_temporary_folder()
    with errors.status("checking the experiment"):
        chosen = _load(experiment, prompts)
        if repeat is not None:
            chosen = chosen.model_copy(update={"repeat": repeat})
        from skewbench.storage.lease import check_free
        from skewbench.storage.state import read_state
        from skewbench.tasks.model_blocks import without_effect
        from skewbench.tasks.prompt_lengths import prompt_notes
        from skewbench.tasks.run import generation_left, is_finished, prepare, scoring_left

        prepared = prepare(chosen, lake, download=True)
        for line in without_effect(chosen, prepared.source):
            note(line)
        known = read_state(prepared.store, prepared.begun) if prepared.begun else None
        finished = known is not None and is_finished(prepared, known)
        left = known is None or generation_left(prepared, known) or scoring_left(prepared, known)
    if finished:
        typer.echo(f"{prepared.id} is complete; nothing to do")
        tell_report(prepared.store, prepared.id)
        tell_tracked(prepared.store, prepared.id, track)
        return
    if held := check_free(prepared.store, prepared.id):
        note(held)
    errors.print(f"[bold]{prepared.id}[/bold]: {len(chosen.cells)} cells, {len(prepared.shards)} shards, lake {lake}")
    began = time.monotonic()
    bars = progress_shown(errors, known.receipts if known else (), totals_of(prepared))
    if local:
        from skewbench.tasks.local import run_locally
        from skewbench.tasks.shortfalls import raise_if_incomplete

        _note_unused(chosen)
        with stoppable(), bars as observe:
            raise_if_incomplete(run_locally(prepared, observe))
    else:
        try:
            with prefect_and_ray(errors, ray_address if left else None):
                from skewbench.flows.benchmark import benchmark
                from skewbench.flows.cells import observed

                with bars as observe, observed(observe):
                    state = benchmark(chosen, lake, ray_address, return_state=True)
            raise_unless_completed(state)
        except ServerLostError:
            again = prepare(chosen, lake)
            if not again.begun or not is_finished(again, read_state(again.store, again.begun)):
                raise
    typer.echo(f"{prepared.id} is complete, after {time.monotonic() - began:.0f} s")
    for line in prompt_notes(prepared.experiment, prepared.prompts, prepared.source):
        note(line)
    tell_missing(prepared.store, prepared.id)
    tell_report(prepared.store, prepared.id)
    tell_tracked(prepared.store, prepared.id, track)


def _note_unused(experiment: "Experiment") -> None:
    """Name the settings of workers that have no effect with --local."""
    workers = experiment.workers
    unused = {"count": workers.count not in (None, 1), "hang_limit": workers.hang_limit is not None}
    for name in (name for name, is_set in unused.items() if is_set):
        note(f"workers.{name} has no effect with --local, which runs one job at a time in this process")


def plan(
    experiment: ExperimentName,
    lake: Lake = "lake",
    prompts: Prompts = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.001, help="Assumed seconds per image. Default: measured by earlier runs of the lake."),
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0.0, help="Price per worker hour in any currency, to estimate the cost.")
    ] = None,
    format: Document = "text",
) -> None:
    """Check an experiment and estimate its shards, samples, disk, time and cost. Loads no model and writes nothing."""
    chosen = _load(experiment, prompts)
    from skewbench.tasks.cells import cell_words
    from skewbench.tasks.estimate import estimate

    expected = estimate(chosen, lake, seconds)
    cost = None if price is None or expected.hours is None else expected.hours * price
    if format == "json":
        settings = {cell.name: cell_words(cell, chosen.generation) for cell in chosen.cells}
        print_json({"experiment": chosen.name, "cells": settings, **asdict(expected), "cost": cost})
        return
    out = console()
    table = folding("cell", "setting", "samples", title=f"{chosen.name}: {chosen.description}")
    for cell in chosen.cells:
        table.add_row(cell.name, cell_words(cell, chosen.generation), str(expected.samples // len(chosen.cells)))
    out.print(table)
    out.print(f"model    {chosen.model.id}, {chosen.model.dtype}; {expected.model}")
    factors = f"{expected.prompts} prompts x {chosen.seeds} seeds x {len(chosen.cells)} cells"
    if expected.lacking:
        named = ", ".join(expected.lacking)
        out.print(f"metrics  {named} would have no values: weights or packages are missing; see `skewbench weights`")
    for name in expected.to_prepare:
        out.print(f"metrics  workers prepare environment {name}, or `skewbench weights get {name}` does now")
    out.print(f"samples  {factors} = {expected.samples}")
    out.print(f"shards   {expected.shards}, with at most {expected.per_shard} samples each")
    out.print(f"calls    {expected.predictions:,} model predictions: samples x steps x CFG branches")
    for line in (*expected.prompt_notes, *expected.without_effect, *expected.more_calls):
        out.print(f"note     {line}")
    if chosen.baseline is None:
        out.print("note     no cell has plain attention (kind: vanilla) without overrides, so changes have no baseline")
    out.print(f"disk     about {expected.disk / 1e6:,.0f} MB")
    out.print(f"time     {expected.time}")
    if price is not None and cost is None:
        out.print("cost     unknown, because the time is unknown; set --seconds")
    elif cost is not None:
        out.print(f"cost     about {cost:,.2f}: {expected.hours:,.2f} worker hours at {price:,.2f}")


def _load(experiment: str, prompts: str | None) -> "Experiment":
    """Read and check an experiment before heavy imports. Raises `InputError`."""
    from skewbench.flows import experiments
    from skewbench.tasks.checks import check_experiment, plugin_problems
    from skewbench.tasks.experiment import PromptSpec

    warn(plugin_problems())
    loaded = experiments.load(experiment)
    if prompts == "":
        raise InputError("--prompts '': name a file of prompts")
    if prompts is not None:
        count = loaded.prompts.count if loaded.prompts.source == "file" else None
        loaded = loaded.model_copy(update={"prompts": PromptSpec(source="file", path=prompts, count=count)})
    check_experiment(loaded)
    return loaded
