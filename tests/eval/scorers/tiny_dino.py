"""DINO with DreamSim's adapter at the smallest size, with seeded random weights under the published names."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from skewbench.eval.features.dreamsim import ADAPTER, BACKBONE

TINY: dict[str, Any] = {
    "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 224, "patch_size": 16,
}  # fmt: skip
RANK, ALPHA = 4, 8.0
CONFIG: dict[str, Any] = {
    "alpha_pattern": {},
    "auto_mapping": {"base_model_class": "PerceptualModel", "parent_library": "dreamsim.model"},
    "base_model_name_or_path": None,
    "bias": "none",
    "fan_in_fan_out": False,
    "inference_mode": True,
    "lora_alpha": ALPHA,
    "lora_dropout": 0.2,
    "modules_to_save": None,
    "peft_type": "LORA",
    "r": RANK,
    "rank_pattern": {},
    "target_modules": ["qkv"],
    "task_type": None,
    "use_dora": False,
    "use_rslora": False,
}
"""`adapter_config.json` as published, with small sizes and without the fields that have no effect here."""


def dino_state(sizes: dict[str, Any] = TINY) -> dict[str, Tensor]:
    """Random weights under the names of DINO's checkpoint."""
    wide, inner, side = sizes["hidden_size"], sizes["intermediate_size"], sizes["patch_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, wide),
        "pos_embed": (1, 1 + (sizes["image_size"] // side) ** 2, wide),
        "patch_embed.proj.weight": (wide, 3, side, side),
        "patch_embed.proj.bias": (wide,),
        "norm.weight": (wide,),
        "norm.bias": (wide,),
    }
    for layer in range(sizes["num_hidden_layers"]):
        for name, into, out in (
            ("attn.qkv", wide, 3 * wide), ("attn.proj", wide, wide), ("mlp.fc1", wide, inner), ("mlp.fc2", inner, wide)
        ):  # fmt: skip
            shapes |= {f"blocks.{layer}.{name}.weight": (out, into), f"blocks.{layer}.{name}.bias": (out,)}
        for name in ("norm1", "norm2"):
            shapes |= {f"blocks.{layer}.{name}.{kind}": (wide,) for kind in ("weight", "bias")}
    generator = torch.Generator().manual_seed(0)
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def adapter_state(sizes: dict[str, Any] = TINY) -> dict[str, Tensor]:
    """Random weights under the names of DreamSim's adapter."""
    generator, wide = torch.Generator().manual_seed(1), sizes["hidden_size"]
    return {
        f"base_model.model.extractor_list.0.model.blocks.{layer}.attn.qkv.lora_{side}.weight": 0.3
        * torch.randn(shape, generator=generator)
        for layer in range(sizes["num_hidden_layers"])
        for side, shape in (("A", (RANK, wide)), ("B", (3 * wide, RANK)))
    }


def save_dreamsim(folder: Path, sizes: dict[str, Any] = TINY) -> Path:
    """Write a folder as that of DreamSim's weights."""
    for path in (folder / BACKBONE, folder / ADAPTER / "adapter_config.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dino_state(sizes), folder / BACKBONE)
    (folder / ADAPTER / "adapter_config.json").write_text(json.dumps(CONFIG))
    save_file(adapter_state(sizes), folder / ADAPTER / "adapter_model.safetensors")
    return folder
