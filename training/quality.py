"""Measures how well a bundled model follows held-out captions: means by number of objects, with intervals."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from skewbench.eval.scorers import SampleScorer, Score, declaration, make
from skewbench.eval.statistics import interval, mean_draws, resample
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts import Prompt, load_prompts

COUNTS = (1, 2, 3)
"""Numbers of objects in a scene, or of events in a sound."""
RESAMPLES = 2000


def by_count(generate: Callable[[list[Prompt]], Any], spec: PromptSpec, scorer: str, title: str, prompts: int) -> Any:
    """Generate random captions of the test split, and print a scorer's means by number of objects or events.

    Args:
        generate: Makes one sample per prompt.
        spec: Source and seed of the captions.
        scorer: A scorer of samples.
        title: Title of the table: model and settings.
        prompts: Captions for each number.

    Returns:
        What `generate` made, with the numbers in rotation.

    Raises:
        TypeError: The scorer scores no samples.
    """
    judge = make(scorer)
    if not isinstance(judge, SampleScorer):
        raise TypeError(f"{scorer} scores no samples")
    whole = spec.model_copy(update={"count": len(COUNTS) * prompts, "objects": COUNTS})
    mixed = load_prompts(whole)
    made = generate(mixed)
    scores = judge.score(made, [prompt.text for prompt in mixed])
    noun = str(mixed[0].category).split()[-1]
    columns = (f"{n} {noun}{'s' if n > 1 else ''}" for n in COUNTS)
    table = Table("", *columns, title=f"{title}, {prompts} captions each: means [95%]")
    for metric in declaration(scorer).metric_names:
        table.add_row(metric, *(_mean(scores[metric][at :: len(COUNTS)]) for at in range(len(COUNTS))))
    Console().print(table)
    return made


def _mean(scores: Sequence[Score]) -> str:
    values = np.array([score.value for score in scores if score.value is not None])
    if not len(values):
        return "-"
    draws = mean_draws(values[:, None], np.arange(len(values)), resample(len(values), RESAMPLES))
    within = interval(draws[:, 0])
    return f"{values.mean():.3f} [{within.low:.3f}, {within.high:.3f}]"
