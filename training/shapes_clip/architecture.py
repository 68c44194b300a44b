"""The parts of `shapes-clip`: open_clip's own CLIP, small, and the heads that only training has.

The image tower is a ResNet: on this little data, transformers of the same cost had only learned colours when it had
learned shapes too.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from open_clip import CLIP
from torch import Tensor, nn

from skewbench.eval.scenes.vocabulary import SIZE
from skewbench.training.shapes_clip.facts import OBJECT_FACTS, SCENE_FACTS

CONTEXT = 36
"""Longest caption of the grammar, in tokens."""
WIDTH = 24
"""Channels of the ResNet's stem; its last stage has 32 times as many."""
PREPROCESSING: dict[str, Any] = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}


def configuration(vocabulary: int) -> dict[str, Any]:
    """Return open_clip's configuration of the model.

    Args:
        vocabulary: Number of tokens.

    Returns:
        Value of `model_cfg`. `hf_tokenizer_name` makes open_clip read the tokenizer in the folder of the weights.
    """
    return {
        "embed_dim": 192,
        "vision_cfg": {"image_size": SIZE, "layers": [1, 1, 2, 1], "width": WIDTH},
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": vocabulary,
            "width": 128,
            "heads": 4,
            "layers": 3,
            "mlp_ratio": 2.0,
            "hf_tokenizer_name": "shapes-clip",
        },
    }


def clip(vocabulary: int) -> CLIP:
    """Build the model with random weights.

    Args:
        vocabulary: Number of tokens.
    """
    return CLIP(**configuration(vocabulary))


class Heads(nn.Module):
    """Predict facts from the towers in training: from the image tower's map of 4 x 4 cells, and from features.

    One head reads the features of both towers, so that these share one coordinate system from the start.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.cells = nn.Conv2d(16 * WIDTH, len(OBJECT_FACTS), 1)
        self.scene = nn.Linear(features, len(SCENE_FACTS))
        for name, bias in self.named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(bias, -4.0)  # facts are rare


def see(model: CLIP, pixels: Float[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, "n c 4 4"], Float[Tensor, "n d"]]:
    """Run the image tower and keep its map before the last stage.

    The forward pass is open_clip's own.

    Args:
        model: The model.
        pixels: Images in -1..1; shape (n, 3, h, w).

    Returns:
        The map, shape (n, c, 4, 4), and the features, which are not normalised; shape (n, d).
    """
    tower = model.visual
    cells = tower.layer3(tower.layer2(tower.layer1(tower.stem(pixels))))
    return cells, tower.attnpool(tower.layer4(cells))


class WordHead(nn.Linear):
    """Predicts facts from the words that state them, before the text tower's last layer combines the words."""

    def __init__(self, model: CLIP) -> None:
        super().__init__(model.ln_final.normalized_shape[0], len(SCENE_FACTS))
        nn.init.constant_(self.bias, -4.0)


def read_words(
    model: CLIP, tokens: Int[Tensor, "n t"], end: int
) -> tuple[Float[Tensor, "n t c"], Float[Tensor, "n d"]]:
    """Run the text tower and keep what it makes of each word before its last layer.

    The forward pass is open_clip's own.

    Args:
        model: The model.
        tokens: Token ids, each row with `end` after the caption; shape (n, t).
        end: Id of the token that ends a text.

    Returns:
        Hidden states up to the longest caption, shape (n, t, c), and features, which are not normalised; shape (n, d).
    """
    longest = int((tokens == end).int().argmax(dim=1).max()) + 1
    words = tokens[:, :longest]
    mask = model.attn_mask[:longest, :longest]
    *first, last = model.transformer.resblocks
    hidden = model.token_embedding(words) + model.positional_embedding[:longest]
    for block in first:
        hidden = block(hidden, attn_mask=mask)
    whole = model.ln_final(last(hidden, attn_mask=mask))
    ends = (words == end).int().argmax(dim=1)
    return hidden, whole[torch.arange(len(words)), ends] @ model.text_projection


def read(model: CLIP, tokens: Int[Tensor, "n t"], end: int, chunks: int = 4) -> Float[Tensor, "n d"]:
    """Compute the features of captions as `encode_text` does, each only to the length of its chunk's longest caption.

    Attention is causal and the feature is that of the first `end` token, so later tokens have no effect.

    Args:
        model: The model.
        tokens: Token ids, each row with `end` after the caption; shape (n, t).
        end: Id of the token that ends a text.
        chunks: Number of chunks of captions of similar length.

    Returns:
        Features, which are not normalised; shape (n, d).
    """
    lengths = (tokens == end).int().argmax(dim=1) + 1
    order = lengths.argsort()
    found = []
    for rows in order.chunk(chunks):
        longest = int(lengths[rows].max())
        words = tokens[rows, :longest]
        hidden = model.token_embedding(words) + model.positional_embedding[:longest]
        hidden = model.transformer(hidden, attn_mask=model.attn_mask[:longest, :longest])
        last = model.ln_final(hidden[torch.arange(len(rows)), lengths[rows] - 1])
        found.append(last @ model.text_projection)
    return torch.cat(found)[order.argsort()]
