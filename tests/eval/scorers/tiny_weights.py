"""Seeded random weights of the smallest size for scorers that need some, saved as their authors saved theirs."""

import string
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.models import alexnet
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

from skewbench.eval.scoring.aesthetic_head import AestheticHead
from skewbench.eval.scoring.blip_reward import TEXT, VISION
from skewbench.training.shapes_xl.architecture import write_tokenizer
from tests.eval.scorers.tiny_clip import CONFIG

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "green", "circle", "square", "star"]
VOCABULARY = [*WORDS, *string.punctuation]
TINY_TEXT: dict[str, Any] = {
    **TEXT, "vocab_size": len(VOCABULARY), "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": 40, "encoder_hidden_size": 12,
}  # fmt: skip
TINY_VISION: dict[str, Any] = {
    **VISION, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
    "image_size": 32,
}  # fmt: skip


def save_head(path: Path) -> Path:
    """The aesthetic predictor's head, on the features of the tiny CLIP."""
    torch.manual_seed(0)
    torch.save(AestheticHead(CONFIG["embed_dim"]).state_dict(), path)
    return path


def save_alexnet(path: Path) -> Path:
    """The trunk of torchvision's AlexNet."""
    torch.manual_seed(0)
    torch.save({f"features.{name}": tensor for name, tensor in alexnet().features.state_dict().items()}, path)
    return path


def save_pickscore(folder: Path) -> Path:
    """A folder as PickScore's, with all that its sources name."""
    tokenizer = write_tokenizer(folder / "words")
    torch.manual_seed(0)
    width = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**width, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    vision = {**width, "image_size": 32, "patch_size": 16}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(folder)
    return folder


def save_image_reward(folder: Path) -> Path:
    """A folder as ImageReward's, with the authors' names."""
    torch.save(authors_state(), folder / "ImageReward.pt")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    return folder


def authors_state() -> dict[str, Tensor]:
    """Random weights under the names of the authors' checkpoint."""
    torch.manual_seed(0)
    wide, inner, read = TINY_VISION["hidden_size"], TINY_VISION["intermediate_size"], TINY_TEXT["hidden_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "blip.visual_encoder.cls_token": (1, 1, wide),
        "blip.visual_encoder.pos_embed": (1, 5, wide),
        "blip.visual_encoder.patch_embed.proj.weight": (wide, 3, 16, 16),
        "blip.visual_encoder.patch_embed.proj.bias": (wide,),
        "blip.text_encoder.embeddings.word_embeddings.weight": (len(VOCABULARY), read),
        "blip.text_encoder.embeddings.position_embeddings.weight": (40, read),
    }

    def linear(name: str, into: int, out: int) -> None:
        shapes.update({f"{name}.weight": (out, into), f"{name}.bias": (out,)})

    def norm(name: str, width: int) -> None:
        shapes.update({f"{name}.weight": (width,), f"{name}.bias": (width,)})

    for i in range(2):
        block = f"blip.visual_encoder.blocks.{i}"
        for name in ("norm1", "norm2"):
            norm(f"{block}.{name}", wide)
        for name, into, out in (("attn.qkv", wide, 3 * wide), ("attn.proj", wide, wide)):
            linear(f"{block}.{name}", into, out)
        linear(f"{block}.mlp.fc1", wide, inner)
        linear(f"{block}.mlp.fc2", inner, wide)
        layer = f"blip.text_encoder.encoder.layer.{i}"
        for kind, of in (("attention", read), ("crossattention", wide)):
            linear(f"{layer}.{kind}.self.query", read, read)
            linear(f"{layer}.{kind}.self.key", of, read)
            linear(f"{layer}.{kind}.self.value", of, read)
            linear(f"{layer}.{kind}.output.dense", read, read)
            norm(f"{layer}.{kind}.output.LayerNorm", read)
        linear(f"{layer}.intermediate.dense", read, TINY_TEXT["intermediate_size"])
        linear(f"{layer}.output.dense", TINY_TEXT["intermediate_size"], read)
        norm(f"{layer}.output.LayerNorm", read)
    norm("blip.visual_encoder.norm", wide)
    norm("blip.text_encoder.embeddings.LayerNorm", read)
    state = {name: 0.4 * torch.randn(shape) for name, shape in shapes.items()}
    head = {f"mlp.{name}": tensor for name, tensor in AestheticHead(read).state_dict().items()}
    unread = {
        "blip.text_encoder.embeddings.position_ids": torch.arange(40)[None],
        "blip.vision_proj.weight": torch.zeros(2, wide),
    }
    return {**state, **head, **unread}
