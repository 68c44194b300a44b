"""Selects what a person compares: two samples of one prompt and seed, or two sets of samples of one prompt."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

from skewbench.sql import connect
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.storage.verify import reporting_broken_parts
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.vocabulary.errors import InputError

Question = Literal["quality", "diversity"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
MOST_IN_A_SET = 9
"""Samples of a prompt that are shown at once."""
LEAST_IN_A_SET = 2


@dataclass(frozen=True)
class Comparison:
    """What is compared, without an order of the cells.

    Args:
        question: `quality`: one sample of each cell; `diversity`: a set of each.
        prompt_id: The prompt.
        pair_id: The pair of samples; None for sets.
        cells: The two cells, in the order of the run.
        prompt: Its text.
        samples: Ids of the samples of each cell, the same seeds in the same order.
    """

    question: Question
    prompt_id: str
    pair_id: str | None
    cells: tuple[str, str]
    prompt: str
    samples: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def key(self) -> tuple[str, ...]:
        """Its key: a rater's later vote with the same key replaces the earlier one."""
        return key_of(self.question, self.prompt_id, self.pair_id, self.cells)


def key_of(question: str, prompt_id: str, pair_id: str | None, cells: Sequence[str]) -> tuple[str, ...]:
    """Return the key of a comparison. It does not depend on the order of the cells.

    Args:
        question: The question.
        prompt_id: The prompt.
        pair_id: The pair of samples; None for sets.
        cells: The two cells.
    """
    return (question, prompt_id, pair_id or "", *sorted(cells))


@dataclass(frozen=True)
class Found:
    """The comparisons of a run.

    Args:
        comparisons: In the order of the run.
        left_out: How many were left out because a sample is missing or not usable, by pair of cells.
    """

    comparisons: list[Comparison]
    left_out: dict[tuple[str, str], int]


def find_comparisons(store: Store, manifest: Manifest, question: Question, cells: Sequence[str] = ()) -> Found:
    """Find all comparisons of a run of which both sides are usable.

    For `quality` both samples have the status `ok` and a file. For `diversity` a set has the seeds whose samples are
    usable in both cells, at least `LEAST_IN_A_SET` and at most `MOST_IN_A_SET`.

    Args:
        store: The lake.
        manifest: The run.
        question: The question.
        cells: As for `pairs_of_cells`.

    Raises:
        InputError: Unknown cells, a run that is still running, or nothing to compare.
    """
    if manifest.status == "running":
        raise InputError(f"run {manifest.run_id} is still running, or was stopped; rate it when it is finished")
    pairs = pairs_of_cells(manifest, cells)
    samples = _samples(store, manifest, sorted({cell for pair in pairs for cell in pair}))
    select = _pairs if question == "quality" else _sets
    found, left_out = list[Comparison](), dict[tuple[str, str], int]()
    for pair in pairs:
        left_out[pair] = 0
        for one in select(question, samples, pair):
            if one is None:
                left_out[pair] += 1
            else:
                found.append(one)
    if not found:
        unusable = sum(left_out.values())
        why = f"{unusable} were left out, because a sample failed or its file is missing" if unusable else "no samples"
        raise InputError(
            f"run {manifest.run_id} has nothing to compare in {', '.join(map(' and '.join, pairs))}: {why}"
        )
    return Found(found, left_out)


def pairs_of_cells(manifest: Manifest, named: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Select the pairs of cells to compare.

    Args:
        manifest: The run.
        named: Names of cells: each pair of them; one name: the baseline and this cell; none: the baseline and each
            other cell.

    Returns:
        Pairs in the order of the run's cells.

    Raises:
        InputError: An unknown cell, or the run has no baseline, or too few cells.
    """
    known = [cell["name"] for cell in manifest.cells]
    if unknown := [name for name in named if name not in known]:
        raise InputError(f"--cells {unknown[0]}: run {manifest.run_id} has no such cell; it has {', '.join(known)}")
    chosen = [name for name in known if name in named]
    if len(chosen) > 1:
        return list(combinations(chosen, 2))
    baseline = manifest.baseline
    if baseline is None:
        raise InputError(
            f"run {manifest.run_id} has no baseline; name two of its cells with --cells: {', '.join(known)}"
        )
    others = [name for name in (chosen or known) if name != baseline]
    if not others:
        raise InputError(f"--cells {baseline}: name another cell too; run {manifest.run_id} has {', '.join(known)}")
    return [(baseline, name) for name in others]


@dataclass(frozen=True)
class _Sample:
    """A sample, or the place of one that is not usable."""

    prompt_id: str
    prompt: str
    pair_id: str
    seed: int
    sample_id: str
    usable: bool


def _samples(store: Store, manifest: Manifest, cells: list[str]) -> dict[str, dict[str, _Sample]]:
    """The samples of some cells, by cell and pair."""
    table = MEDIA[medium_of(manifest)].table.name
    text = f"""
        SELECT cell, prompt_id, prompt, pair_id, seed, sample_id,
            status = 'ok' AND sample_id IN (SELECT sample_id FROM {table})
        FROM samples WHERE list_contains($1, cell) ORDER BY prompt_id, seed, pair_id
    """  # noqa: S608 a table of the lake
    found: dict[str, dict[str, _Sample]] = defaultdict(dict)
    with reporting_broken_parts(store, manifest), connect(store.lake, manifest.run_id) as lake:
        for cell, prompt_id, prompt, pair_id, seed, sample_id, usable in lake.execute(text, [cells]).fetchall():
            found[cell][pair_id] = _Sample(prompt_id, prompt, pair_id, seed, sample_id, usable)
    return found


def _pairs(
    question: Question, samples: dict[str, dict[str, _Sample]], cells: tuple[str, str]
) -> Iterator[Comparison | None]:
    """Each pair of samples; None for one that is not usable."""
    for _, one, other in _both(samples, cells):
        if one and other and one.usable and other.usable:
            ids = ((one.sample_id,), (other.sample_id,))
            yield Comparison(question, one.prompt_id, one.pair_id, cells, one.prompt, ids)
        else:
            yield None


def _sets(
    question: Question, samples: dict[str, dict[str, _Sample]], cells: tuple[str, str]
) -> Iterator[Comparison | None]:
    """Each pair of sets of a prompt; None for one that has too few seeds."""
    by_prompt: dict[str, list[tuple[_Sample, _Sample]]] = defaultdict(list)
    for prompt_id, one, other in _both(samples, cells):
        usable = by_prompt[prompt_id]
        if one and other and one.usable and other.usable:
            usable.append((one, other))
    for prompt_id, usable in by_prompt.items():
        if len(usable) < LEAST_IN_A_SET:
            yield None
            continue
        shown = usable[:MOST_IN_A_SET]
        ids = (tuple(one.sample_id for one, _ in shown), tuple(other.sample_id for _, other in shown))
        yield Comparison(question, prompt_id, None, cells, shown[0][0].prompt, ids)


def _both(
    samples: dict[str, dict[str, _Sample]], cells: tuple[str, str]
) -> Iterator[tuple[str, _Sample | None, _Sample | None]]:
    """Each prompt with the samples of a pair in both cells; None where a cell has none."""
    ours, theirs = samples[cells[0]], samples[cells[1]]
    for pair_id, known in {**theirs, **ours}.items():
        yield known.prompt_id, ours.get(pair_id), theirs.get(pair_id)
