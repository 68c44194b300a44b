"""Random directions in which the norms of retrievals are estimated."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


@torch.compiler.assume_constant_result
def directions(block: int, width: int, count: int, device: torch.device) -> Float[Tensor, "C m"]:
    """Draw orthonormal directions of feature space: the columns of O, with O'O = I and E[O O'] = (m / C) I.

    So |xi O|^2 C / m is an unbiased estimate of |xi|^2, and it is exact for m = C. The directions depend on the block
    alone: every sample, step and branch has the same ones, in any batch.

    Args:
        block: Number of the block.
        width: C, the number of features.
        count: m, the number of directions; more than C are C.
        device: Where they are used.
    """
    return _drawn(block, width, min(count, width), device)


@lru_cache(maxsize=1024)
def _drawn(block: int, width: int, count: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed((1 << 32) + block)
    noise = torch.randn(width, count, dtype=torch.float64, generator=generator)
    drawn, _ = torch.linalg.qr(noise)
    return drawn.float().to(device, non_blocking=True)  # the host does not wait for a copy to the device
