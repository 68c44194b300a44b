"""What the nightly comparison finds of injected faults, and how often it cries wolf."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import binomtest

from skewbench import sql
from skewbench.eval.regressions import judged
from skewbench.flows import experiments
from skewbench.storage.manifest import find_run
from skewbench.storage.store import open_store
from skewbench.tasks.regressions.compare import Gathered, gather

LEVEL = 0.01
FAULTS = {
    "alpha": "alpha off by 2%",
    "last": "wrong scale in the last block",
    "scale": "wrong scale in the middle block",
    "slight": "scale off by 10% there",
    "half": "energies in float16",
}
NULLS = {
    "rebuild": "the same build again",
    "rebatched": "the same build in other batches",
    "noise": "the same build on other noise",
}
FIRST = "1: beyond rounding"
SECOND = "2: an effect, q <= 1%"
JUDGED = "2: judged changed or worse"


@dataclass(frozen=True)
class Line:
    """How many trials raised an alarm."""

    what: str
    layer: str
    alarms: int
    trials: int

    def __str__(self) -> str:
        spread = binomtest(self.alarms, self.trials).proportion_ci(0.95, "wilson")
        rate = f"{self.alarms / self.trials:6.1%}  [{spread.low:.1%}, {spread.high:.1%}]"
        return f"{self.what:32} {self.layer:31} {self.alarms:4} of {self.trials}  {rate}"


def evidence(lake: str, runs: dict[str, str]) -> dict[str, Gathered]:
    """Each arm's pairs with the baseline arm, by arm."""
    store, spec = open_store(lake), experiments.load("nightly").nightly
    was = find_run(store, runs["baseline"])
    found = {}
    for arm, run in runs.items():
        if arm != "baseline":
            with sql.connect(lake, [run, was.run_id]) as connection:
                found[arm] = gather(connection, store, find_run(store, run), was, spec)
    return found


def trial_lines(arms: dict[str, Gathered], trials: int, prompts: int) -> Iterator[tuple[str, Line]]:
    """(`power` or `false alarms`, line) of each arm. Every trial takes the prompts that its number draws."""
    for arm, known in arms.items():
        kind, what = ("power", FAULTS[arm]) if arm in FAULTS else ("false alarms", NULLS[arm])
        pool = known.pairs["prompt_id"].unique().sort().to_list()
        draws = [np.random.default_rng(trial).choice(pool, prompts, replace=False).tolist() for trial in range(trials)]
        chosen = [known.pairs.filter(pl.col("prompt_id").is_in(draw)) for draw in draws]
        if arm != "noise":  # other noise is other images: that the first layer sees it is no alarm
            moved = sum(bool(part["moved"].any()) for part in chosen)
            yield kind, Line(what, FIRST, moved, trials)
        # as on another device: nothing is known of rounding, and the tests have to find it
        blind = [part.with_columns(moved=pl.lit(None, pl.Boolean)) for part in chosen if part.height]
        if kind == "false alarms" and arm != "noise":
            blind = chosen  # on the same device rounding is no change
        tables = [judged(part.filter(pl.col("kind") != "picture"), known.margin_of, LEVEL) for part in blind]
        stands_out = sum(bool((table["q"] <= LEVEL).any()) for table in tables)
        matters = sum(bool(table["verdict"].is_in(["worse", "changed"]).any()) for table in tables)
        yield kind, Line(what, SECOND, stands_out, trials)
        yield kind, Line(what, JUDGED, matters, trials)
