"""Runs in the environment `t2v-metrics`: a tiny random CLIP-FlanT5, and its scores by the package.

`bin/python -I tiny_vqascore.py FOLDER SHARED`: SHARED is the path that the environment shares, as JSON.
"""

import json
import site
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Write the checkpoint with tokenizer and image encoder, and `values.json`."""
    import torch

    from skewbench.eval.scorers.vqascore import import_one_model

    import_one_model()
    from t2v_metrics.models.vqascore_models import clip_t5_model
    from t2v_metrics.models.vqascore_models.clip_t5.model import CLIPT5Config, CLIPT5ForConditionalGeneration

    torch.manual_seed(0)
    prompts = json.loads((folder / "prompts.json").read_text())
    config = CLIPT5Config(
        vocab_size=_save_tokenizer(folder), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
        mm_vision_tower=str(_save_tower(folder)), mm_hidden_size=32, mm_vision_select_layer=-2,
        mm_vision_select_feature="patch", mm_projector_type="mlp2x_gelu",
    )  # fmt: skip
    model = CLIPT5ForConditionalGeneration(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(3)  # else all scores are nearly the same
    model.lm_head.weight.data.mul_(0.1)  # else the answer "Yes" has probability 0 for each image
    model.save_pretrained(
        folder, max_shard_size="50KB", safe_serialization=False
    )  # as its authors saved it: it shares tensors
    known = clip_t5_model.CLIP_T5_MODELS
    known["tiny"] = {kind: known["clip-flant5-xxl"][kind] | {"path": str(folder)} for kind in ("tokenizer", "model")}
    package = clip_t5_model.CLIPT5Model("tiny", device="cpu", cache_dir=str(folder / "cache"))
    package.model.float()  # the package computes in bfloat16, on a GPU
    with torch.inference_mode():
        values = [package.forward([str(folder / f"{i}.png")], [text]).item() for i, text in enumerate(prompts)]
    (folder / "values.json").write_text(json.dumps(values))


def _save_tower(folder: Path) -> Path:
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
    tower = folder / "clip-vit-large-patch14-336"
    CLIPVisionModel(CLIPVisionConfig(**size, image_size=56, patch_size=14)).save_pretrained(tower)
    CLIPImageProcessor(size={"shortest_edge": 56}, crop_size=56).save_pretrained(tower)
    return tower


def _save_tokenizer(folder: Path) -> int:
    """Train a tokenizer of FlanT5's class, and return the number of its tokens."""
    import sentencepiece
    from transformers import T5Tokenizer

    text = folder / "corpus.txt"
    text.write_text(
        "\n".join(
            [
                'red green blue circle square star, Does this figure show "a"? Please answer yes or no.',
                "A chat between a curious user and an artificial intelligence assistant. USER: ASSISTANT: Yes",
            ]
        )
    )
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "spiece"), vocab_size=80, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    tokenizer = T5Tokenizer(str(folder / "spiece.model"), extra_ids=0, legacy=True)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


if __name__ == "__main__":
    for path in json.loads(sys.argv[2]):
        site.addsitedir(path)
    main(Path(sys.argv[1]))
