"""Applies a cell's changes to a loaded pipeline while its samples are generated."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from skewbench.tasks.embeddings import encoded_once
from skewbench.tasks.families.registry import family_of
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.lora import check_digest
from skewbench.tasks.refined import refined
from skewbench.tasks.schedulers import SEEDED, arguments, build

ADAPTER = "lora"
"""The name of a cell's adapters in a pipeline."""


@contextmanager
def applied(pipeline: Any, generation: GenerationSpec) -> Iterator[None]:
    """Give a pipeline the scheduler, the adapters and the refiner of a cell, and take them away at the end.

    Meanwhile, each prompt is encoded once.

    Args:
        pipeline: The loaded pipeline.
        generation: Generation settings of the cell.

    Raises:
        RunError: This machine has another file of adapters, or another refiner, than the driver.
    """
    own, lora = pipeline.scheduler, generation.lora
    if generation.scheduler:
        pipeline.scheduler = build(generation.scheduler, type(own).__name__, own.config)
    try:
        if lora:
            path = check_digest(lora)
            pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=ADAPTER)
            pipeline.set_adapters([ADAPTER], [lora.weight])
        with ExitStack() as stack:
            if encoding := family_of(pipeline).encoding:
                stack.enter_context(encoded_once(pipeline, lora, encoding))
            if generation.refiner:
                stack.enter_context(refined(pipeline, generation.refiner))
            yield
    finally:
        pipeline.scheduler = own
        if lora:
            pipeline.unload_lora_weights()


def replay_lines(generation: GenerationSpec, noise_seed: int) -> str:
    """Write the lines of a plain diffusers script that do the same to its `pipeline`.

    Args:
        generation: Generation settings of the cell.
        noise_seed: The sample's.
    """
    lines = []
    if scheduler := generation.scheduler:
        given = "".join(f", {name}={value!r}" for name, value in arguments(scheduler).items())
        lines.append(f"from diffusers import {scheduler.name}\n")
        lines.append(f"pipeline.scheduler = {scheduler.name}.from_config(pipeline.scheduler.config{given})")
        if scheduler.name == SEEDED:
            lines.append(f"pipeline.scheduler.noise_sampler_seed = [{noise_seed}]")
    if lora := generation.lora:
        folder, _, name = lora.path.rpartition("/")
        lines.append(f"pipeline.load_lora_weights({folder!r}, weight_name={name!r}, adapter_name={ADAPTER!r})")
        lines.append(f"pipeline.set_adapters([{ADAPTER!r}], [{lora.weight!r}])")
    return "".join(f"{line}\n" for line in lines)
