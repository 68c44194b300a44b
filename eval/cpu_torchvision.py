"""Makes a CUDA build of torchvision importable with a CPU build of torch.

Such pairs arise if only torch comes from an index of CPU builds. The import of torchvision then fails because two
compiled operators are missing, and so does every import of it: open_clip, timm, lpips, and diffusers through
transformers. Declaring the operators makes everything else work.

Every function of skewbench that imports torchvision, or a library that does, calls this first. It does not affect other
programs.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

OPERATORS = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
SCRIPT = f"""\
# torchvision on this machine was built for another torch: its import needs two operators to be declared
operators = torch.library.Library("torchvision", "FRAGMENT")
for operator in {OPERATORS}:
    if not hasattr(torch.ops.torchvision, operator):
        operators.define(operator + "{SIGNATURE}")
"""
"""The same as lines of a script that imports torch and nothing of skewbench."""
_DECLARED: list[Any] = []
"""A declaration lasts as long as its library is referenced."""


def define_missing_operators() -> None:
    """Declare the missing operators if torch and torchvision do not match."""
    if _DECLARED or not torchvision_is_mismatched():
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        library.define(name + SIGNATURE)
    _DECLARED.append(library)


def torchvision_is_mismatched() -> bool:
    """Return whether torch is a build for CPUs and torchvision is not. Reads versions without importing either."""
    try:
        return version("torch").endswith("+cpu") and not version("torchvision").endswith("+cpu")
    except PackageNotFoundError:
        return False
