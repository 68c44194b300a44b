"""Tiny models with random weights of the families beside SDXL: the real classes, saved in the hub's layout."""

import string
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    HunyuanDiT2DModel,
    HunyuanDiTPipeline,
    IFPipeline,
    Lumina2Pipeline,
    Lumina2Transformer2DModel,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    UNet2DConditionModel,
)
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPTextModel,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

from skewbench.training.shapes_xl.architecture import TEXT_WIDTH, text_encoders, write_tokenizer
from tests.tiny import SIZE, autoencoder

T5_WIDTH = 16


def letters() -> T5Tokenizer:
    """A tokenizer of letters."""
    pieces = ["<pad>", "</s>", "<unk>", "\N{LOWER ONE EIGHTH BLOCK}", *string.ascii_letters, *string.digits]
    return T5Tokenizer(vocab=[(piece, -2.0) for piece in pieces], extra_ids=0, model_max_length=32)


def t5() -> tuple[T5EncoderModel, T5Tokenizer]:
    """A T5 encoder and its tokenizer."""
    tokenizer = letters()
    config = T5Config(
        vocab_size=len(tokenizer), d_model=T5_WIDTH, d_kv=8, d_ff=16, num_layers=1, num_heads=2, dropout_rate=0.0
    )
    return T5EncoderModel(config).eval(), tokenizer


def save_tiny_flux(folder: Path) -> Path:
    """Save a tiny FLUX.1 with an input for guidance."""
    torch.manual_seed(0)
    tokenizer = write_tokenizer(folder / "words")
    clip: CLIPTextModel = text_encoders(tokenizer)[0]
    encoder, t5_tokenizer = t5()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=T5_WIDTH,
        pooled_projection_dim=TEXT_WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(2, 2, 4),
    )
    vae = autoencoder()
    vae.register_to_config(shift_factor=0.0)
    whole = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=clip,
        tokenizer=tokenizer,
        text_encoder_2=encoder,
        tokenizer_2=t5_tokenizer,
        transformer=transformer,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_pixart(folder: Path, pipeline: Any = PixArtAlphaPipeline) -> Path:
    """Save a tiny PixArt."""
    torch.manual_seed(0)
    encoder, t5_tokenizer = t5()
    transformer = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=3,
        cross_attention_dim=16,
        sample_size=SIZE // 2,
        patch_size=2,
        caption_channels=T5_WIDTH,
        use_additional_conditions=False,
    )
    parts = {"vae": autoencoder(), "text_encoder": encoder, "tokenizer": t5_tokenizer, "transformer": transformer}
    pipeline(scheduler=DPMSolverMultistepScheduler(), **parts).save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_pixart_sigma(folder: Path) -> Path:
    """Save a tiny PixArt-Sigma."""
    return save_tiny_pixart(folder, PixArtSigmaPipeline)


def save_tiny_hunyuan(folder: Path) -> Path:
    """Save a tiny HunyuanDiT."""
    torch.manual_seed(0)
    encoder, t5_tokenizer = t5()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *string.ascii_lowercase]
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=77)
    bert = BertConfig(
        vocab_size=len(pieces), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    transformer = HunyuanDiT2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        patch_size=2,
        sample_size=SIZE // 8,
        hidden_size=16,
        num_layers=2,
        cross_attention_dim=16,
        cross_attention_dim_t5=T5_WIDTH,
        pooled_projection_dim=16,
        text_len=77,
        text_len_t5=256,
    )
    whole = HunyuanDiTPipeline(
        vae=autoencoder(down=3),
        text_encoder=BertModel(bert).eval(),
        tokenizer=tokenizer,
        text_encoder_2=encoder,
        tokenizer_2=t5_tokenizer,
        transformer=transformer,
        scheduler=DDPMScheduler(beta_schedule="scaled_linear", prediction_type="v_prediction"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_lumina(folder: Path) -> Path:
    """Save a tiny Lumina Image 2.0."""
    torch.manual_seed(0)
    pieces = [
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        "<mask>",
        "\N{LOWER ONE EIGHTH BLOCK}",
        *string.ascii_letters,
        ".",
        ",",
        "-",
    ]
    tokenizer = GemmaTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=256, add_bos_token=True
    )
    gemma = Gemma2Config(
        vocab_size=len(pieces), hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    transformer = Lumina2Transformer2DModel(
        sample_size=SIZE // 8,
        patch_size=2,
        in_channels=4,
        hidden_size=48,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=6,
        num_kv_heads=2,
        multiple_of=2,
        axes_dim_rope=(4, 2, 2),
        axes_lens=(300, 32, 32),
        cap_feat_dim=16,
    )
    vae = autoencoder(down=3)
    vae.register_to_config(shift_factor=0.0)
    whole = Lumina2Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0),
        vae=vae,
        text_encoder=Gemma2Model(gemma).eval(),
        tokenizer=tokenizer,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_qwen(folder: Path) -> Path:
    """Save a tiny Qwen-Image."""
    torch.manual_seed(0)
    pieces = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(bytes_to_unicode().values())]
    tokenizer = Qwen2Tokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=1100)
    text = {
        "vocab_size": len(pieces), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4},
    }  # fmt: skip
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
    encoder = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision)).eval()
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    )
    vae = AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    whole = QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae.eval(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        transformer=transformer,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_deepfloyd(folder: Path) -> Path:
    """Save a tiny stage I of DeepFloyd IF."""
    torch.manual_seed(0)
    encoder, t5_tokenizer = t5()
    unet = UNet2DConditionModel(
        sample_size=SIZE,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        in_channels=3,
        out_channels=6,
        cross_attention_dim=16,
        encoder_hid_dim=T5_WIDTH,
        attention_head_dim=8,
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        resnet_time_scale_shift="scale_shift",
        norm_num_groups=4,
        act_fn="gelu",
    )
    whole = IFPipeline(
        tokenizer=t5_tokenizer,
        text_encoder=encoder,
        unet=unet,
        scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="learned_range"),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    whole.save_pretrained(folder, safe_serialization=True)
    return folder
