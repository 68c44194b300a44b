"""Runs in the environment `hpsv3`: a tiny random HPSv3, and its rewards by the package used as its authors do.

`bin/python -I tiny_hpsv3.py FOLDER SHARED`: SHARED is the path that the environment shares, as JSON.
"""

import json
import site
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Write the checkpoint with configuration, tokenizer and processor, and `values.json`."""
    import numpy as np
    import torch
    from PIL import Image

    from skewbench.eval.cpu_torchvision import define_missing_operators

    define_missing_operators()
    import hpsv3
    from hpsv3.train import create_model_and_processor
    from hpsv3.utils.parser import DataConfig, ModelConfig, PEFTLoraConfig, TrainingConfig, parse_args_with_yaml
    from safetensors.torch import save_file
    from transformers import Qwen2VLForConditionalGeneration

    from skewbench.eval.scorers.hpsv3 import configuration

    torch.manual_seed(0)
    Qwen2VLForConditionalGeneration(_save_processor(folder)).save_pretrained(folder)
    settings = folder / "settings.yaml"
    settings.write_text(configuration(folder, "cpu"))
    (_, training, model, lora), _ = parse_args_with_yaml(
        (DataConfig, TrainingConfig, ModelConfig, PEFTLoraConfig), str(settings), is_train=False
    )
    made, _, _ = create_model_and_processor(model, lora, training)
    for parameter in made.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(3)  # else all rewards are nearly the same
    save_file({name: tensor.contiguous() for name, tensor in made.state_dict().items()}, folder / "HPSv3.safetensors")
    inferencer = hpsv3.HPSv3RewardInferencer(str(settings), str(folder / "HPSv3.safetensors"), "cpu")
    rewards = []
    prompts = json.loads((folder / "prompts.json").read_text())
    for pixels, prompt in zip(np.load(folder / "images.npy"), prompts, strict=True):
        with torch.inference_mode():
            rewards.append(inferencer.reward([Image.fromarray(pixels)], [prompt])[0, 0].item())
    (folder / "values.json").write_text(json.dumps(rewards))
    (folder / "model.safetensors").unlink()  # the base model, which the scorer does without


def _save_processor(folder: Path):  # the classes are those of the environment
    """Write a processor whose tokens are bytes, and return the configuration of a tiny Qwen2-VL."""
    from transformers import Qwen2TokenizerFast, Qwen2VLConfig, Qwen2VLImageProcessor, Qwen2VLProcessor
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    (folder / "vocab.json").write_text(json.dumps({text: i for i, text in enumerate(bytes_to_unicode().values())}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokens = Qwen2TokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    special = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokens.add_special_tokens({"additional_special_tokens": special})
    template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for content in message['content'] %}"
        "{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
        "{% else %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    )
    Qwen2VLProcessor(Qwen2VLImageProcessor(), tokens, chat_template=template).save_pretrained(folder)
    ids = dict(zip(("start", "end", "vision_start", "vision_end", "image", "video"), special, strict=True))
    named = {f"{name}_token_id": tokens.convert_tokens_to_ids(text) for name, text in ids.items() if "i" in name}
    width = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    vision = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2, "patch_size": 14}
    return Qwen2VLConfig(
        **width, **named, num_attention_heads=4, num_key_value_heads=2, vocab_size=len(tokens),
        rope_scaling={"type": "mrope", "mrope_section": [2, 1, 1]}, vision_config=vision, tie_word_embeddings=False,
    )  # fmt: skip


if __name__ == "__main__":
    for path in json.loads(sys.argv[2]):
        site.addsitedir(path)
    main(Path(sys.argv[1]))
