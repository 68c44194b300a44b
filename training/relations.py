"""What a text encoder tells about relations: `python -m skewbench.training.relations shapes-xl`.

Captions such as "a red circle to the left of a blue star" are encoded. Linear probes then read from the token of each
object whether it is on the left, and from all tokens together whether the object of one colour is. They tell whether
the denoiser could know it from the tokens that it attends to.
"""

from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from jaxtyping import Bool, Float
from rich.console import Console
from rich.table import Table
from torch import Tensor

from skewbench.eval.scenes.captions import RELATION_WORDS
from skewbench.eval.scenes.vocabulary import COLOURS, SHAPES
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.models import load_pipeline, resolve_model

_SIDES = ("left of", "right of")
_TRAINED = 0.75
"""Share of the captions that a probe is trained on; the others are read."""
_ENCODED_AT_ONCE = 500


def main(
    model: Annotated[str, typer.Argument(help="Name or folder of a model of scenes.")],
    captions: Annotated[int, typer.Option(help="Captions to encode.")] = 6000,
    seed: Annotated[int, typer.Option(help="Decides the captions.")] = 0,
) -> None:
    """Print how often linear probes read the side of an object right. Chance is 0.5."""
    torch.set_num_threads(1)
    pipeline = load_pipeline(resolve_model(ModelSpec(id=model)), "cpu")
    texts, colours, left = _captions(captions, np.random.default_rng(seed))
    ids, tokens = _encode(pipeline, texts)
    ends, rows = (ids == pipeline.tokenizer.eos_token_id).int().argmax(1), torch.arange(len(ids))
    first = 2 + int(ids[0, 0] == pipeline.tokenizer.bos_token_id)  # "a red circle ..."
    about = torch.tensor([next(iter(COLOURS)) in pair for pair in colours])
    colour_left = torch.tensor([pair[0] == next(iter(COLOURS)) for pair in colours]) == left
    table = Table("read from", "what", "right", title=f"{model}: {captions} captions of two objects")
    for source, what, inputs, answer in (
        ("the first object's token", "its side", tokens[rows, first], left),
        ("the second object's token", "its side", tokens[rows, ends - 1], left),
        ("the mean of all tokens", f"the side of {next(iter(COLOURS))}", tokens[about].mean(1), colour_left[about]),
        ("all tokens", f"the side of {next(iter(COLOURS))}", tokens[about].flatten(1), colour_left[about]),
    ):
        table.add_row(source, what, f"{probe(inputs, answer):.3f}")
    Console().print(table)


def probe(inputs: Float[Tensor, "n d"], answer: Bool[Tensor, "n"]) -> float:
    """Train a logistic regression on the first three quarters of the rows, and return its accuracy on the others.

    Args:
        inputs: Features.
        answer: What they are asked for.
    """
    trained = int(_TRAINED * len(inputs))
    scaled = (inputs - inputs[:trained].mean(0)) / (inputs[:trained].std(0) + 1e-5)
    weights = torch.zeros(scaled.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=200)

    def loss() -> Tensor:
        optimizer.zero_grad()
        likelihood = F.binary_cross_entropy_with_logits(scaled[:trained] @ weights + bias, answer[:trained].float())
        total = likelihood + 1e-2 * weights.square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    with torch.no_grad():
        read = scaled[trained:] @ weights + bias > 0
    return (read == answer[trained:]).float().mean().item()


def _captions(count: int, rng: np.random.Generator) -> tuple[list[str], list[tuple[str, str]], Bool[Tensor, "n"]]:
    """Captions, the colours of their two objects, and whether the first is on the left."""
    texts, colours, left = [], [], []
    for _ in range(count):
        (one, other), shapes = rng.permutation(list(COLOURS))[:2], rng.permutation(SHAPES)[:2]
        side = str(rng.choice(_SIDES))
        texts.append(f"a {one} {shapes[0]} {rng.choice(RELATION_WORDS[side])} a {other} {shapes[1]}")
        colours.append((str(one), str(other)))
        left.append(side == "left of")
    return texts, colours, torch.tensor(left)


@torch.inference_mode()
def _encode(pipeline: Any, texts: list[str]) -> tuple[Tensor, Float[Tensor, "n t d"]]:
    """Token ids, and the tokens that the denoiser attends to: those of all encoders, side by side."""
    encoded = pipeline.tokenizer(texts, padding="longest", return_tensors="pt")
    found = []
    for name in ("text_encoder", "text_encoder_2"):
        if (encoder := getattr(pipeline, name, None)) is None:
            continue
        parts = zip(
            encoded.input_ids.split(_ENCODED_AT_ONCE), encoded.attention_mask.split(_ENCODED_AT_ONCE), strict=True
        )
        outputs = [encoder(ids, attention_mask=mask, output_hidden_states=True) for ids, mask in parts]
        layer = -2 if "CLIP" in type(encoder).__name__ else -1  # as the pipelines do
        found.append(torch.cat([output.hidden_states[layer] for output in outputs]))
    return encoded.input_ids, torch.cat(found, dim=-1).clone()


if __name__ == "__main__":
    typer.run(main)
