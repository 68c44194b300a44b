"""Numbers the self-attentions of a model as the paper does."""

from diffusers.models.attention_processor import Attention
from torch import nn

from skewbench.stability.blocks import STAGES, Block

_STAGE_OF = {"down_blocks": "down", "mid_block": "mid", "up_blocks": "up"}


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


def _stage(name: str) -> str:
    return next((_STAGE_OF[part] for part in name.split(".") if part in _STAGE_OF), "none")
