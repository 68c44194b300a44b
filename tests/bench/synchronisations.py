"""How often a call makes the host wait for the device."""

import warnings
from collections.abc import Callable

import torch

from tests.stability.dispatch import Operations

READS = ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select", "unique", "_unique2")
"""Operations that read a value on the host, or need one for the shape of their result."""


def synchronisations(call: Callable[[], object], device: str) -> int:
    """Count them in one call. On a GPU torch reports each; on a CPU the operations that would wait are counted.

    A GPU reports copies to the host too, such as that of the measures at the end.
    """
    if device != "cuda":
        with Operations() as operations:
            call()
        return sum(operations.count[name] for name in READS)
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
    finally:
        torch.cuda.set_sync_debug_mode(before)
    return sum("synchronizing CUDA operation" in str(each.message) for each in caught)
