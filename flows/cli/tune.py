"""`skewbench tune`. Slow imports are inside functions."""

import time
from typing import Annotated, Any

import typer
from rich.console import Console

from skewbench.flows.cli.flow_state import raise_unless_completed
from skewbench.flows.cli.options import Lake, Local, RayAddress, WeightsFolder, note_local
from skewbench.flows.cli.outcome import tell_report
from skewbench.flows.cli.session import prefect_and_ray, stoppable
from skewbench.flows.cli.tables import warn


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The program's commands.
    """
    app.command("tune")(tune)


def tune(
    objective: Annotated[
        str,
        typer.Option(
            help="The metric to improve, and its bounds: "
            "METRIC, subject to METRIC >= NUMBER \\[of baseline] \\[and ...]."
        ),
    ],
    budget: Annotated[int, typer.Option(help="Total number of images to generate.")],
    model: Annotated[str, typer.Option(help="A bundled model, a hub id or a local folder.")] = "shapes-xl",
    knobs: Annotated[
        str,
        typer.Option(help="Knobs to try, such as skew,guidance,weak-pag. Default: all attention knobs with a range."),
    ] = "",
    prompts: Annotated[
        str | None,
        typer.Option(help="A file of prompts. Default: scenes for a bundled model, natural prompts for other models."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Images per prompt and setting.")] = 4,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 30,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 5.0,
    dtype: Annotated[str, typer.Option(help="float32, float16 or bfloat16.")] = "float32",
    gpus: Annotated[float, typer.Option(help="GPUs per worker; 0: run on the CPU.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    lake: Lake = "lake",
    ray_address: RayAddress = "",
    local: Local = False,
    weights: WeightsFolder = None,
) -> None:
    """Choose a setting for a model: search, then measure the chosen setting on prompts that the search did not use.

    Run the same command again to resume. If the search is complete, its result is only read.
    """
    from skewbench.tasks.checks import plugin_problems
    from skewbench.tasks.tune.form import parse_tuning

    warn(plugin_problems())
    if local:
        note_local(ray_address)
    content: dict[str, Any] = {
        "objective": objective,
        "budget": budget,
        "knobs": [name.strip() for name in knobs.split(",") if name.strip()],
        "model": {"id": model, "dtype": dtype},
        "prompts": None if prompts is None else {"source": "file", "path": prompts},
        "seeds": seeds,
        "generation": {"steps": steps, "guidance": guidance},
        "workers": {"gpus": gpus},
        "seed": seed,
    }
    form, began = parse_tuning(content), time.monotonic()
    from skewbench.tasks.models import check_model
    from skewbench.tasks.tune.request import check_request

    check_model(form.model)
    request = check_request(form)
    design = request.design
    typer.echo(
        f"{request.name}: {design.rounds + 1} rounds on {design.searched} prompts, {design.held_out} held-out prompts, "
        f"{design.images} images; lake {lake}"
    )
    if local:
        from skewbench.tasks.local import finish_locally
        from skewbench.tasks.tune.tune import tune as search
        from skewbench.tasks.tune.tune import working_here

        with stoppable():
            run_id = search(request, lake, working_here, finish_locally, typer.echo).run_id
    else:
        with prefect_and_ray(Console(stderr=True), ray_address):
            from skewbench.flows.tune import lines_observed
            from skewbench.flows.tune import tune as flow

            with lines_observed(typer.echo):
                state = flow(form, lake, ray_address, return_state=True)
        raise_unless_completed(state)
        run_id = state.result()
    typer.echo(f"done in {time.monotonic() - began:.0f} s")
    from skewbench.storage.store import open_store

    tell_report(open_store(lake), run_id)
