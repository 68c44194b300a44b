"""The low frequencies of a map: the lower level of a Laplacian pyramid."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def low_frequencies(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Keep the low frequencies of a map: blur it, halve it, enlarge it to its size and blur it again.

    Halving and enlarging are bilinear. Source: Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code";
    kornia builds its pyramid in the same way.

    Args:
        x: Maps of any height and width.
    """
    rows, columns = x.shape[-2:]
    half = F.interpolate(_blurred(x), size=(max(1, rows // 2), max(1, columns // 2)), mode="bilinear")
    return _blurred(F.interpolate(half, size=(rows, columns), mode="bilinear"))


def _blurred(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Blur by the binomial kernel; borders are mirrored, or repeated if the map is smaller than the kernel."""
    mode = "reflect" if min(x.shape[-2:]) > 2 else "replicate"
    padded = F.pad(x, (2, 2, 2, 2), mode=mode)
    rows, columns = x.shape[-2:]
    across = sum(weight * padded[..., i : i + columns] for i, weight in enumerate(_BINOMIAL))
    assert isinstance(across, Tensor)  # noqa: S101 - a sum starts with a number
    down = torch.stack([weight * across[..., i : i + rows, :] for i, weight in enumerate(_BINOMIAL)])
    return down.sum(0)
