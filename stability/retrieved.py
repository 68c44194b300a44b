"""Computes the measures of the retrieval that leaves a layer and, if it is rescaled, the output or the ratio."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from skewbench.stability.measures import Measures, measure, upcast
from skewbench.stability.rescaled import Columns, Rescaled, by_blocks, by_gram, by_kernel, gives_heads, largest, way_of
from skewbench.stability.retrieval import budget_of, retrieval, slices
from skewbench.stability.softmax import SoftmaxCall


class Retrieved(NamedTuple):
    """The requested results of the C-wide retrieval that leaves the layer."""

    means: Float[Tensor, "measures B H"] | None = None
    """The fields of `Measures`, means over the columns."""
    ratio: Float[Tensor, "B H L 1"] | None = None
    heads: Float[Tensor, "B H L d"] | None = None
    """Xi_out Wv', without a bias; in place of the ratio."""
    text_mass: Float[Tensor, "B H"] | None = None
    """The share of attention on text, mean over the image tokens; None without text."""


def stability_and_heads(
    call: SoftmaxCall,
    q: Float[Tensor, "B H L d"],
    k: Float[Tensor, "B H L d"],
    columns: Columns | None,
    weight: Float[Tensor, "H C d"] | None = None,
) -> Retrieved:
    """Compute the measures of the layer's retrieval and, if its norms are exact, the heads' output or the ratio.

    The output is Xi_out Wv'. Without `weight`, or if the method does not give the output, the ratio for `skew_heads` is
    returned instead. The work is done in tiles of rows and heads, so that no temporary exceeds BUDGET elements.

    Args:
        call: The call whose retrieval leaves the layer.
        q: The layer's own queries. The measures use their M_sym, even if the call has other queries.
        k: As `q`.
        columns: Feature columns to measure; None: no measures.
        weight: The value projection by head.
    """
    blend = call.blend
    rescale = blend is not None and blend.rescale and blend.sketch is None
    if columns is None and not rescale:
        return Retrieved()
    if columns is not None and not rescale:
        call, columns = call._replace(x=call.x[..., columns]), slice(None)  # only a ratio needs all the features
    rows, heads, length = q.shape[:3]
    empty = upcast(q.new_empty(0))[0].new_empty
    means = None if columns is None else empty(len(Measures._fields), rows, heads)
    mass = None if columns is None or call.text is None else empty(rows, heads).zero_()  # no text has no mass
    ratio = empty(rows, heads, length, 1) if rescale else None
    output = None
    if rescale and weight is not None and gives_heads(call):
        output, ratio = call.x.new_empty(rows, heads, length, weight.shape[-1]), None
    way = way_of(call) if rescale else "retrieval"
    for b, h in _tiles(rows, heads, largest(way, call), budget_of(q)):
        tile = call.tile(b, h)
        if way == "gram":
            found = by_gram(tile, columns, None if weight is None else weight[h])
        elif way == "blocks":
            found = by_blocks(tile, columns)
        elif way == "kernel":
            found = by_kernel(tile, columns, None if weight is None else weight[h])
        else:
            found = _by_retrieval(tile, columns, None if weight is None or not rescale else weight[h])
        if ratio is not None and found.ratio is not None:
            ratio[b, h] = found.ratio
        if output is not None and found.heads is not None:
            output[b, h] = found.heads
        if means is not None and found.xi is not None:
            means[:, b, h] = torch.stack(measure(found.xi, q[b, h], k[b, h], tile.tokens)).mean(dim=-1)
        if mass is not None and found.text_mass is not None:
            mass[b, h] = _mean(found.text_mass, tile.tokens)
    return Retrieved(means, ratio, output, mass)


def _mean(values: Float[Tensor, "B H L"], tokens: Float[Tensor, "B L"] | None) -> Float[Tensor, "B H"]:
    """Average over the tokens that count."""
    if tokens is None:
        return values.mean(dim=-1)
    return (values * tokens[:, None]).sum(dim=-1) / tokens.sum(dim=-1)[:, None]


def _tiles(rows: int, heads: int, each: int, budget: int) -> Iterator[tuple[slice, slice]]:
    """Yield tiles of rows and heads, `each` elements a pair: whole rows if one fits the budget, else heads of one."""
    for row in _even(rows, budget // (heads * each)):
        for head in _even(heads, budget // each):
            yield row, head


def _even(n: int, most: int) -> Iterator[slice]:
    """Yield slices of nearly equal length, because a short last one costs as many calls as a long one."""
    count = max(1, -(-n // max(1, most)))  # nothing has no slices, as in `slices`
    return slices(n, -(-n // count))


def _by_retrieval(call: SoftmaxCall, columns: Columns | None, weight: Float[Tensor, "H C d"] | None) -> Rescaled:
    """Compute all from Xi_out over all the features of the call."""
    found = retrieval(call)
    return Rescaled(
        None if columns is None else found.xi[..., columns],
        found.ratio,
        None if weight is None else found.xi.to(call.x.dtype) @ weight,
        found.text_mass,
    )
