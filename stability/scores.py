"""Products of queries and keys in float32, of which scores of several hundred keep their differences."""

import torch
from jaxtyping import Float
from torch import Tensor

from skewbench.stability.measures import upcast

_HALVES = (torch.float16, torch.bfloat16)


def on_tensor_cores(q: Tensor) -> bool:
    """Return whether products of these queries are exact in half precision with results in float32.

    Args:
        q: Queries.
    """
    return q.device.type == "cuda" and q.dtype in _HALVES


def scores(q: Float[Tensor, "B H T d"], k: Float[Tensor, "B H K d"]) -> Float[Tensor, "B H T K"]:
    """Compute q k' in float32 at least. On a GPU, tensor cores multiply half precision as it is and sum in float32.

    Args:
        q: Queries.
        k: Keys.
    """
    if on_tensor_cores(q):
        product = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).mT, out_dtype=torch.float32)
        return product.unflatten(0, q.shape[:2])
    q, k = upcast(q, k)
    return q @ k.mT


def skew_scores(
    own: Float[Tensor, "B H T K"], turned: Float[Tensor, "B H T L"], alpha: Float[Tensor, "B 1 1 1"]
) -> Float[Tensor, "B H T K"]:
    """Compute M_sym + alpha M_skew = c1 q k' + c2 k q' for some of the tokens, with coefficients in float32.

    Args:
        own: q k' of these tokens. Further keys, after those of the L tokens, keep their scores.
        turned: k q' of these tokens.
        alpha: Factor of the skew-symmetric part: c1 = (1 + alpha) / 2 and c2 = (1 - alpha) / 2.
    """
    count = turned.shape[-1]
    mixed = (1 + alpha) / 2 * own[..., :count] + (1 - alpha) / 2 * turned
    return mixed if own.shape[-1] == count else torch.cat([mixed, own[..., count:]], dim=-1)
