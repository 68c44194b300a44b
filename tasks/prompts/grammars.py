"""Captions of random scenes and sounds, with ground truth for scoring."""

from functools import lru_cache

import numpy as np

from skewbench.eval.scenes.captions import caption as caption_of_scene
from skewbench.eval.scenes.scene import Split, sample_scene
from skewbench.eval.sounds.captions import caption as caption_of_sound
from skewbench.eval.sounds.sound import sample_sound
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts.prompt import Prompt, prompt
from skewbench.vocabulary.errors import InputError

DEFAULT_COUNT = 32
_ENOUGH = 10_000
"""Captions in a row that repeat earlier ones, after which a number of objects has no others."""


def scene_captions(spec: PromptSpec) -> list[Prompt]:
    """Generate different captions of random scenes; the category is the number of objects.

    Args:
        spec: The experiment's prompts, with count, seed, split and numbers of objects.

    Raises:
        InputError: There are fewer different captions.
    """
    return list(_captions(spec, "object"))


def sound_captions(spec: PromptSpec) -> list[Prompt]:
    """Generate different captions of random sounds; the category is the number of events.

    Args:
        spec: The experiment's prompts, with count, seed, split and numbers of events as `objects`.

    Raises:
        InputError: There are fewer different captions.
    """
    return list(_captions(spec, "event"))


def _caption_of_scene(rng: np.random.Generator, count: int, split: Split) -> str:
    return caption_of_scene(sample_scene(rng, count, split), rng)


def _caption_of_sound(rng: np.random.Generator, count: int, split: Split) -> str:
    return caption_of_sound(sample_sound(rng, count, split), rng)


_WRITE = {"object": _caption_of_scene, "event": _caption_of_sound}


@lru_cache(maxsize=4)  # a command checks the prompts, and loads them later
def _captions(spec: PromptSpec, noun: str) -> tuple[Prompt, ...]:
    rng = np.random.default_rng(spec.seed)
    requested = spec.count or DEFAULT_COUNT
    prompts: dict[str, Prompt] = {}
    repeated = 0
    while len(prompts) < requested:
        count = spec.objects[len(prompts) % len(spec.objects)]
        category = f"{count} {noun}{'s' if count > 1 else ''}"
        text = _WRITE[noun](rng, count, spec.split)
        repeated = repeated + 1 if text in prompts else 0
        prompts.setdefault(text, prompt(text, category))
        if repeated == _ENOUGH:
            raise InputError(
                f"prompts.count {requested}: {spec.source!r} has no more different captions of {category} in the "
                f"{spec.split} split after {len(prompts)} prompts in all; ask for fewer, or leave {count} out of "
                "prompts.objects"
            )
    return tuple(prompts.values())
