"""Captions of random scenes and sounds, with ground truth for scoring."""

from collections.abc import Callable

import numpy as np

from skewbench.eval.scenes.captions import caption as caption_of_scene
from skewbench.eval.scenes.scene import sample_scene
from skewbench.eval.sounds.captions import caption as caption_of_sound
from skewbench.eval.sounds.sound import sample_sound
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts.prompt import Prompt, prompt

DEFAULT_COUNT = 32


def scene_captions(spec: PromptSpec) -> list[Prompt]:
    """Generate different captions of random scenes; the category is the number of objects.

    Args:
        spec: The experiment's prompts, with count, seed, split and numbers of objects.
    """
    return _captions(spec, "object", lambda rng, count: caption_of_scene(sample_scene(rng, count, spec.split), rng))


def sound_captions(spec: PromptSpec) -> list[Prompt]:
    """Generate different captions of random sounds; the category is the number of events.

    Args:
        spec: The experiment's prompts, with count, seed, split and numbers of events as `objects`.
    """
    return _captions(spec, "event", lambda rng, count: caption_of_sound(sample_sound(rng, count, spec.split), rng))


def _captions(spec: PromptSpec, noun: str, write: Callable[[np.random.Generator, int], str]) -> list[Prompt]:
    rng = np.random.default_rng(spec.seed)
    requested = spec.count or DEFAULT_COUNT
    prompts: dict[str, Prompt] = {}
    while len(prompts) < requested:
        count = spec.objects[len(prompts) % len(spec.objects)]
        text = write(rng, count)
        prompts.setdefault(text, prompt(text, f"{count} {noun}{'s' if count > 1 else ''}"))
    return list(prompts.values())
