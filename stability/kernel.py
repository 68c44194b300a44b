"""Plain and skewed softmax in one pass over the keys, as a Triton kernel. Imports Triton: only `fused` may.

A program has a tile of tokens of one row and head, and a block of value columns. It goes over the keys' tiles once and
keeps two running maxima, two sums and two results, as FlashAttention keeps one of each (Dao et al. 2022). Both
softmaxes come from the same two products, q k' and k q', of which plain attention needs the first alone.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

LOG2_E = tl.constexpr(1.4426950408889634)


class Pair(NamedTuple):
    """Plain and skewed attention, float32 (B, H, L, W), and what their softmaxes were divided by."""

    plain: Tensor
    skew: Tensor
    """Without `alpha`, plain attention again."""
    tops: Tensor
    """The largest score in base 2 of each query, plain and skewed (2, B, H, L); without `alpha` (1, B, H, L)."""
    sums: Tensor
    """The sum of 2^(score - top) over the keys, as `tops`."""


@triton.jit
def _take_in(scores, value, top, total, xi):  # type: ignore[no-untyped-def]
    """Update a softmax by one more tile of keys: its running maximum, sum and result. Scores are in base 2."""
    above = tl.maximum(top, tl.max(scores, 1))
    p = tl.exp2(scores - above[:, None])
    shrunk = tl.exp2(top - above)
    xi = xi * shrunk[:, None] + tl.dot(p.to(value.dtype), value, input_precision="ieee")
    return above, total * shrunk + tl.sum(p, 1), xi


@triton.jit
def _pair_kernel(  # type: ignore[no-untyped-def]
    q, k, values, alpha, plain, skew, tops, sums,
    q_row, q_head, q_token, k_row, k_head, k_token, v_row, v_head, v_token, o_row, o_head, o_token,
    heads, tokens, scale,
    WIDTH: tl.constexpr, COLUMNS: tl.constexpr, SKEWED: tl.constexpr,
    TOKENS_TILE: tl.constexpr, KEYS_TILE: tl.constexpr, WIDTH_TILE: tl.constexpr, COLUMNS_TILE: tl.constexpr,
):  # fmt: skip
    row, head = (tl.program_id(1) // heads).to(tl.int64), (tl.program_id(1) % heads).to(tl.int64)
    t = tl.program_id(0) * TOKENS_TILE + tl.arange(0, TOKENS_TILE)
    n = tl.arange(0, KEYS_TILE)
    d = tl.arange(0, WIDTH_TILE)
    c = tl.program_id(2) * COLUMNS_TILE + tl.arange(0, COLUMNS_TILE)
    q += row * q_row + head * q_head
    k += row * k_row + head * k_head
    values += row * v_row + head * v_head
    mine = (t[:, None] < tokens) & (d[None, :] < WIDTH)
    my_q = tl.load(q + t[:, None] * q_token + d[None, :], mask=mine, other=0.0)
    # base 2 throughout: its exponential is the hardware's own
    log2_scale = scale * LOG2_E
    side = tl.num_programs(1).to(tl.int64) * tokens
    own_row = tl.program_id(1).to(tl.int64) * tokens + t
    first = t < tl.where(tl.program_id(2) == 0, tokens, 0)  # one program of a tile stores its sums

    max_plain = tl.full([TOKENS_TILE], float("-inf"), tl.float32)
    sum_plain = tl.zeros([TOKENS_TILE], tl.float32)
    xi_plain = tl.zeros([TOKENS_TILE, COLUMNS_TILE], tl.float32)
    if SKEWED:
        my_k = tl.load(k + t[:, None] * k_token + d[None, :], mask=mine, other=0.0)
        a = tl.load(alpha + row)
        c1, c2 = log2_scale * (1 + a) / 2, log2_scale * (1 - a) / 2
        max_skew = tl.full([TOKENS_TILE], float("-inf"), tl.float32)
        sum_skew = tl.zeros([TOKENS_TILE], tl.float32)
        xi_skew = tl.zeros([TOKENS_TILE, COLUMNS_TILE], tl.float32)

    for start in range(0, tokens, KEYS_TILE):
        key = start + n
        there = key < tokens
        its = there[None, :] & (d[:, None] < WIDTH)
        its_k = tl.load(k + key[None, :] * k_token + d[:, None], mask=its, other=0.0)
        value = tl.load(
            values + key[:, None] * v_token + c[None, :], mask=there[:, None] & (c[None, :] < COLUMNS), other=0.0
        )
        qk = tl.dot(my_q, its_k, input_precision="ieee")
        scores = tl.where(there[None, :], log2_scale * qk, float("-inf"))
        max_plain, sum_plain, xi_plain = _take_in(scores, value, max_plain, sum_plain, xi_plain)
        if SKEWED:
            its_q = tl.load(q + key[None, :] * q_token + d[:, None], mask=its, other=0.0)
            kq = tl.dot(my_k, its_q, input_precision="ieee")
            scores = tl.where(there[None, :], c1 * qk + c2 * kq, float("-inf"))
            max_skew, sum_skew, xi_skew = _take_in(scores, value, max_skew, sum_skew, xi_skew)

    at = row * o_row + head * o_head + t[:, None] * o_token + c[None, :]
    mine = (t[:, None] < tokens) & (c[None, :] < COLUMNS)
    tl.store(plain + at, xi_plain / sum_plain[:, None], mask=mine)
    tl.store(tops + own_row, max_plain, mask=first)
    tl.store(sums + own_row, sum_plain, mask=first)
    if SKEWED:
        tl.store(skew + at, xi_skew / sum_skew[:, None], mask=mine)
        tl.store(tops + side + own_row, max_skew, mask=first)
        tl.store(sums + side + own_row, sum_skew, mask=first)


def pair(q: Tensor, k: Tensor, values: Tensor, alpha: Tensor | None, scale: float) -> Pair:
    """Compute softmax(scale M) values and softmax(scale (M_sym + alpha M_skew)) values, with M = q k'.

    The last axis of q, k and values must be contiguous.

    Args:
        q: Queries of the softmax (B, H, L, d).
        k: As `q`.
        values: The values that the weights average (B, H, L, W). All heads may share them, by a stride of 0.
        alpha: Factor of the skew-symmetric part, by row (B,); None: only plain attention is computed.
        scale: Factor of the logits.
    """
    rows, heads, tokens, width = q.shape
    columns = values.shape[-1]
    plain = torch.empty(rows, heads, tokens, columns, dtype=torch.float32, device=q.device)
    skew = plain if alpha is None else torch.empty_like(plain)
    tops = torch.empty(1 if alpha is None else 2, rows, heads, tokens, dtype=torch.float32, device=q.device)
    sums = torch.empty_like(tops)
    tiles = tiles_of(width, columns, q.dtype)
    grid = (triton.cdiv(tokens, tiles["TOKENS_TILE"]), rows * heads, triton.cdiv(columns, tiles["COLUMNS_TILE"]))
    _pair_kernel[grid](
        q, k, values, plain if alpha is None else alpha, plain, skew, tops, sums,
        *q.stride()[:3], *k.stride()[:3], *values.stride()[:3], *plain.stride()[:3],
        heads, tokens, scale, width, columns, alpha is not None, **tiles,
    )  # fmt: skip
    return Pair(plain, skew, tops, sums)


def tiles_of(width: int, columns: int, dtype: torch.dtype, widest: int = 128) -> dict[str, Any]:
    """Choose the tiles' sizes: powers of 2 from 16 on, as `tl.dot` needs; smaller for float32, to fit shared memory.

    Args:
        width: Width of a head.
        columns: Columns of the values.
        dtype: Number format of queries, keys and values.
        widest: Columns of the values that a tile may have in half precision.
    """
    small = dtype == torch.float32
    return {
        "TOKENS_TILE": 32 if small else 64,
        "KEYS_TILE": 32 if small else 64,
        "WIDTH_TILE": max(16, triton.next_power_of_2(width)),
        "COLUMNS_TILE": min(64 if small else widest, max(16, triton.next_power_of_2(columns))),
    }
