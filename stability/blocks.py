"""A self-attention block of a model, and which blocks a selection means. Imports neither torch nor diffusers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from skewbench.stability.knobs.fields import Blocks, Heads
from skewbench.vocabulary.stages import STAGES


@dataclass(frozen=True)
class Block:
    """A self-attention: its number, its dotted name in the model, its stage, heads H and feature width C.

    `linear`: its weights are no softmax, so it is measured and takes no knob.
    """

    number: int
    name: str
    stage: str
    heads: int
    width: int
    linear: bool = False


def select(blocks: Sequence[Block], spec: Blocks) -> list[Block]:
    """Select blocks of a model.

    A word that is a stage means the stage, and digits mean the number.

    Args:
        blocks: All blocks of the model.
        spec: "all", a stage, a number, a regex searched for in the names, or a sequence of those.

    Returns:
        The selected blocks, in the order of `blocks`.

    Raises:
        ValueError: An item of `spec` matches nothing. The message lists the blocks that exist.
    """
    chosen: set[Block] = set()
    for item in [spec] if isinstance(spec, str | int) else spec:
        matched = [block for block in blocks if _matches(block, item)]
        if not matched:
            names = ", ".join(f"{block.number} {block.name} ({block.stage})" for block in blocks)
            raise ValueError(f"blocks={item!r} matches no self-attention; there are: {names or 'none'}")
        chosen.update(matched)
    return [block for block in blocks if block in chosen]


def check_heads(blocks: Sequence[Block], heads: Heads) -> None:
    """Check that each block has the heads.

    Args:
        blocks: The blocks that a knob acts on.
        heads: Numbers of the heads, from 0, or a word for all of them.

    Raises:
        ValueError: A block has fewer heads.
    """
    if isinstance(heads, str):
        return
    for block in blocks:
        if max(heads) >= block.heads:
            raise ValueError(
                f"heads={heads}: block {block.number} {block.name} has {block.heads} heads, from 0 to {block.heads - 1}"
            )


def check_softmax(blocks: Sequence[Block]) -> None:
    """Check that a knob can act on all of some blocks.

    Args:
        blocks: The blocks.

    Raises:
        ValueError: One of them has linear attention, which has no softmax.
    """
    if linear := [block.name for block in blocks if block.linear]:
        raise ValueError(
            f"{linear[0]} has linear attention, which has no softmax that a knob could change; kind vanilla measures it"
        )


def _matches(block: Block, item: str | int) -> bool:
    if item == "all":
        return True
    if isinstance(item, int) or item.isdecimal():
        return block.number == int(item)
    if item in STAGES:
        return block.stage == item
    return re.search(item, block.name) is not None
