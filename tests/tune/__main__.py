"""`python -m tests.tune`: does a search find what is there, and nothing else?

    .venv/bin/python -m tests.tune

prints a table of planted problems, whose best setting is known. Exits with 1 where a promise is not kept: the optimum
is found in at least 90 of 100 searches, and a problem without an effect gives "not shown" in at least 95.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.tune import planted
from tests.tune.planted import BUDGET, SEEDS, TOLERANCE, Planted

PROBLEMS = {"inside": planted.INSIDE, "bound": planted.AT_THE_BOUND, "nothing": planted.NOTHING}
HEAD = ("problem", "searches", "found", "better", "not shown", "worse", "median share of the best gain")


def main(arguments: list[str] | None = None) -> int:
    """Search each problem with many seeds, and print the table. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=100, help="of each problem, with seeds from 0")
    parser.add_argument("--processes", type=int, default=1)
    asked = parser.parse_args(arguments)
    print(f"{BUDGET} images a search, {SEEDS} a prompt; found: the bound is kept, and the gain is at least "
          f"{1 - TOLERANCE:.0%} of the best\n\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")  # fmt: skip
    kept = True
    for name, problem in PROBLEMS.items():
        row, holds = tried(name, problem, asked.searches, asked.processes)
        kept &= holds
        print(f"| {' | '.join(row)} |", flush=True)
    return 0 if kept else 1


def tried(name: str, problem: Planted, searches: int, processes: int = 1) -> tuple[tuple[str, ...], bool]:
    """Search a problem with each seed: its row of the table, and whether its promise is kept."""
    if processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            outcomes = list(pool.map(partial(_outcome, name), range(searches)))
    else:
        outcomes = [_outcome(name, seed) for seed in range(searches)]
    verdicts, found = Counter(verdict for _, verdict, _ in outcomes), sum(found for found, _, _ in outcomes)
    shares = sorted(share for _, _, share in outcomes)
    effect = bool(problem.best)
    cells = (str(found) if effect else "–", *(str(verdicts[word]) for word in ("better", "not shown", "worse")))
    row = (problem.name, str(searches), *cells, f"{shares[len(shares) // 2]:.0%}" if effect else "–")
    promise = found >= 0.9 * searches if problem is planted.INSIDE else True
    return row, promise if effect else verdicts["not shown"] >= 0.95 * searches


def _outcome(name: str, seed: int) -> tuple[bool, str, float]:
    problem = PROBLEMS[name]
    result = planted.solve(problem, seed)
    gain = problem.changes(result.chosen.knob)["binding"]
    return planted.found(problem, result), result.verdict, gain / problem.best if problem.best else 0.0


if __name__ == "__main__":
    sys.exit(main())
