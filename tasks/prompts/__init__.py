"""Loads the prompts of an experiment from their source, without duplicates."""

from collections.abc import Callable
from itertools import chain, zip_longest
from pathlib import Path

from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts.attributes import attribute_prompts
from skewbench.tasks.prompts.coco import coco_captions
from skewbench.tasks.prompts.grammars import scene_captions, sound_captions
from skewbench.tasks.prompts.hub import hub_prompts
from skewbench.tasks.prompts.prompt import Prompt
from skewbench.tasks.prompts.tables import from_table, read_file, read_table
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.texts import is_unicode
from skewbench.vocabulary.user_paths import user_path

__all__ = ["Prompt", "count_duplicates", "load_prompts"]

_NATURAL = Path(__file__).parent / "natural.tsv"


def load_prompts(spec: PromptSpec) -> list[Prompt]:
    """Load the prompts of an experiment, in order, each once.

    Args:
        spec: The experiment's prompts.

    Raises:
        InputError: They cannot be read, or are fewer than requested.
    """
    once: dict[str, Prompt] = {}
    for prompt in _SOURCES[spec.source](spec):
        if not is_unicode(f"{prompt.id}{prompt.text}{prompt.category}{prompt.challenge}"):
            raise InputError(f"prompts: {prompt.text[:80]!a} has half of a surrogate pair, which is not valid text")
        once.setdefault(prompt.id, prompt)
    found = list(once.values())
    where = spec.path or spec.dataset or spec.source
    if not found:
        raise InputError(f"prompts {where!r}: contains no prompts")
    if spec.count and spec.count > len(found):
        raise InputError(f"prompts.count {spec.count}: {where!r} has only {len(found)} different prompts")
    return _only(found[: spec.count], spec.only, where) if spec.only else found[: spec.count]


def _only(prompts: list[Prompt], ids: tuple[str, ...], where: str) -> list[Prompt]:
    """Select the prompts with these ids, in their order. Raises `InputError`."""
    by_id = {prompt.id: prompt for prompt in prompts}
    for number in dict.fromkeys(ids):
        if number not in by_id:
            raise InputError(f"prompts.only {number!r}: {where!r} has no prompt of this id")
    return [by_id[number] for number in dict.fromkeys(ids)]


def count_duplicates(spec: PromptSpec) -> int:
    """Count the repeated prompts of a person's file or data set, beyond the first of each.

    Args:
        spec: The experiment's prompts.
    """
    if spec.source not in ("file", "hub"):
        return 0
    every = [prompt.id for prompt in _SOURCES[spec.source](spec)]
    return len(every) - len(set(every))


def _natural(_: PromptSpec) -> list[Prompt]:
    """Order the bundled prompts so that categories take turns: the first ones are of all categories."""
    every = from_table(read_table(_NATURAL), "natural.tsv", "prompt", "category")
    categories = list(dict.fromkeys(prompt.category for prompt in every))
    in_turn = zip_longest(*([prompt for prompt in every if prompt.category == name] for name in categories))
    return [prompt for prompt in chain.from_iterable(in_turn) if prompt]


def _path(spec: PromptSpec) -> Path:
    return user_path(str(spec.path), "prompts.path")


def _file(spec: PromptSpec) -> list[Prompt]:
    return read_file(_path(spec), spec.column, spec.category_column)


def _coco(spec: PromptSpec) -> list[Prompt]:
    return coco_captions(_path(spec), spec.count, spec.seed)


def _parti(spec: PromptSpec) -> list[Prompt]:
    path = _path(spec)
    return from_table(read_table(path), f"prompts.path {str(path)!r}", "Prompt", "Category", "Challenge")


def _hub(spec: PromptSpec) -> list[Prompt]:
    return hub_prompts(str(spec.dataset), spec.column, spec.category_column)


_SOURCES: dict[str, Callable[[PromptSpec], list[Prompt]]] = {
    "scenes": scene_captions,
    "sounds": sound_captions,
    "natural": _natural,
    "attributes": attribute_prompts,
    "file": _file,
    "coco": _coco,
    "parti": _parti,
    "hub": _hub,
}
