"""The plan of a run: which samples, in which shards. Pure arithmetic over an experiment; loads no weights."""

from dataclasses import dataclass

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
    whole_prompts = max(1, shard // experiment.seeds)
    shards = []
    for cell in experiment.cells:
        for start in range(0, len(prompts), whole_prompts):
            samples = tuple(
                _sample(experiment, run_id, size, cell, prompt, seed)
                for prompt in prompts[start : start + whole_prompts]
                for seed in range(experiment.seeds)
            )
            shards.append(Shard(shard_id([sample.sample_id for sample in samples]), cell, samples))
    return shards


def _sample(experiment: Experiment, run_id: str, size: Size, cell: Cell, prompt: Prompt, seed: int) -> Sample:
    noise = noise_seed(prompt.id, seed, experiment.shared_seeds)
    pair = pair_id(prompt.id, noise, size)
    return Sample(sample_id(run_id, pair, cell.name), pair, prompt, seed, noise)
