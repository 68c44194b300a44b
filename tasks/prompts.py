"""Prompts of an experiment, with ids that do not depend on order or file name."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from eval.scenes.captions import caption
from eval.scenes.scene import sample_scene
from tasks.errors import InputError
from tasks.experiment import PromptSpec

DEFAULT_SCENES = 32


@dataclass(frozen=True)
class Prompt:
    """One prompt. `id` is a digest of its text."""

    id: str
    text: str
    category: str | None


def load_prompts(spec: PromptSpec) -> list[Prompt]:
    """The prompts of an experiment, in order, each text once. Raises `InputError`."""
    return _scene_captions(spec) if spec.source == "scenes" else _lines(spec)


def _prompt(text: str, category: str | None = None) -> Prompt:
    return Prompt(sha256(text.encode()).hexdigest()[:12], text, category)


def _scene_captions(spec: PromptSpec) -> list[Prompt]:
    """Captions of random scenes; the category is the number of objects."""
    rng = np.random.default_rng(spec.seed)
    wanted = spec.count or DEFAULT_SCENES
    prompts: dict[str, Prompt] = {}
    while len(prompts) < wanted:
        count = spec.objects[len(prompts) % len(spec.objects)]
        text = caption(sample_scene(rng, count, spec.split), rng)
        prompts.setdefault(text, _prompt(text, f"{count} object{'s' if count > 1 else ''}"))
    return list(prompts.values())


def _lines(spec: PromptSpec) -> list[Prompt]:
    path = Path(str(spec.path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"prompts.path {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"prompts.path {str(path)!r}: not UTF-8 text (byte {error.start})") from None
    lines = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not lines:
        raise InputError(f"prompts.path {str(path)!r}: no prompts in it; one a line is wanted")
    if spec.count and spec.count > len(lines):
        raise InputError(f"prompts.count {spec.count}: {str(path)!r} has only {len(lines)} different prompts")
    return [_prompt(line) for line in lines[: spec.count]]
