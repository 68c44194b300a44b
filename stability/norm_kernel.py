"""Norms of the C-wide retrievals, as a Triton kernel that does not store them. Imports Triton: only `fused` may.

The largest scores and the sums of both softmaxes are known from `kernel.pair`. So a program needs no running maximum
and rescales nothing: for a tile of tokens and a block of columns it sums 2^(score - top) X over the keys, blends, and
stores the squared norms of its columns. Only columns that are measured are stored themselves.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from skewbench.stability.kernel import LOG2_E, Pair, tiles_of


@triton.jit
def _norms_kernel(  # type: ignore[no-untyped-def]
    q, k, x, alpha, beta, tops, sums, squares, xi,
    q_row, q_head, q_token, k_row, k_head, k_token, x_row, x_token, xi_row, xi_head, xi_token,
    heads, tokens, scale,
    WIDTH: tl.constexpr, COLUMNS: tl.constexpr, KEPT: tl.constexpr, EVEN: tl.constexpr,
    TOKENS_TILE: tl.constexpr, KEYS_TILE: tl.constexpr, WIDTH_TILE: tl.constexpr, COLUMNS_TILE: tl.constexpr,
):  # fmt: skip
    # blocks of columns first: programs that run at the same time read the same keys
    block, pair = tl.program_id(0), tl.program_id(2).to(tl.int64)
    row, head = pair // heads, pair % heads
    t = tl.program_id(1) * TOKENS_TILE + tl.arange(0, TOKENS_TILE)
    n = tl.arange(0, KEYS_TILE)
    d = tl.arange(0, WIDTH_TILE)
    c = block * COLUMNS_TILE + tl.arange(0, COLUMNS_TILE)
    q += row * q_row + head * q_head
    k += row * k_row + head * k_head
    x += row * x_row
    here = t < tokens
    mine = here[:, None] & (d[None, :] < WIDTH)
    my_q = tl.load(q + t[:, None] * q_token + d[None, :], mask=mine, other=0.0)
    my_k = tl.load(k + t[:, None] * k_token + d[None, :], mask=mine, other=0.0)
    side = tl.num_programs(2).to(tl.int64) * tokens
    own = pair * tokens + t
    top_plain = tl.load(tops + own, mask=here, other=0.0)[:, None]
    top_skew = tl.load(tops + side + own, mask=here, other=0.0)[:, None]
    a, b = tl.load(alpha + row), tl.load(beta + row)
    log2_scale = scale * LOG2_E
    c1, c2 = log2_scale * (1 + a) / 2, log2_scale * (1 - a) / 2

    xi_plain = tl.zeros([TOKENS_TILE, COLUMNS_TILE], tl.float32)
    xi_skew = tl.zeros([TOKENS_TILE, COLUMNS_TILE], tl.float32)
    for start in range(0, tokens, KEYS_TILE):
        key = start + n
        there = key < tokens
        its = d[:, None] < WIDTH
        value_there = c[None, :] < COLUMNS
        if not EVEN:
            its = its & there[None, :]
            value_there = value_there & there[:, None]
        its_k = tl.load(k + key[None, :] * k_token + d[:, None], mask=its, other=0.0)
        its_q = tl.load(q + key[None, :] * q_token + d[:, None], mask=its, other=0.0)
        value = tl.load(x + key[:, None] * x_token + c[None, :], mask=value_there, other=0.0)
        qk = tl.dot(my_q, its_k, input_precision="ieee")
        kq = tl.dot(my_k, its_q, input_precision="ieee")
        plain = log2_scale * qk - top_plain
        skew = c1 * qk + c2 * kq - top_skew
        if not EVEN:
            plain = tl.where(there[None, :], plain, float("-inf"))
            skew = tl.where(there[None, :], skew, float("-inf"))
        xi_plain += tl.dot(tl.exp2(plain).to(value.dtype), value, input_precision="ieee")
        xi_skew += tl.dot(tl.exp2(skew).to(value.dtype), value, input_precision="ieee")

    xi_plain /= tl.load(sums + own, mask=here, other=1.0)[:, None]
    xi_skew /= tl.load(sums + side + own, mask=here, other=1.0)[:, None]
    xi_beta = xi_plain + b * (xi_skew - xi_plain)
    squares += block * 2 * side
    tl.store(squares + own, tl.sum(xi_skew * xi_skew, 1), mask=here)
    tl.store(squares + side + own, tl.sum(xi_beta * xi_beta, 1), mask=here)
    if KEPT:
        at = row * xi_row + head * xi_head + t[:, None] * xi_token + c[None, :]
        tl.store(xi + at, xi_beta, mask=here[:, None] & (c[None, :] < COLUMNS))


def norms(
    q: Tensor, k: Tensor, x: Tensor, alpha: Tensor, beta: Tensor, pair: Pair, scale: float, kept: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compute |Xi_alpha|^2 and |Xi_beta|^2 of each token over the features of X.

    The last axis of q, k and x must be contiguous.

    Args:
        q: Queries of the softmax (B, H, L, d).
        k: As `q`.
        x: The features (B, L, C).
        alpha: Factor of the skew-symmetric part, by row (B,).
        beta: Strength of the blend, by row (B,).
        pair: The result of `kernel.pair` for the same q, k, alpha and scale.
        scale: Factor of the logits.
        kept: Whether Xi_beta is returned too.

    Returns:
        |Xi_alpha|^2 and |Xi_beta|^2, float32 (B, H, L, 1), and Xi_beta (B, H, L, C) or None.
    """
    rows, heads, tokens, width = q.shape
    columns = x.shape[-1]
    tiles = _tiles(width, columns, q.dtype)
    blocks = triton.cdiv(columns, tiles["COLUMNS_TILE"])
    squares = torch.empty(blocks, 2, rows, heads, tokens, dtype=torch.float32, device=q.device)
    xi = torch.empty(rows, heads, tokens, columns, dtype=torch.float32, device=q.device) if kept else None
    written = squares if xi is None else xi
    even = tokens % tiles["KEYS_TILE"] == 0
    grid = (blocks, triton.cdiv(tokens, tiles["TOKENS_TILE"]), rows * heads)
    _norms_kernel[grid](
        q, k, x, alpha, beta, pair.tops, pair.sums, squares, written,
        *q.stride()[:3], *k.stride()[:3], *x.stride()[:2], *written.stride()[:3],
        heads, tokens, scale, width, columns, kept, even, **tiles,
    )  # fmt: skip
    of_alpha, of_beta = squares.sum(dim=0)[..., None]
    return of_alpha, of_beta, xi


def _tiles(width: int, columns: int, dtype: torch.dtype) -> dict[str, int]:
    """Choose the tiles' sizes, and warps and stages that fit the registers and the shared memory of a Hopper GPU."""
    small = dtype == torch.float32
    launch = {"num_warps": 4, "num_stages": 2} if small else {"num_warps": 8, "num_stages": 3}
    return tiles_of(width, columns, dtype, widest=256) | launch
