"""The plan of a run: which samples, in which shards. Pure arithmetic over an experiment; loads no weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from skewbench.tasks.experiment import Cell, Experiment
from skewbench.tasks.identity import noise_seed, pair_id, sample_id, shard_id
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.size import Size


@dataclass(frozen=True)
class Sample:
    """One prompt, seed and cell."""

    sample_id: str
    pair_id: str
    prompt: Prompt
    seed: int
    noise_seed: int


@dataclass(frozen=True)
class Shard:
    """A group of samples of one cell. It has whole prompts, so one worker scores all seeds of a prompt."""

    id: str
    cell: Cell
    samples: tuple[Sample, ...]


def plan_shards(experiment: Experiment, prompts: list[Prompt], run_id: str, size: Size, shard: int) -> list[Shard]:
    """Plan the shards of a run.

    Args:
        experiment: The experiment.
        prompts: Its prompts.
        run_id: The run.
        size: Of each sample.
        shard: Approximate number of samples per shard.

    Returns:
        All shards, in order of cells.
    """
    groups = [
        [
            _paired(prompt, seed, experiment.shared_seeds, size)
            for prompt in prompts[start : start + count]
            for seed in range(experiment.seeds)
        ]
        for start, count in _groups(len(prompts), experiment.seeds, shard)
    ]
    shards = []
    for cell, group in product(experiment.cells, groups):
        samples = tuple(Sample(sample_id(run_id, pair.pair_id, cell.name), *pair) for pair in group)
        shards.append(Shard(shard_id([sample.sample_id for sample in samples]), cell, samples))
    return shards


def shard_sizes(experiment: Experiment, prompts: int, shard: int) -> list[int]:
    """Compute the number of samples of each shard that `plan_shards` plans.

    Args:
        experiment: The experiment.
        prompts: Number of its prompts.
        shard: Approximate number of samples per shard.
    """
    of_a_cell = [count * experiment.seeds for _, count in _groups(prompts, experiment.seeds, shard)]
    return of_a_cell * len(experiment.cells)


def _groups(prompts: int, seeds: int, shard: int) -> Iterator[tuple[int, int]]:
    """Yield the first prompt and the number of prompts of each shard of a cell."""
    whole_prompts = max(1, shard // seeds)
    return ((start, min(whole_prompts, prompts - start)) for start in range(0, prompts, whole_prompts))


class _Pair(NamedTuple):
    """What the samples of all cells share: the last fields of `Sample`."""

    pair_id: str
    prompt: Prompt
    seed: int
    noise_seed: int


def _paired(prompt: Prompt, seed: int, shared_seeds: bool, size: Size) -> _Pair:
    noise = noise_seed(prompt.id, seed, shared_seeds)
    return _Pair(pair_id(prompt.id, noise, size), prompt, seed, noise)
