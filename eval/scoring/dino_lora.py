"""DINO's ViT-B/16 with a LoRA adapter merged into it: transformers' ViT, and the published files.

Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021. Hu et al., "LoRA: low-rank
adaptation of large language models", ICLR 2022.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from torch import Tensor, nn

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.eval.scoring.checkpoint import fill, read_tensors
from skewbench.eval.weights import BadWeights

VIT_B_16: dict[str, Any] = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "image_size": 224, "patch_size": 16,
}  # fmt: skip
"""Sizes of DINO's ViT-B/16."""
_EPSILON = 1e-6  # of DINO's code; the configuration of `facebook/dino-vitb16` on the Hub says 1e-12
_ADAPTED = "base_model.model.extractor_list.0.model."
"""Prefix of the adapter's names: peft's, then the attribute of DreamSim's model that holds DINO."""
_RENAMED = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj.": "embeddings.patch_embeddings.projection.",
    "blocks.": "layers.",
    "norm.": "layernorm.",
}
"""Prefixes of DINO's names -> prefixes in transformers' ViT."""
_INSIDE = {".norm1.": ".layernorm_before.", ".norm2.": ".layernorm_after.", ".attn.proj.": ".attention.o_proj."}


class Adapter(BaseModel):
    """What is read of `adapter_config.json`: plain LoRA on the layers `qkv`. Other variants of LoRA are refused."""

    peft_type: Literal["LORA"]
    target_modules: tuple[Literal["qkv"]]
    r: int = Field(gt=0)
    lora_alpha: float
    bias: Literal["none"] = "none"
    fan_in_fan_out: Literal[False] = False
    use_dora: Literal[False] = False
    use_rslora: Literal[False] = False
    rank_pattern: dict[str, int] = Field(default={}, max_length=0)
    alpha_pattern: dict[str, float] = Field(default={}, max_length=0)
    modules_to_save: None = None


def load(backbone: Path, adapter: Path, sizes: dict[str, Any]) -> nn.Module:
    """Load the network.

    Args:
        backbone: DINO's checkpoint under its authors' names.
        adapter: peft's folder, with `adapter_config.json` and `adapter_model.safetensors`.
        sizes: Sizes of the network, such as `VIT_B_16`.

    Returns:
        transformers' `ViTModel` in float32 without its last normalisation, so that its `last_hidden_state` is what
        DINO's last block returns.

    Raises:
        BadWeights: A file is missing, or is not what it should be.
    """
    define_missing_operators()
    from transformers import ViTConfig, ViTModel

    model = ViTModel(ViTConfig(**sizes, layer_norm_eps=_EPSILON), add_pooling_layer=False)
    state = read_tensors(backbone)
    _merge(state, backbone, adapter, sizes["num_hidden_layers"])
    fill(model, renamed(state), backbone)
    model.layernorm = nn.Identity()
    return model


def _merge(state: dict[str, Tensor], backbone: Path, adapter: Path, layers: int) -> None:
    """Add the adapter's products to the weights of `qkv`, in place."""
    path = adapter / "adapter_model.safetensors"
    declared = _declared(adapter / "adapter_config.json")
    low_rank = read_tensors(path)
    for layer in range(layers):
        name = f"blocks.{layer}.attn.qkv"
        if f"{name}.weight" not in state:
            raise BadWeights(f"{backbone} is not DINO's ViT: {name}.weight is missing")
        weight = state[f"{name}.weight"]
        down, up = (_take(low_rank, f"{_ADAPTED}{name}.lora_{side}.weight", path) for side in "AB")
        if down.shape != (declared.r, weight.shape[1]) or up.shape != (weight.shape[0], declared.r):
            raise BadWeights(
                f"{path} does not fit {backbone}: lora_A {tuple(down.shape)} and lora_B {tuple(up.shape)} of rank "
                f"{declared.r} for {name}.weight {tuple(weight.shape)}"
            )
        state[f"{name}.weight"] = weight.float() + declared.lora_alpha / declared.r * (up.float() @ down.float())
    if low_rank:
        raise BadWeights(f"{path} is not the adapter of {layers} layers: {min(low_rank)} is unknown")


def _declared(path: Path) -> Adapter:
    try:
        return Adapter.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadWeights(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadWeights(f"{path} is not of plain LoRA on qkv: {where}: {first['msg']}") from error


def _take(low_rank: dict[str, Tensor], name: str, path: Path) -> Tensor:
    if name not in low_rank:
        raise BadWeights(f"{path} is not the adapter of DreamSim: {name} is missing")
    return low_rank.pop(name)


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename DINO's tensors to the names of transformers' ViT, and split `qkv`.

    Args:
        state: DINO's tensors by name.

    Returns:
        Tensors by the names of `ViTModel`. Names that DINO does not have stay as they are.
    """
    found = {}
    for name, tensor in state.items():
        old = next((beginning for beginning in _RENAMED if name.startswith(beginning)), "")
        new = _RENAMED.get(old, "") + name.removeprefix(old)
        for inside, ours in _INSIDE.items():
            new = new.replace(inside, ours)
        if ".attn.qkv." in new:
            for part, third in zip("qkv", tensor.chunk(3), strict=True):
                found[new.replace(".attn.qkv.", f".attention.{part}_proj.")] = third
        else:
            found[new] = tensor
    return found
