"""The attention layers of a model: which are self-attentions, and their numbers."""

from typing import Any, NamedTuple

from diffusers.models.attention import AttentionModuleMixin
from diffusers.models.attention_processor import Attention, MochiAttention, SanaLinearAttnProcessor2_0
from torch import nn

from skewbench.stability.blocks import Block
from skewbench.vocabulary.stages import STAGES, TRANSFORMER, UNET

_STAGE_OF = dict(zip(("down_blocks", "mid_block", "up_blocks"), UNET, strict=True))
_TEXT_ALONE = ("context_refiner", "token_refiner")
"""Parts of a denoiser that see only text tokens; they are not blocks of the image."""


class Site(NamedTuple):
    """A self-attention with its module."""

    block: Block
    layer: nn.Module


def self_attention_blocks(model: nn.Module) -> list[Block]:
    """List the model's self-attentions in the order of their numbers.

    In a UNet all attention layers count, cross-attentions too, in the order down, mid, up, none and within a stage as
    the model registers them: by block, attention, transformer block, attn1 before attn2. SDXL has 140: down 0-47, mid
    48-67, up 68-139, the self-attentions on even numbers. In an AutoencoderKL the encoder's middle is 0 and the
    decoder's 1, both of stage "mid". In a transformer only self-attentions are numbered, by depth; its stages are
    thirds of them: early, middle, late. A lone layer is 0, "attention", of stage "none".

    Args:
        model: Any module with attention layers of diffusers in it, or such a layer itself.

    Returns:
        A block for each layer in which image tokens attend to image tokens; text may be among the keys.
    """
    return [site.block for site in sites(model)]


def sites(model: nn.Module) -> list[Site]:
    """List the model's self-attentions as `self_attention_blocks` does, each with its module.

    Args:
        model: Any module with attention layers of diffusers in it.
    """
    found = [(name, module) for name, module in model.named_modules() if _is_attention(module)]
    without_text = _is_called_without_text(model)
    if not any(_stage(name) for name, _ in found) and any(name for name, _ in found):
        own = [(name, layer) for name, layer in found if _is_self(name, layer, without_text)]
        return [
            Site(_block(number, name, TRANSFORMER[3 * number // len(own)], layer), layer)
            for number, (name, layer) in enumerate(own)
        ]
    staged = [(name, layer, _stage(name) or "none") for name, layer in found]
    staged.sort(key=lambda each: STAGES.index(each[2]))  # stable: the model's own order within a stage
    return [
        Site(_block(number, name, stage, layer), layer)
        for number, (name, layer, stage) in enumerate(staged)
        if _is_self(name, layer, without_text)
    ]


def _is_attention(module: nn.Module) -> bool:
    known = isinstance(module, Attention | AttentionModuleMixin | MochiAttention)
    return known and (hasattr(module, "to_q") or hasattr(module, "to_qkv"))


def _is_self(name: str, layer: Any, without_text: bool) -> bool:
    """Whether the layer declares itself as self-attention. A layer that is called otherwise is detected at its call."""
    if any(part in name.split(".") for part in _TEXT_ALONE):
        return False
    if without_text:
        return True
    if isinstance(layer, Attention) and layer.added_kv_proj_dim is not None:  # text keys beside the image's
        return not layer.only_cross_attention
    return not getattr(layer, "is_cross_attention", False)


def _is_called_without_text(model: nn.Module) -> bool:
    """Whether text reaches the model in another way, so its cross-attentions attend to the image, as in AudioLDM."""
    return getattr(getattr(model, "config", None), "class_embed_type", None) == "simple_projection"


def _block(number: int, name: str, stage: str, layer: Any) -> Block:
    projection = layer.to_v if hasattr(layer, "to_v") else layer.to_qkv
    linear = (module for module in projection.modules() if hasattr(module, "in_features"))  # an adapter may not say
    width = next((int(module.in_features) for module in linear), None) or layer.query_dim
    return Block(number, name or "attention", stage, layer.heads, width, _is_linear(layer))


def _is_linear(layer: Any) -> bool:
    """Whether a layer's processor is one of linear attention that is known here."""
    return isinstance(getattr(layer, "processor", None), SanaLinearAttnProcessor2_0)


def _stage(name: str) -> str | None:
    return next((_STAGE_OF[part] for part in name.split(".") if part in _STAGE_OF), None)
