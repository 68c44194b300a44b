"""What the pool costs beside plain Ray, and how it scales: `python -m tests.bench.pool`.

Null jobs on warm workers, in two ways: actors and `ray.wait` in a loop, and the pool; by the clock, in turns, and by
the driver's memory, each in a fresh process. Then jobs that sleep half a second on one worker and on eight. The workers
only wait, so they need no CPU, and there may be more of them than cores.
"""

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import ray

from skewbench.tasks.pool import WorkerPool, connect_ray
from tests.bench.rounds import Times, alternate, spread
from tests.bench.tables import arguments, show
from tests.null_workers import NullJob, NullNeeds, NullWorker, jobs

NEEDS = NullNeeds(threads=0)
WORKERS = 2
SLEEP = 0.5
RAY, POOL = "plain Ray", "the pool"


def main(argv: Sequence[str] | None = None) -> None:
    asked = arguments(__doc__).parse_args(argv)
    shards, marks = (20, [5, 20]) if asked.tiny else (1000, [100, 1000, 4000, 8000])
    each, many = (2, 2) if asked.tiny else (8, 8)
    connect_ray(None, gpus=0.0)
    try:
        address = ray.get_runtime_context().gcs_address
        memory = {side: _in_a_fresh_process(_memory, side, address, marks) for side in (RAY, POOL)}
        times = _overhead(shards, asked.rounds)
        efficiency = _efficiency(each, many, asked.rounds)
    finally:
        ray.shutdown()
    apiece = {side: [1000 * seconds / shards for seconds in taken.seconds] for side, taken in times.items()}
    beyond = [ours - plain for ours, plain in zip(apiece[POOL], apiece[RAY], strict=True)]
    rows = [
        (f"ms a shard, {shards} null shards", spread(apiece[RAY]), spread(apiece[POOL]), spread(beyond)),
        *(
            (f"MB more in the driver after {mark} shards", f"{plain:.1f}", f"{ours:.1f}", f"{ours - plain:.1f}")
            for mark, plain, ours in zip(marks, memory[RAY], memory[POOL], strict=True)
        ),
        (f"efficiency, 1 -> {many} workers, {each} shards of {SLEEP} s for each", "", spread(efficiency), ""),
    ]
    notes = [f"By the clock, so that other programs on the machine count; {WORKERS} warm workers but in the last row."]
    raw = {
        "seconds": {side: taken.seconds for side, taken in times.items()},
        "memory": memory,
        "efficiency": efficiency,
    }
    header = ["what", RAY, POOL, "beyond it"]
    show("pool", "The pool beside plain Ray", header, rows, device="cpu", notes=notes, raw=raw, out=asked.out)


def _in_a_fresh_process(function: Callable[..., Any], *arguments: object) -> Any:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def _memory(side: str, address: str, marks: Sequence[int]) -> list[float]:
    """MB by which this driver has grown after so many shards. What they return is dropped."""
    connect_ray(address, gpus=0.0)
    found, through = [], 0
    with _side(side) as run:
        gc.collect()
        began = psutil.Process().memory_info().rss
        for mark in marks:
            for _ in run(jobs(mark - through)):
                continue
            through = mark
            gc.collect()
            found.append((psutil.Process().memory_info().rss - began) / 1e6)
    ray.shutdown()
    return found


def _overhead(shards: int, rounds: int) -> dict[str, Times]:
    """Seconds of all shards."""
    with _side(RAY) as plain, _side(POOL) as ours:
        return alternate(
            {RAY: lambda: list(plain(jobs(shards))), POOL: lambda: list(ours(jobs(shards)))}, rounds=rounds
        )


@contextmanager
def _side(name: str) -> Iterator[Callable[[list[NullJob]], Iterator[Any]]]:
    """Within: two warm workers, and what does jobs on them."""
    if name == POOL:
        with WorkerPool(NEEDS, WORKERS, NullWorker) as pool:
            _warm(pool, WORKERS)
            yield pool.run
    else:
        actors = [ray.remote(NullWorker).options(num_cpus=0).remote(NEEDS) for _ in range(WORKERS)]
        ray.get([actor.ready.remote() for actor in actors])
        yield lambda waiting: _plain(actors, waiting)
        for actor in actors:
            ray.kill(actor)


def _plain(actors: list[Any], waiting: list[NullJob]) -> Iterator[Any]:
    """One job an actor at a time, in one call."""
    running = {actor.run.remote(waiting.pop()): actor for actor in actors}
    while running:
        (ready,), _ = ray.wait(list(running))
        actor = running.pop(ready)
        yield ray.get(ready)
        if waiting:
            running[actor.run.remote(waiting.pop())] = actor


def _efficiency(each: int, many: int, rounds: int) -> list[float]:
    """Seconds of one worker over those of many, which have as many shards each."""
    found = []
    with WorkerPool(NEEDS, 1, NullWorker) as one, WorkerPool(NEEDS, many, NullWorker) as together:
        _warm(one, 1)
        _warm(together, many)
        for _ in range(rounds):
            alone = _seconds(lambda: list(one.run(jobs(each, SLEEP))))
            found.append(alone / _seconds(lambda: list(together.run(jobs(each * many, SLEEP)))))
    return found


def _warm(pool: WorkerPool, workers: int) -> None:
    """Give jobs until all workers have done some."""
    seen: set[int] = set()
    while len(seen) < workers:
        seen |= {outcome.receipt.process for outcome in pool.run(jobs(2 * workers, 0.1))}


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
