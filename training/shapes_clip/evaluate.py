"""Measure how often `shapes-clip` finds the caption of an image among a hundred.

Images are of the test split, so none of their colour x shape x texture combinations was in training. An image's
hundred captions: a true one; all that differ from it in one attribute (12 to 60 of them); as many with two attributes
of different kinds changed as are wanted; and, where a short caption has too few of those, true captions of other
images, those with as many objects first.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import binomtest

from skewbench.eval.scenes.captions import caption, parse_caption
from skewbench.eval.scenes.changes import KINDS, changes
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import Scene, Split, sample_scene
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.shapes_clip import WEIGHTS

CANDIDATES = 100
OBJECTS = (1, 2, 3)
TWO_CHANGES, OTHER_SCENE = "two changes", "other scene"


@dataclass(frozen=True)
class Found:
    """One image's retrieval. `kinds`: of each kind among its false captions, whether the true one beats them all."""

    objects: int
    kinds: dict[str, bool]

    @property
    def first(self) -> bool:
        """Whether the true caption beats all others."""
        return all(self.kinds.values())


def retrieval(tower: ClipTower, count: int, seed: int, split: Split = "test") -> Iterator[Found]:
    """Yield the retrieval of each of `count` random scenes, with one, two and three objects in turn.

    Args:
        tower: The model.
        count: Number of scenes.
        seed: Seed of scenes and captions.
        split: Split of the scenes.
    """
    rng = np.random.default_rng(seed)
    scenes = [sample_scene(rng, objects, split) for objects, _ in zip(cycle(OBJECTS), range(count), strict=False)]
    captions = [caption(scene, rng) for scene in scenes]
    for scene, text in zip(scenes, captions, strict=True):
        others = candidates(text, captions, rng)
        yield _find(tower, scene, text, others)


def candidates(text: str, captions: list[str], rng: np.random.Generator) -> list[tuple[str, str]]:
    """List 99 false captions, the hardest first.

    Args:
        text: The true caption.
        captions: True captions of all scenes.
        rng: Random generator that chooses captions with two changes and captions of other scenes.

    Returns:
        Tuples (kind, text).
    """
    single = changes(text)
    found = {change.text: change.kind for change in single}
    double = [
        change.text
        for first in single
        for change in changes(first.text)
        if KINDS.index(change.kind) > KINDS.index(first.kind)  # of one kind, two could cancel out
    ]
    away = [other for other in captions if _objects(other) != _objects(text)]
    same_count = [other for other in away if len(_objects(other)) == len(_objects(text))]
    for kind, texts in ((TWO_CHANGES, double), (OTHER_SCENE, same_count), (OTHER_SCENE, away)):
        for i in rng.permutation(len(texts)):
            if len(found) < CANDIDATES - 1:
                found.setdefault(texts[i], kind)
    return [(kind, other) for other, kind in list(found.items())[: CANDIDATES - 1]]


def _objects(text: str) -> list[tuple[str, str]]:
    meaning = parse_caption(text)
    return sorted((thing.colour or "", thing.shape) for thing in meaning.objects) if meaning else []


def _find(tower: ClipTower, scene: Scene, text: str, others: list[tuple[str, str]]) -> Found:
    image = tower.images(np.asarray(render(scene))[None])[0]
    true, *false = (tower.texts([text, *(other for _, other in others)]) @ image).tolist()
    kinds: dict[str, bool] = {}
    for (kind, _), cosine in zip(others, false, strict=True):
        kinds[kind] = kinds.get(kind, True) and true > cosine
    return Found(len(scene.objects), kinds)


def main(
    count: Annotated[int, typer.Option(help="Images.")] = 600,
    seed: Annotated[int, typer.Option(help="Decides images and captions.")] = 0,
    split: Annotated[str, typer.Option(help="`test`, or `train` for combinations that training had.")] = "test",
) -> None:
    """Print the share of images whose true caption comes first, by kind of change and by number of objects."""
    chosen: Split = "train" if split == "train" else "test"
    found = list(track(retrieval(ClipTower(WEIGHTS), count, seed, chosen), "retrieval", total=count))
    table = Table("true caption beats", "images", "first", "95% interval", title=f"shapes-clip, {chosen} split")
    of_kind = [(kind, [one.kinds[kind] for one in found if kind in one.kinds]) for kind in KINDS]
    of_count = [
        (f"all 99, {n} object{'s' * (n > 1)}", [one.first for one in found if one.objects == n]) for n in OBJECTS
    ]
    for kind, hits in [*of_kind, *of_count, ("all 99", [one.first for one in found])]:
        table.add_row(kind, *_row(Counter(hits)[True], len(hits)))
    Console().print(table)


def _row(hits: int, n: int) -> tuple[str, str, str]:
    if not n:
        return "0", "", ""
    low, high = binomtest(hits, n).proportion_ci(method="wilson")
    return str(n), f"{hits / n:.1%}", f"{low:.1%} .. {high:.1%}"


if __name__ == "__main__":
    typer.run(main)
