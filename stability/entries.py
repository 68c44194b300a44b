"""What a recorder keeps on the device, and its copy to the host. Needs no pyarrow."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skewbench.stability.blocks import Block


class Entry(NamedTuple):
    """The measurements of one block in one call of the model."""

    block: Block
    step: int
    branches: tuple[str, ...]
    values: dict[str, Tensor]
    """Measures (B, H) and controls (B,), as far as there are any; B = branches x samples, branch by branch."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(self.values.values()))) // len(self.branches)


def on_host(entries: Iterable[Entry]) -> list[dict[str, np.ndarray]]:
    """Copy the values of all entries to numpy arrays, with one copy from the device.

    Args:
        entries: What the blocks measured.

    Returns:
        The values of each entry by name, in the order of the entries.
    """
    values = [entry.values for entry in entries]
    tensors = [tensor for each in values for tensor in each.values()]
    flat = torch.cat([tensor.flatten() for tensor in tensors]).cpu().numpy()
    parts = iter(np.split(flat, np.cumsum([tensor.numel() for tensor in tensors])[:-1]))
    return [{name: next(parts).reshape(tensor.shape) for name, tensor in each.items()} for each in values]
