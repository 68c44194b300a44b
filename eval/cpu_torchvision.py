"""Makes a CUDA build of torchvision importable beside a CPU build of torch.

Such pairs happen where only torch comes from an index of CPU builds. Their import fails for want of two compiled
operators, and with it whatever imports torchvision: open_clip, timm, lpips, and diffusers by way of transformers. With
the operators declared, everything but they themselves works.

torch calls this at the end of its own import, in every process, by the entry point that `pyproject.toml` declares:
drivers, workers and a person's notebook alike.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

_DECLARED: list[Any] = []
"""A declaration lasts as long as its library is referenced."""


def define_missing_operators() -> None:
    """Declare the operators where the pair does not match. Versions are read without importing torchvision."""
    if _DECLARED or not _mismatched():
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)


def _mismatched() -> bool:
    try:
        return version("torch").endswith("+cpu") and not version("torchvision").endswith("+cpu")
    except PackageNotFoundError:
        return False
