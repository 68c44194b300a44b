"""Looks over torch's shoulder: which operations run, and how large their results are."""

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Operations(TorchDispatchMode):
    """Counts the operations, and collects the shapes of what they return."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count[func.overloadpacket.__name__] += 1
        self.shapes |= {tuple(leaf.shape) for leaf in tree_leaves(result) if isinstance(leaf, Tensor)}
        return result

    @property
    def largest(self) -> int:
        return max(torch.Size(shape).numel() for shape in self.shapes)
