"""Decides whether Triton kernels compute the softmaxes, and calls them. Triton is imported only for the call."""

import os
from importlib.util import find_spec
from typing import NamedTuple

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

    q, k, values = _rows_contiguous(q, k, values)
    found = kernel.pair(q, k, values, None if alpha is None else alpha.flatten().contiguous(), scale)
    return found.plain, found.skew


class Blended(NamedTuple):
    """A blended retrieval."""

    heads: Float[Tensor, "B H L W"]
    """Plain attention + beta (skewed attention - plain attention) to the values."""
    squares: tuple[Float[Tensor, "B H L 1"], Float[Tensor, "B H L 1"]]
    """|Xi_alpha|^2 and |Xi_beta|^2 over the features."""
    xi: Float[Tensor, "B H L c"] | None
    """Xi_beta on the requested columns."""


def blended(
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    values: Float[Tensor, "B H L W"],
    x: Float[Tensor, "B L C"],
    alpha: Float[Tensor, "B 1 1 1"],
    beta: Float[Tensor, "B 1 1 1"],
    scale: float,
    columns: slice | Tensor | None,
) -> Blended:
    """Compute a blended retrieval in float32: a first pass over the keys for the heads, a second for the norms.

    Args:
        q: Queries of the softmax.
        k: As `q`.
        values: The values that the weights average.
        x: The features.
        alpha: Factor of the skew-symmetric part, by row.
        beta: Strength of the blend, by row.
        scale: Factor of the logits.
        columns: Columns of Xi_beta that are returned; None: none.
    """
    from skewbench.stability import kernel, norm_kernel

    q, k, values, x = _rows_contiguous(q, k, values, x)
    by_row = alpha.flatten().contiguous(), beta.flatten().contiguous()
    pair = kernel.pair(q, k, values, by_row[0], scale)
    every = takes_all(columns)
    *squares, xi = norm_kernel.norms(q, k, x, *by_row, pair, scale, kept=every)
    if columns is not None and not every:
        *_, xi = norm_kernel.norms(q, k, x[..., columns].contiguous(), *by_row, pair, scale, kept=True)
    return Blended(pair.plain + beta * (pair.skew - pair.plain), (squares[0], squares[1]), xi)


def takes_all(columns: slice | Tensor | None) -> bool:
    """Return whether columns are all there are.

    Args:
        columns: Columns as a slice or their indices; None: none.
    """
    return isinstance(columns, slice) and columns == slice(None)


def _rows_contiguous(*tensors: Tensor) -> list[Tensor]:
    """The tensors with a contiguous last axis."""
    return [tensor if tensor.stride(-1) == 1 else tensor.contiguous() for tensor in tensors]
