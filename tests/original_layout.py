"""Writes a diffusers pipeline of Stable Diffusion 1.x or XL as one file in the layout of its authors."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import DIFFUSERS_TO_LDM_MAPPING
from safetensors.torch import save_file

Tensors = Mapping[str, torch.Tensor]
RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def save_one_file(pipeline: Any, file: Path, second_version: bool = False) -> Path:
    """Write all weights of a pipeline into one file.

    Args:
        pipeline: A StableDiffusionPipeline or StableDiffusionXLPipeline.
        file: Where to.
        second_version: Whether it is written as Stable Diffusion 2.x, whose text encoder has OpenCLIP's names.
    """
    weights = {f"model.diffusion_model.{name}": one for name, one in _unet(pipeline.unet).items()}
    weights |= {f"first_stage_model.{name}": one for name, one in _vae(pipeline.vae).items()}
    first = {f"text_model.{name.removeprefix('text_model.')}": one for name, one in _state(pipeline.text_encoder)}
    if second_version:
        projection = {"text_projection.weight": torch.zeros(2 * (pipeline.text_encoder.config.hidden_size,))}
        weights |= {f"cond_stage_model.model.{name}": one for name, one in _open_clip({**first, **projection}).items()}
    elif getattr(pipeline, "text_encoder_2", None) is None:
        weights |= {f"cond_stage_model.transformer.{name}": one for name, one in first.items()}
    else:
        weights |= {f"conditioner.embedders.0.transformer.{name}": one for name, one in first.items()}
        second = _open_clip(dict(_state(pipeline.text_encoder_2)))
        weights |= {f"conditioner.embedders.1.model.{name}": one for name, one in second.items()}
    save_file({name: one.contiguous() for name, one in weights.items()}, file)
    return file


def _state(model: Any) -> Any:
    return model.state_dict().items()


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for new, old in names.items():
        name = name.replace(f"{new}.", f"{old}.", 1)
    return name


def _unet(unet: Any) -> Tensors:
    groups = DIFFUSERS_TO_LDM_MAPPING["unet"]
    fixed, layers = {**groups["layers"], **groups["addition_embed_type"]}, unet.config.layers_per_block + 1
    attends = [bool(getattr(block, "attentions", None)) for block in unet.up_blocks]

    def original(name: str) -> str:
        if name in fixed:
            return str(fixed[name])
        place, block, kind, layer, rest = re.fullmatch(  # type: ignore[union-attr]
            r"(down_blocks|up_blocks|mid_block)(?:\.(\d+))?\.(\w+)\.(\d+)\.(.*)", name
        ).groups()
        rest = _renamed(rest, RESNET) if kind == "resnets" else rest
        number = int(block or 0) * layers + int(layer)
        if place == "mid_block":
            return f"middle_block.{2 * int(layer) + (kind == 'attentions')}.{rest}"
        if kind == "downsamplers":
            return f"input_blocks.{(int(block) + 1) * layers}.0.{rest.replace('conv', 'op')}"
        if kind == "upsamplers":
            return f"output_blocks.{(int(block) + 1) * layers - 1}.{1 + attends[int(block)]}.{rest}"
        blocks = "input_blocks" if place == "down_blocks" else "output_blocks"
        return f"{blocks}.{number + (place == 'down_blocks')}.{int(kind == 'attentions')}.{rest}"

    return {original(name): one for name, one in _state(unet)}


def _vae(vae: Any) -> Tensors:
    fixed, last = DIFFUSERS_TO_LDM_MAPPING["vae"], len(vae.config.block_out_channels) - 1

    def original(name: str) -> str:
        if name in fixed:
            return str(fixed[name])
        half, name = name.split(".", 1)
        name = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{last - int(found[1])}", name)
        name = re.sub(r"down_blocks\.(\d+)", r"down.\1", name)
        name = re.sub(r"mid_block\.resnets\.(\d+)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
        if "mid_block.attentions.0." in name:
            name = _renamed(name.replace("mid_block.attentions.0", "mid.attn_1"), VAE_ATTENTION)
        name = re.sub(r"(down|up)samplers\.0", r"\1sample", name).replace(".resnets.", ".block.")
        return f"{half}.{name.replace('conv_shortcut', 'nin_shortcut')}"

    made = {original(name): one for name, one in _state(vae)}
    return {  # the authors' attention is of convolutions
        name: one[..., None, None] if "attn_1" in name and one.ndim == 2 else one for name, one in made.items()
    }


def _open_clip(state: dict[str, torch.Tensor]) -> Tensors:
    names = DIFFUSERS_TO_LDM_MAPPING["openclip"]
    made = {}
    for name, one in state.items():
        if name in names["layers"]:
            made[names["layers"][name]] = one.T if name == "text_projection.weight" else one
        elif found := re.fullmatch(r"(.*self_attn)\.q_proj\.(weight|bias)", name):
            whole = torch.cat([state[f"{found[1]}.{letter}_proj.{found[2]}"] for letter in "qkv"])
            made[f"transformer.{_of_layers(found[1])}.in_proj_{found[2]}"] = whole
        elif not re.search(r"self_attn\.[kv]_proj", name):
            made[f"transformer.{_of_layers(name)}"] = one
    return made


def _of_layers(name: str) -> str:
    pairs = {
        "text_model.encoder.layers.": "resblocks.", "layer_norm": "ln_", ".fc1.": ".c_fc.", ".fc2.": ".c_proj.",
        ".self_attn": ".attn",
    }  # fmt: skip
    for new, old in pairs.items():
        name = name.replace(new, old)
    return name
