"""Prompts that a model reads in part: counted by its own tokenizers; no weights are read."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from skewbench.tasks.experiment import Experiment
from skewbench.tasks.families.contract import Encoder
from skewbench.tasks.models import BUNDLED, ModelSource, family_of_source
from skewbench.tasks.prompts import Prompt, count_duplicates

Count = Callable[[str], int]
SPECIAL = 4
"""More tokens than a tokenizer adds to a text."""
LARGEST = 1 << 20
"""A tokenizer that names a larger length has no limit."""


@dataclass(frozen=True)
class _Read:
    """The part of some texts that one encoder reads."""

    name: str
    limit: int
    longest: int
    cut: frozenset[str]


def prompt_notes(experiment: Experiment, prompts: Sequence[Prompt], source: ModelSource | None) -> tuple[str, ...]:
    """Describe the prompts that a model does not read completely, in one line for each kind.

    Args:
        experiment: The experiment.
        prompts: Its prompts.
        source: Its model; None: it is not on this machine, and no tokens are counted.
    """
    notes = []
    if duplicates := count_duplicates(experiment.prompts):
        notes.append(f"{_number(duplicates, 'duplicate prompt')} left out: each prompt is generated once")
    if source is None:
        return tuple(notes)
    texts = [prompt.text for prompt in prompts]
    given = {experiment.generation_of(cell).negative_prompt for cell in experiment.cells}
    notes += _too_long(source, texts, "prompt", negative=False)
    notes += _too_long(source, sorted(text for text in given if text), "negative prompt", negative=True)
    if source.spec.id in BUNDLED:
        notes += _unknown_words(source, texts)
    return tuple(notes)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _too_long(source: ModelSource, texts: Sequence[str], noun: str, *, negative: bool) -> Iterator[str]:
    """Yield one line if texts are longer than an encoder reads.

    Text is lost only if each encoder truncates it, because an encoder with a larger limit reads more of it.
    """
    every = [_read(source, encoder, texts, negative) for encoder in family_of_source(source).encoders]
    read = [one for one in every if one]
    cutting = [one for one in read if one.cut]
    if not cutting:
        return
    cut = frozenset[str]().union(*(one.cut for one in cutting))
    lost = cut.intersection(*(one.cut for one in read))
    limits = ", ".join(f"{one.name} reads {one.limit} tokens" for one in cutting)
    longest = max(one.longest for one in cutting)
    widest = max(read, key=lambda one: one.limit).name
    if not lost:
        end = f"no text is lost, because {widest} reads it all"
    elif lost == cut:
        end = "the rest of the text is lost"
    else:
        end = f"text of {len(lost)} is lost, and {widest} reads all of the others"
    yield f"{len(cut)} of {_number(len(texts), noun)} too long: {limits}, the longest has {longest}; {end}"


def _read(source: ModelSource, encoder: Encoder, texts: Iterable[str], negative: bool) -> _Read | None:
    """Return what an encoder reads; None if the model does not use it, or its tokenizer has no limit."""
    folder = source.folder / encoder.tokenizer
    if not folder.is_dir():
        return None
    limit = encoder.limit or _limit_of(folder)
    if limit is None:
        return None
    before = "" if negative else encoder.before
    given = {text: before + (text.lower().strip() if encoder.lower else text) for text in texts}
    # an ASCII text has no more tokens than letters: a tokenizer is loaded only for long texts
    long = [text for text, whole in given.items() if not whole.isascii() or len(whole) + SPECIAL > limit]
    if not long:
        return _Read(encoder.tokenizer, limit, 0, frozenset())
    count = _counter(source, folder)
    lengths = {text: count(given[text]) for text in long}
    cut = frozenset(text for text, length in lengths.items() if length > limit)
    return _Read(encoder.tokenizer, limit, max(lengths.values()), cut)


def _limit_of(folder: Path) -> int | None:
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    limit = config.get("model_max_length")
    return limit if isinstance(limit, int) and limit < LARGEST else None


def _counter(source: ModelSource, folder: Path) -> Count:
    """Make a counter of tokens, which include those that begin and end a text. Fast if the tokenizer is one file."""
    if (folder / "tokenizer.json").is_file():
        from tokenizers import Tokenizer

        quick = Tokenizer.from_file(str(folder / "tokenizer.json"))
        quick.no_truncation()
        quick.no_padding()
        return lambda text: len(quick.encode(text).ids)
    import transformers

    index = json.loads((source.folder / "model_index.json").read_text(encoding="utf-8"))
    kind = getattr(transformers, index[folder.name][1])
    slow = kind.from_pretrained(str(folder), local_files_only=True)
    return lambda text: len(slow(text).input_ids)


def _unknown_words(source: ModelSource, texts: Sequence[str]) -> Iterator[str]:
    """Yield one line if texts have a word that is not a token, because bundled models know few words."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source.folder / "tokenizer" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    unknown = []
    for text in texts:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        pieces: dict[int | None, list[tuple[int, int]]] = {}
        for word, place in zip(encoded.word_ids, encoded.offsets, strict=True):
            if any(map(str.isalnum, text[slice(*place)])):  # T5 counts "cross," as one word of two tokens
                pieces.setdefault(word, []).append(place)
        split = [text[places[0][0] : places[-1][1]] for places in pieces.values() if len(places) > 1]
        unknown += split[:1]
    if unknown:
        yield (
            f"{len(unknown)} of {_number(len(texts), 'prompt')} with words that {source.spec.id} was not trained on, "
            f"such as {unknown[0]!r}"
        )
