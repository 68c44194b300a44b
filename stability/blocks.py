"""The self-attentions of a model, by the paper's numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from diffusers.models.attention_processor import Attention
from torch import nn

from skewbench.stability.knobs import Blocks

STAGES = ("down", "mid", "up", "none")
"""In the order of the numbers. "none": an attention outside of down_blocks, mid_block and up_blocks."""

_STAGE_OF = {"down_blocks": "down", "mid_block": "mid", "up_blocks": "up"}


@dataclass(frozen=True)
class Block:
    """A self-attention: its number, its dotted name in the model, its stage, heads H and feature width C."""

    number: int
    name: str
    stage: str
    heads: int
    width: int


def self_attention_blocks(model: nn.Module) -> list[Block]:
    """The model's self-attentions in the order of their numbers.

    All of diffusers' `Attention` modules count, cross-attentions too, in the order down, mid, up, none and within a
    stage as the model registers them: by block, attention, transformer block, attn1 before attn2. SDXL has 140: down
    0-47, mid 48-67, up 68-139, the self-attentions on even numbers. In an AutoencoderKL the encoder's middle is 0 and
    the decoder's 1, both of stage "mid". A transformer is of stage "none" throughout; a lone layer is 0, "attention".
    """
    return [block for block, _ in numbered(model)]


def numbered(model: nn.Module) -> list[tuple[Block, Attention]]:
    """As `self_attention_blocks`, each with its module."""
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, Attention)]
    found.sort(key=lambda pair: STAGES.index(_stage(pair[0])))  # stable: the model's own order within a stage
    return [
        (Block(number, name or "attention", _stage(name), layer.heads, layer.query_dim), layer)
        for number, (name, layer) in enumerate(found)
        if not layer.is_cross_attention
    ]


def select(blocks: Sequence[Block], spec: Blocks) -> list[Block]:
    """The blocks of `spec`: "all", a stage, a number, a regex searched for in the names, or a sequence of those.

    A word that is a stage means the stage. Raises ValueError, with the names that exist, where any item of `spec`
    matches nothing.
    """
    chosen: set[Block] = set()
    for item in [spec] if isinstance(spec, str | int) else spec:
        matched = [block for block in blocks if _matches(block, item)]
        if not matched:
            names = ", ".join(f"{block.number} {block.name} ({block.stage})" for block in blocks)
            raise ValueError(f"blocks={item!r} matches no self-attention; there are: {names or 'none'}")
        chosen.update(matched)
    return [block for block in blocks if block in chosen]


def _stage(name: str) -> str:
    return next((_STAGE_OF[part] for part in name.split(".") if part in _STAGE_OF), "none")


def _matches(block: Block, item: str | int) -> bool:
    if item == "all":
        return True
    if isinstance(item, int):
        return block.number == item
    if item in STAGES:
        return block.stage == item
    return re.search(item, block.name) is not None
