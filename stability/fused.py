"""Whether the Triton kernel does the softmaxes, and the way to it. Triton is imported only where it is used."""

import os
from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor

SWITCH = "SKEWBENCH_TRITON"
"""The environment variable that asks for the kernel, by 1. Off by default: it has not been on a GPU yet."""

_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


def usable(q: Tensor) -> bool:
    """Whether the kernel is asked for, and can be had for such tensors: on a GPU, or in Triton's interpreter."""
    if os.environ.get(SWITCH) != "1":
        return False
    there = q.is_cuda or (q.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1")
    return there and q.dtype in _DTYPES and q.shape[-1] <= 128 and find_spec("triton") is not None


def pair(
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    values: Float[Tensor, "B H L W"],
    alpha: Float[Tensor, "B 1 1 1"] | None,
    scale: float,
) -> tuple[Float[Tensor, "B H L W"], Float[Tensor, "B H L W"]]:
    """softmax(scale M) values and softmax(scale (M_sym + alpha M_skew)) values in float32, in one pass over the keys.

    Without `alpha` the first is computed alone, and is both.
    """
    from skewbench.stability import kernel

    q, k, values = (tensor if tensor.stride(-1) == 1 else tensor.contiguous() for tensor in (q, k, values))
    return kernel.pair(q, k, values, None if alpha is None else alpha.flatten().contiguous(), scale)
