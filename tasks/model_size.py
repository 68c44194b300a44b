"""Computes the memory of a model's weights from the headers of their files, without reading weights."""

import math
from pathlib import Path

from safetensors import safe_open

from skewbench.tasks.model_files import weights_of
from skewbench.tasks.models import ModelSource, family_of_source

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a weight, by `model.dtype`."""


def weight_bytes(source: ModelSource) -> int:
    """Count the bytes of a model's weights in the precision of the experiment.

    Args:
        source: The model.

    Returns:
        Bytes of the weights of all parts that are loaded. Activations come on top.
    """
    files = [source.file] if source.file else weights_of(source.spec, source.folder, family_of_source(source))
    return BYTES[source.spec.dtype] * sum(map(_weights_in, files))


def _weights_in(file: Path) -> int:
    with safe_open(file, framework="numpy") as opened:
        return sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
