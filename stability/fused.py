"""Decides whether the Triton kernel computes the softmaxes, and calls it. Triton is imported only for the call."""

import os
from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor

from skewbench.stability.softmax import Kernel

_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


def check(kernel: Kernel, device: torch.device) -> None:
    """Check that the machine can run a kernel.

    Args:
        kernel: The requested kernel.
        device: Device of the model.

    Raises:
        ValueError: `triton` is requested, but the device is no GPU or the package is missing.
    """
    if kernel == "triton" and not _is_there(device):
        raise ValueError(f"kernel 'triton' needs a GPU and the package triton; the model is on {device.type}")


def usable(q: Tensor, kernel: Kernel) -> bool:
    """Return whether the Triton kernel is requested and supports a call: heads of up to 128 columns, no float64.

    Args:
        q: Queries (B, H, L, d).
        kernel: The requested kernel.
    """
    return kernel == "triton" and q.dtype in _DTYPES and q.shape[-1] <= 128 and _is_there(q.device)


def _is_there(device: torch.device) -> bool:
    """Return whether Triton runs: on a GPU, or on a CPU if `TRITON_INTERPRET` turns its interpreter on."""
    interpreted = device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"
    return (device.type == "cuda" or interpreted) and find_spec("triton") is not None


def pair(
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    values: Float[Tensor, "B H L W"],
    alpha: Float[Tensor, "B 1 1 1"] | None,
    scale: float,
) -> tuple[Float[Tensor, "B H L W"], Float[Tensor, "B H L W"]]:
    """Compute plain and skewed attention in float32, in one pass over the keys.

    These are softmax(scale M) values and softmax(scale (M_sym + alpha M_skew)) values, with M = q k'.

    Args:
        q: Queries of the softmax.
        k: As `q`.
        values: The values that the weights average.
        alpha: Factor of the skew-symmetric part, by row; None: only plain attention is computed.
        scale: Factor of the logits.

    Returns:
        Plain and skewed attention; without `alpha`, plain attention twice.
    """
    from skewbench.stability import kernel

    q, k, values = (tensor if tensor.stride(-1) == 1 else tensor.contiguous() for tensor in (q, k, values))
    return kernel.pair(q, k, values, None if alpha is None else alpha.flatten().contiguous(), scale)
