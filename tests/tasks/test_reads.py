"""How often a driver reads and lists what a run keeps: once a start, and what the fence needs."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from skewbench.storage.lease import Lease
from skewbench.storage.location import Folder
from skewbench.storage.state import read_state
from skewbench.tasks.drive import analyse_run
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.run import Run, caught_up, is_finished, prepare
from tests.tasks.experiments import small
from tests.tasks.in_process import generate_and_score


class _Counts:
    """Reads and listings of all stores of this process, by path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads: Counter[str] = Counter()
        self.lists: Counter[str] = Counter()
        read, listed = Folder.read, Folder.list

        def counted_read(place: Folder, path: str) -> bytes:
            self.reads[path] += 1
            return read(place, path)

        def counted_list(place: Folder, folder: str) -> list[str]:
            self.lists[folder] += 1
            return listed(place, folder)

        monkeypatch.setattr(Folder, "read", counted_read)
        monkeypatch.setattr(Folder, "list", counted_list)

    def of_receipts(self) -> set[int]:
        """How often receipts were read that were read at all."""
        return {count for path, count in self.reads.items() if path.startswith("_receipts/")}

    def clear(self) -> None:
        self.reads.clear()
        self.lists.clear()


def _command(experiment: Experiment, lake: str) -> tuple[Run, bool]:
    """What `skewbench run` does before its flow: is all done already?"""
    run = prepare(experiment, lake)
    return run, run.begun is not None and is_finished(run, read_state(run.store, run.begun))


def _flow(experiment: Experiment, lake: str) -> None:
    """What the flow does, without Ray or Prefect."""
    run = prepare(experiment, lake)
    with Lease(run.store, run.id) as lease:
        state = caught_up(run, lease)
        generate_and_score(run, state, lease)
        analyse_run(run.store, state, lease)


def test_an_undisturbed_run(tmp_path: Path, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    experiment, lake = small(model={"id": str(tiny_sdxl)}, metrics=["contrast", "distribution"]), str(tmp_path / "lake")
    counts = _Counts(monkeypatch)
    run, finished = _command(experiment, lake)
    assert not finished
    counts.clear()
    _flow(experiment, lake)
    receipts, manifest = f"_receipts/run_id={run.id}", f"_runs/{run.id}.json"
    assert counts.of_receipts() == set()  # its workers' receipts came back to it
    assert counts.lists[receipts] == 4  # the start, and each of three commits, which must see what others wrote
    # to plan by it, to claim it, three times to compare it as it is replaced, and by the analysis, which is a reader
    assert counts.reads[manifest] <= 6
    counts.clear()
    run, finished = _command(experiment, lake)
    assert finished
    assert counts.of_receipts() == {1}
    assert (counts.lists[receipts], counts.reads[manifest]) == (1, 1)
    _flow(experiment, lake)
    assert counts.of_receipts() == {2}  # by the command, and by the flow that it started
