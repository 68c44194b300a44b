"""The paper's numbers."""

import pytest
from diffusers import AutoencoderKL, DiTTransformer2DModel
from torch import nn

from skewbench.stability import self_attention_blocks
from skewbench.stability.blocks import Block, select
from skewbench.stability.knobs import Blocks
from tests.stability.models import layer, sdxl, tiny_unet


def test_sdxl_has_the_papers_numbers() -> None:
    assert sum(weight.numel() for weight in sdxl().parameters()) == 2_567_463_684
    blocks = self_attention_blocks(sdxl())
    assert [block.number for block in blocks] == list(range(0, 140, 2))
    for stage, first, last, count in (("down", 0, 47, 24), ("mid", 48, 67, 10), ("up", 68, 139, 36)):
        numbers = [block.number for block in blocks if block.stage == stage]
        assert (numbers[0], numbers[-1], len(numbers)) == (first, last - 1, count)
    assert {(block.width, block.heads) for block in blocks} == {(640, 10), (1280, 20)}
    assert sum(block.width == 640 for block in blocks) == 4 + 6
    names = {block.number: block.name for block in blocks}
    assert names[0] == "down_blocks.1.attentions.0.transformer_blocks.0.attn1"
    assert names[2] == "down_blocks.1.attentions.0.transformer_blocks.1.attn1"
    assert names[8] == "down_blocks.2.attentions.0.transformer_blocks.0.attn1"
    assert names[48] == "mid_block.attentions.0.transformer_blocks.0.attn1"
    assert names[68] == "up_blocks.0.attentions.0.transformer_blocks.0.attn1"
    assert names[138] == "up_blocks.1.attentions.2.transformer_blocks.1.attn1"


def test_a_lone_layer() -> None:
    assert self_attention_blocks(layer()) == [Block(0, "attention", "none", 2, 24)]


def test_a_transformer() -> None:
    model = DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, num_layers=3, sample_size=8, norm_num_groups=4
    )
    blocks = self_attention_blocks(model)
    assert [(block.number, block.stage, block.width) for block in blocks] == [
        (0, "early", 16),
        (1, "middle", 16),
        (2, "late", 16),
    ]
    assert blocks[1].name == "transformer_blocks.1.attn1"


def test_an_autoencoder() -> None:
    model = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    assert self_attention_blocks(model) == [
        Block(0, "encoder.mid_block.attentions.0", "mid", 1, 8),
        Block(1, "decoder.mid_block.attentions.0", "mid", 1, 8),
    ]


def test_a_model_inside_another_keeps_its_stages() -> None:
    inner = self_attention_blocks(tiny_unet())
    outer = self_attention_blocks(nn.ModuleDict({"unet": tiny_unet()}))
    assert [(block.number, f"unet.{block.name}", block.stage) for block in inner] == [
        (block.number, block.name, block.stage) for block in outer
    ]


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("all", 70),
        ("down", 24),
        ("mid", 10),
        ("up", 36),
        (48, 1),
        ("4", 1),
        (("4", "6"), 2),
        (r"up_blocks\.0", 30),
        (("mid", 0, "mid"), 11),
    ],
)
def test_selection(spec: Blocks, count: int) -> None:
    chosen = select(self_attention_blocks(sdxl()), spec)
    assert len(chosen) == count
    assert chosen == sorted(chosen, key=lambda block: block.number)


@pytest.mark.parametrize("spec", [1, "1", "none", "attn2", ("mid", 999), "sideways"])
def test_no_match_lists_the_names(spec: Blocks) -> None:
    with pytest.raises(ValueError, match="matches no self-attention") as error:
        select(self_attention_blocks(sdxl()), spec)
    assert "48 mid_block.attentions.0.transformer_blocks.0.attn1 (mid)" in str(error.value)
