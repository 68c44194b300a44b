"""The arms of the regression trials: one experiment, generated once by each build, sound ones and broken ones.

An arm is a run of a lake, made by the code that makes every run; a broken build is the code with one line of it
replaced. The lake stays where `--cache` says, so that the trials can be run again in a minute.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from rich.progress import Progress

from skewbench import stability
from skewbench.stability import control
from skewbench.stability.sites import sites
from skewbench.storage.lease import Lease
from skewbench.tasks import generate
from skewbench.tasks.experiment import Experiment, parse_experiment
from skewbench.tasks.run import commit, generation_left, prepare, scoring_left, start
from skewbench.tasks.worker import Worker

WIDE_SCALE = 0.5**0.5
"""Times 1 / sqrt d: the scale of a head that is twice as wide, as the skewed queries and keys are."""
SLIGHT_SCALE = 1.1
ALPHA_OFF = 1.02


def experiment(repeat: str, batch: int, prompts: int, metrics: tuple[str, ...]) -> Experiment:
    """The pinned experiment of the trials, under a knob, since one of the faults is the knob's."""
    return parse_experiment(
        {
            "name": "regressions",
            "prompts": {"source": "scenes", "count": prompts, "objects": [1, 2, 2, 3]},
            "seeds": 4,
            "generation": {"steps": 4, "guidance": 1.0},
            "cells": [{"name": "static", "knob": {"kind": "skew", "alpha": 1.2, "beta": 5.0}}],
            "measure": {"detail": "steps", "columns": 8},
            "metrics": metrics,
            "workers": {"batch": batch, "shard": 40},
            "repeat": repeat,
        },
        "the trials' experiment",
    )


@contextmanager
def other_noise() -> Iterator[None]:
    """The same build on other noise, under the pair's id: what chance alone does to an image."""
    make = generate.generate_batch

    def on_other_noise(pipeline: Any, samples: Any, *rest: Any) -> Any:
        return make(pipeline, [replace(sample, noise_seed=sample.noise_seed ^ 1) for sample in samples], *rest)

    with patch.object(generate, "generate_batch", on_other_noise):
        yield


@contextmanager
def alpha_off() -> Iterator[None]:
    """Alpha is 2% too large, and recorded as if it were not."""
    blend = control.blend_for

    def off(knob: Any, *rest: Any) -> Any:
        return blend(replace(knob, alpha=ALPHA_OFF * knob.alpha), *rest)

    with patch.object(control, "blend_for", off):
        yield


@contextmanager
def half_energies() -> Iterator[None]:
    """Measures are computed in float16."""

    def halves(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensor.half() for tensor in tensors)

    def in_half(*given: torch.Tensor) -> Any:
        with patch.object(stability.measures, "upcast", halves):
            return stability.measures.measure(*given)

    with patch.object(stability.retrieved, "measure", in_half):
        yield


def wrong_scale(factor: float, place: float, pipeline: Any) -> None:
    """In one block alone: a query that is `factor` times as long is a scale as much larger.

    `place`: of the block among all of the network, 0 the first, 1 the last.
    """
    layers = sites(pipeline.unet)
    _, layer = layers[round(place * (len(layers) - 1))]
    with torch.no_grad():
        layer.to_q.weight *= factor


BUILDS: dict[str, tuple[Callable[[], Any], Callable[[Any], None] | None, int]] = {
    # name: what is replaced while it generates, what is done to the model, samples a batch
    "baseline": (nullcontext, None, 20),
    "noise": (other_noise, None, 20),
    "alpha": (alpha_off, None, 20),
    "last": (nullcontext, partial(wrong_scale, WIDE_SCALE, 1.0), 20),
    "scale": (nullcontext, partial(wrong_scale, WIDE_SCALE, 0.5), 20),
    "slight": (nullcontext, partial(wrong_scale, SLIGHT_SCALE, 0.5), 20),
    "half": (half_energies, None, 20),
    "rebatched": (nullcontext, None, 7),
    "rebuild": (nullcontext, None, 20),
}


def make(lake: str, arm: str, prompts: int, metrics: tuple[str, ...]) -> str:
    """Generate and score an arm as far as it is not there yet; its run's id."""
    replaced, spoil, batch = BUILDS[arm]
    with replaced():
        return generated(lake, experiment(arm, batch, prompts, metrics), spoil)


def generated(lake: str, chosen: Experiment, spoil: Callable[[Any], None] | None = None) -> str:
    """Generate and score a run, as far as it is not there yet; its id. Its seconds are the processor's."""
    run = prepare(chosen, lake)
    with Lease(run.store, run.id) as lease:
        state = start(run, lease)
    worker = Worker(run.needs)
    # what else the machine does takes less of the processor's seconds than of the clock's
    with patch.object(time, "perf_counter", time.process_time), Progress() as progress:
        jobs = generation_left(run, state)
        if jobs and spoil:
            spoil(worker._pipeline)
        for job in progress.track(jobs, description=f"{chosen.repeat}: generating"):
            worker.run(job)
    commit(run, state, [])
    with Progress() as progress:
        for job in progress.track(scoring_left(run, state), description=f"{chosen.repeat}: scoring"):
            worker.run(job)
    return commit(run, state, []).run_id
