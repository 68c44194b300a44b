"""Train the bundled CLIP `shapes-clip` from scratch: `python -m skewbench.training.shapes_clip.train`.

Four stages, each a command: `images` teaches the image tower the facts of scenes, `words` teaches the text tower to
tell them from captions, `captions` trains both towers together, `export` writes float16 safetensors into the package. A
stage that is started again resumes from its last checkpoint.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from jaxtyping import Float
from open_clip import CLIP
from safetensors.torch import save_file
from torch import Tensor, nn

from skewbench.eval.shapes_clip import WEIGHTS
from skewbench.training.loop import fit, load_average
from skewbench.training.options import Batch, Folder, Rate, Samples, Seed, Steps
from skewbench.training.shapes_clip.architecture import (
    CONTEXT,
    PREPROCESSING,
    Heads,
    WordHead,
    clip,
    configuration,
    read,
    read_words,
    see,
)
from skewbench.training.shapes_clip.data import disturbed, draw_scenes, sample_scenes, true_and_false_captions
from skewbench.training.shapes_clip.facts import caption_facts, cell_facts, scene_facts, word_facts
from skewbench.training.shapes_xl.architecture import write_tokenizer
from skewbench.training.shapes_xl.data import Pool

FACTS_WEIGHT = 0.02
"""Weight of the facts' loss against that of the captions: as a sum over a thousand facts, it is far larger."""
MAX_SCALE = 100.0
"""Greatest scale of the logits, as in CLIP."""

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)


@app.command("images")
def train_images(
    folder: Folder = Path("checkpoints/shapes-clip"),
    steps: Steps = 4000,
    batch: Batch = 64,
    scenes: Samples = 24_000,
    rate: Rate = 2e-3,
    seed: Seed = 0,
) -> None:
    """Train the image tower to tell what is so in a scene, and where."""
    torch.manual_seed(seed)
    model, heads = _parts(folder)
    pool = draw_scenes(scenes, seed)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pool.scenes), (batch,), generator=generator)
        return _facts_loss(model, heads, pool, chosen, generator)[0]

    fit(nn.ModuleDict({"visual": model.visual, "heads": heads}), loss_of, folder / "images", steps, rate, seed)


@app.command("words")
def train_words(
    folder: Folder = Path("checkpoints/shapes-clip"),
    steps: Steps = 5000,
    batch: Batch = 128,
    scenes: Samples = 40_000,
    rate: Rate = 2e-3,
    seed: Seed = 2,
) -> None:
    """Train the text tower to tell what captions say, by word and as a whole, in the image tower's coordinates."""
    torch.manual_seed(seed)
    model, heads = _parts(folder)
    load_average(nn.ModuleDict({"visual": model.visual, "heads": heads}), folder / "images")
    heads.requires_grad_(False)
    head = WordHead(model)
    untold = sample_scenes(scenes, seed)
    tokens_of = _tokens_of(folder)
    end = model.vocab_size - 1
    model.visual = nn.Identity()  # has no part in this stage

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(untold), (batch,), generator=generator)
        texts, _ = true_and_false_captions([untold[i] for i in chosen], 0, seed=seed * 1_000_003 + step)
        hidden, features = read_words(model, tokens_of(texts), end)
        return 2 * _words_loss(head, hidden, texts) + _mean_loss(heads.scene(features), caption_facts(texts))

    fit(nn.ModuleDict({"text": model, "head": head}), loss_of, folder / "words", steps, rate, seed)


@app.command("captions")
def train_captions(
    folder: Folder = Path("checkpoints/shapes-clip"),
    steps: Steps = 9000,
    batch: Batch = 64,
    wrong: Annotated[int, typer.Option(help="False captions a scene and step.")] = 5,
    scenes: Samples = 64_000,
    rate: Rate = 1e-3,
    seed: Seed = 1,
) -> None:
    """Train both towers: CLIP's loss with false captions of each image's own; and the facts of captions and scenes."""
    torch.manual_seed(seed)
    model, heads = _parts(folder)
    visual, model.visual, head = model.visual, nn.Identity(), WordHead(model)
    load_average(nn.ModuleDict({"text": model, "head": head}), folder / "words")
    model.visual = visual
    load_average(nn.ModuleDict({"visual": visual, "heads": heads}), folder / "images")
    pool = draw_scenes(scenes, seed)
    tokens_of = _tokens_of(folder)
    end = model.vocab_size - 1

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(pool.scenes), (batch,), generator=generator)
        facts, features = _facts_loss(model, heads, pool, chosen, generator)
        true, false = true_and_false_captions([pool.scenes[i] for i in chosen], wrong, seed=seed * 1_000_003 + step)
        words = read(model, tokens_of(true + false), end)
        facts = facts + _mean_loss(heads.scene(words), caption_facts(true + false))
        captions = (true + false)[: 2 * batch]
        hidden, _ = read_words(model, tokens_of(captions), end)
        facts = facts + 2 * _words_loss(head, hidden, captions)
        texts = F.normalize(words, dim=-1)
        scale = model.logit_scale.exp().clamp_max(MAX_SCALE)
        images = F.normalize(features, dim=-1)
        return FACTS_WEIGHT * facts + _captions_loss(images, texts[:batch], texts[batch:], scale)

    parts = {"clip": model, "heads": heads, "head": head}
    fit(nn.ModuleDict(parts), loss_of, folder / "captions", steps, rate, seed)


@app.command("export")
def export(
    folder: Folder = Path("checkpoints/shapes-clip"),
    to: Annotated[Path, typer.Option(help="Where the model goes, as a folder that open_clip reads.")] = WEIGHTS,
) -> None:
    """Write the averaged weights as float16 safetensors, with their configuration and tokenizer."""
    model, heads = _parts(folder)
    load_average(nn.ModuleDict({"clip": model, "heads": heads, "head": WordHead(model)}), folder / "captions")
    tokenizer = write_tokenizer(to)
    tokenizer.save_pretrained(to)
    whole = {"model_cfg": configuration(len(tokenizer)), "preprocess_cfg": PREPROCESSING}
    (to / "open_clip_config.json").write_text(json.dumps(whole, indent=2) + "\n")
    save_file(model.half().state_dict(), to / "open_clip_model.safetensors")
    total = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    typer.echo(f"{to}: {total / 1e6:.1f} MB")


def _parts(folder: Path) -> tuple[CLIP, Heads]:
    configured = configuration(len(write_tokenizer(folder / "tokenizer")))
    return clip(configured["text_cfg"]["vocab_size"]), Heads(configured["embed_dim"])


def _tokens_of(folder: Path) -> Callable[[list[str]], Tensor]:
    tokenizer = write_tokenizer(folder / "tokenizer")
    return lambda texts: (
        tokenizer(texts, padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt").input_ids
    )


def _facts_loss(
    model: CLIP, heads: Heads, pool: Pool, chosen: Tensor, generator: torch.Generator
) -> tuple[Tensor, Float[Tensor, "n d"]]:
    """Mean over the scenes of the cross-entropy of all facts, and the scenes' image features."""
    seen = [pool.scenes[i] for i in chosen]
    cells, features = see(model, disturbed(pool.pixels[chosen], generator))
    loss = _mean_loss(heads.cells(cells), cell_facts(seen)) + _mean_loss(heads.scene(features), scene_facts(seen))
    return loss, features


def _words_loss(head: WordHead, hidden: Float[Tensor, "n t c"], texts: list[str]) -> Tensor:
    where, facts = word_facts(texts)
    return _mean_loss(head(hidden[where[:, 0], where[:, 1] + 1]), facts)  # the first token starts the text


def _mean_loss(logits: Tensor, facts: Tensor) -> Tensor:
    """Cross-entropy, summed over the facts, mean over the rows."""
    return F.binary_cross_entropy_with_logits(logits, facts, reduction="sum") / len(facts)


def _captions_loss(
    images: Float[Tensor, "n d"], true: Float[Tensor, "n d"], false: Float[Tensor, "n*k d"], scale: Tensor
) -> Tensor:
    """Compute CLIP's loss with further false captions of each image: among all captions, and among its own alone."""
    alike = scale * images @ true.T
    own = scale * torch.einsum("nd,nkd->nk", images, false.unflatten(0, (len(images), -1)))
    right = torch.arange(len(images))
    among_own = F.cross_entropy(torch.cat([alike.diagonal()[:, None], own], dim=1), torch.zeros_like(right))
    return among_own + F.cross_entropy(torch.cat([alike, own], dim=1), right) / 2 + F.cross_entropy(alike.T, right) / 2


if __name__ == "__main__":
    app()
