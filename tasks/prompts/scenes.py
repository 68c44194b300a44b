"""Captions of random scenes, with ground truth for scoring."""

import numpy as np

from skewbench.eval.scenes.captions import caption
from skewbench.eval.scenes.scene import sample_scene
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts.prompt import Prompt, prompt

DEFAULT_SCENES = 32


def scene_captions(spec: PromptSpec) -> list[Prompt]:
    """Generate different captions of random scenes; the category is the number of objects.

    Args:
        spec: The experiment's prompts, with count, seed, split and numbers of objects.
    """
    rng = np.random.default_rng(spec.seed)
    requested = spec.count or DEFAULT_SCENES
    prompts: dict[str, Prompt] = {}
    while len(prompts) < requested:
        count = spec.objects[len(prompts) % len(spec.objects)]
        text = caption(sample_scene(rng, count, spec.split), rng)
        prompts.setdefault(text, prompt(text, f"{count} object{'s' if count > 1 else ''}"))
    return list(prompts.values())
