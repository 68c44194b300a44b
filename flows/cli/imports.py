"""`skewbench import`: imports images that were made elsewhere as a run of the lake."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from skewbench.flows.cli.options import Lake
from skewbench.flows.cli.tables import note
from skewbench.vocabulary.errors import InputError

if TYPE_CHECKING:
    from skewbench.tasks.imports.gather import ImportPlan


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The application `skewbench`.
    """
    app.command("import")(import_images)


def _column(what: str, default: str) -> Any:
    return typer.Option(help=f"Column of {what}. Default: {default}.")


def import_images(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="For one cell: a folder of images, a .parquet file or a folder of .parquet files, or a Hugging Face "
            "data set (owner/name\\[:subset\\[/split]]).",
        ),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option("--cell", help="Name of the cell. For several cells, repeat --cell NAME=SOURCE."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Pattern of file names without extension, such as '{prompt}_{seed}' or '{index}/{seed}'. * matches "
            "any text; {index} is a line of --prompts, from 0."
        ),
    ] = None,
    prompts: Annotated[str | None, typer.Option(help="File of prompts for {index}: one per line, or a table.")] = None,
    table: Annotated[
        str | None,
        typer.Option(
            help="Table of files, prompts and seeds (.csv, .tsv, .jsonl, .parquet). Default: metadata.csv, .jsonl or "
            ".parquet in the folder. Without a table, PNG metadata are read."
        ),
    ] = None,
    image_column: Annotated[str | None, _column("images, in Parquet", "the first column of bytes")] = None,
    file_column: Annotated[str, _column("file names, in the table", "file_name")] = "file_name",
    prompt_column: Annotated[str | None, _column("prompts", "prompt, Prompt, caption or text")] = None,
    seed_column: Annotated[str | None, _column("noise seeds", "noise_seed or seed")] = None,
    category_column: Annotated[str | None, _column("categories", "none")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WIDTHxHEIGHT", help="Import images of this size and skip others.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The cell that the others are compared with. Default: the first.")
    ] = None,
    name: Annotated[str, typer.Option(help="First part of the run's id.")] = "imported",
    model: Annotated[str, typer.Option(help="Model that made the images, for tables and reports.")] = "imported",
    lake: Lake = "lake",
) -> None:
    """Import images that were made elsewhere as a run, to score, compare, report and export.

    The files are copied into the lake as PNG and not changed. Images of one prompt and noise seed are paired.

    A run does not change later, so import all its cells at once; importing the same images again does nothing.
    """
    from skewbench.storage.store import open_store
    from skewbench.tasks.imports.gather import gather
    from skewbench.tasks.imports.spec import parse_import
    from skewbench.tasks.imports.write import is_imported, write_import

    options = {"pattern": pattern, "prompts": prompts, "table": table, "image_column": image_column}
    options |= {"file_column": file_column, "prompt_column": prompt_column, "seed_column": seed_column}
    options |= {"category_column": category_column, "size": size, "baseline": baseline, "name": name, "model": model}
    spec = parse_import({"cells": _cells(source, cell or []), **options})
    store, console = open_store(lake), Console(stderr=True)
    with console.status("reading images"):
        plan = gather(spec)
    _tell_left_out(plan)
    store.check_writable()
    if is_imported(store, plan):
        typer.echo(f"{plan.run_id} already has these images; nothing to do")
        return
    with Progress(console=console) as progress:
        bar = progress.add_task(f"importing {plan.run_id}", total=sum(len(shard.samples) for shard in plan.shards))
        write_import(store, plan, lambda count: progress.advance(bar, count))
    _tell(plan)


def _cells(source: str | None, given: list[str]) -> list[dict[str, str]]:
    """The cells with their sources. Raises `InputError`."""
    if source is not None:
        if len(given) != 1 or "=" in given[0]:
            raise InputError(f"source {source!r}: name its cell with one --cell NAME; for several, --cell NAME=SOURCE")
        return [{"name": given[0], "source": source}]
    if not given:
        raise InputError("import: name a source and its --cell NAME, or one --cell NAME=SOURCE for each cell")
    pairs = [one.partition("=") for one in given]
    if incomplete := [name for name, sign, path in pairs if not sign or not path]:
        raise InputError(f"--cell {incomplete[0]!r}: needs its source, --cell {incomplete[0]}=SOURCE")
    return [{"name": name, "source": path} for name, _, path in pairs]


def _tell_left_out(plan: "ImportPlan") -> None:
    from skewbench.tasks.imports.gather import describe
    from skewbench.tasks.imports.sources import LeftOut

    for cell in plan.spec.cells:
        if files := plan.left_out.get(cell.name):
            note(f"cell {cell.name}: {len(files)} not imported: {describe(files)}")
        samples = plan.samples(cell.name)
        if bad := [LeftOut(one.found.name, one.reason or "") for one in samples if one.status != "ok"]:
            note(f"cell {cell.name}: {len(bad)} imported as samples without a usable image: {describe(bad)}")
        if unknown := sum(one.noise_seed is None for one in samples):
            note(f"cell {cell.name}: {unknown} images have no noise seed and are not paired")


def _tell(plan: "ImportPlan") -> None:
    prompts = {sample.prompt.id for shard in plan.shards for sample in shard.samples}
    total = sum(len(shard.samples) for shard in plan.shards)
    size = f"{plan.size.width} x {plan.size.height} pixels"
    typer.echo(f"{plan.run_id}: {total} images of {len(prompts)} prompts, {size}, in {len(plan.spec.cells)} cells")
    paired = {sample.pair_id for sample in plan.samples(plan.baseline)}
    for cell in plan.spec.cells:
        samples = plan.samples(cell.name)
        if cell.name != plan.baseline:
            pairs = sum(sample.pair_id in paired for sample in samples)
            typer.echo(f"{cell.name}: {len(samples)} images, {pairs} paired with {plan.baseline}")
    typer.echo(f"no stability measures, because the images were made elsewhere. Next: skewbench score {plan.run_id}")
