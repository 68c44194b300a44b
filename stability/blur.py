"""A Gaussian blur of tokens on their grid."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from skewbench.stability.measures import upcast


def blur(x: Float[Tensor, "B H L d"], grid: tuple[int, int], sigma: float) -> Float[Tensor, "B H L d"]:
    """Blur tokens over the rows and columns of their grid; at the borders the grid is mirrored.

    This is the solution of the heat equation without flow through the borders: each cosine of the grid, of frequency
    w = pi k / n along a side of n tokens, is multiplied by exp(-sigma^2 w^2 / 2). So the mean stays, and all else
    shrinks monotonically with sigma. From sigma 2 on a sampled Gaussian, over the mirrored grid, gives the same.

    Args:
        x: Tokens, row by row; several grids may follow each other.
        grid: Rows and columns.
        sigma: Standard deviation in tokens; 0: nothing is blurred; infinity: the mean of each grid.
    """
    rows, columns = grid
    (wide,) = upcast(x)
    image = wide.unflatten(2, (-1, rows, columns))
    down, across = (_matrix(side, sigma, wide) for side in grid)
    return torch.einsum("ij,bhfjkd,lk->bhfild", down, image, across).flatten(2, 4).to(x.dtype)


def is_mean(grid: tuple[int, int], sigma: float) -> bool:
    """Return whether a blur leaves only the mean, to rounding in float32.

    Args:
        grid: Rows and columns of the tokens.
        sigma: Standard deviation in tokens.
    """
    return math.exp(-0.5 * (min(sigma, 1e6) * math.pi / max(grid)) ** 2) < 1e-7


def _matrix(side: int, sigma: float, like: Tensor) -> Float[Tensor, "n n"]:
    """Build the blur along one side: C' diag(exp(-sigma^2 w^2 / 2)) C with the orthonormal cosines C."""
    number = torch.arange(side, device=like.device, dtype=like.dtype)
    cosines = torch.cos(math.pi / side * (number + 0.5) * number[:, None]) * math.sqrt(2 / side)
    cosines = torch.where(number[:, None] == 0, math.sqrt(1 / side), cosines)
    # 0 times an infinite sigma is no number: the mean's factor is 1 in any case
    factors = torch.exp(-0.5 * (number * (math.pi / side)).square() * min(sigma, 1e6) ** 2)
    return cosines.mT @ (factors[:, None] * cosines)
