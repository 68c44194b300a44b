"""Loads the second stage of a cell in addition to its pipeline."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from skewbench.tasks.embeddings import encoded_once
from skewbench.tasks.families.sdxl_refiner import SdxlRefiner
from skewbench.tasks.generation import RefinerSpec
from skewbench.tasks.hub_models import is_hub_id
from skewbench.tasks.models import load_pipeline, model_address
from skewbench.tasks.refiner import find_refiner
from skewbench.vocabulary.errors import InputError, RunError

_loaded: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()
"""The refiners that were loaded for a pipeline."""


@contextmanager
def refined(pipeline: Any, spec: RefinerSpec) -> Iterator[None]:
    """Within the block, `pipeline.refiner` is the refiner, with a copy of the pipeline's scheduler.

    Args:
        pipeline: The loaded pipeline. The refiner is loaded in addition, and cached for other cells.
        spec: The refiner.

    Raises:
        RunError: This machine has other files of the refiner than the driver.
    """
    there = _loaded.setdefault(pipeline, {})
    key = (spec.id, spec.revision, spec.variant)
    if key not in there:
        there[key] = _load(pipeline, spec)
    pipeline.refiner = there[key]
    pipeline.refiner.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    try:
        with encoded_once(pipeline.refiner, None, SdxlRefiner.encoding):
            yield
    finally:
        del pipeline.refiner


def _load(pipeline: Any, spec: RefinerSpec) -> Any:
    try:
        source = find_refiner(spec, str(pipeline.dtype).removeprefix("torch."), download=is_hub_id(spec.id))
    except InputError as error:
        raise RunError(f"{socket.gethostname()}: {error}") from None
    return load_pipeline(source, str(pipeline.device))


def replay_lines(spec: RefinerSpec, dtype: str, device: str) -> str:
    """Write the lines of a plain diffusers script that load the refiner as `refiner`, after its `pipeline`.

    Args:
        spec: The refiner, with its revision.
        dtype: The precision of the experiment's model.
        device: Source text that moves a pipeline onto its device, such as `.to("cuda")`; may be empty.
    """
    address = model_address(spec.id)
    options = {"revision": spec.revision if is_hub_id(address) else None, "variant": spec.variant}
    given = "".join(f", {name}={value!r}" for name, value in options.items() if value)
    return (
        "from diffusers import StableDiffusionXLImg2ImgPipeline\n\n"
        f"refiner = StableDiffusionXLImg2ImgPipeline.from_pretrained(\n    {address!r}{given}, "
        f"dtype=torch.{dtype}, use_safetensors=True, add_watermarker=False\n){device}\n"
        "refiner.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)\n"
    )
