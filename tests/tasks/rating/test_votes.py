"""Votes reach the lake: durable at once, committed later, withdrawn by a further row, of several raters at once."""

import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from skewbench import sql
from skewbench.storage.compact import compact_run
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, create_manifest, find_run, now, read_manifest
from skewbench.storage.records import Manifest
from skewbench.storage.remove import remove_run
from skewbench.storage.repair import rebuild, repair
from skewbench.storage.state import read_state
from skewbench.storage.store import Store, open_store
from skewbench.storage.verify import check_run
from skewbench.tasks.rating import Comparison, Session, StaleVoteError, Votes, commit, commit_votes, shuffled
from skewbench.vocabulary.errors import RunError
from tests.tasks.rating.toy import session, toy

_RATER = """
import sys
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from tests.tasks.rating.toy import session
store = LocalStore(sys.argv[1])
going = session(store, find_run(store, None), sys.argv[2])
while placed := going.current():
    going.vote(placed.position, ("left", "right", "tie")[placed.position % 3])
    print(placed.position, flush=True)
    if placed.position == int(sys.argv[3]):
        sys.stdin.read()
"""


def rows(store: Store, run_id: str) -> list[dict[str, Any]]:
    """The committed rows."""
    with sql.connect(store.lake, run_id) as lake:
        return lake.execute("FROM ratings ORDER BY rater, time").pl().to_dicts()


def vote(going: Session, *sides: Any) -> None:
    for side in sides:
        placed = going.current()
        assert placed is not None
        going.vote(placed.position, side)


def check(store: Store, run_id: str) -> Manifest:
    """The manifest of a run without broken files."""
    manifest = read_manifest(store, run_id)
    assert manifest is not None
    assert check_run(store, manifest) == []
    return manifest


def rater(folder: Path, name: str, stop_at: int) -> "subprocess.Popen[str]":
    """A process that votes on everything, and waits at a position."""
    command = [sys.executable, "-c", _RATER, str(folder), name, str(stop_at)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_row_says_who_saw_what_where(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    going = session(store, manifest)
    seen = []
    for side in ("left", "right", "tie"):
        seen.append(going.current())
        vote(going, side)
    assert (going.done, going.total, going.votes_written) == (3, 21, 3)
    assert rows(store, manifest.run_id) == []  # not committed yet
    assert commit_votes(store, manifest.run_id, print) is None
    found = rows(store, manifest.run_id)
    for row, placed, index in zip(found, seen, (0, 1, None), strict=True):
        assert placed is not None
        assert row["choice"] == (None if index is None else placed.cells[index])
        assert (row["left_cell"], row["right_cell"]) == placed.cells
        assert (row["left_samples"], row["right_samples"]) == tuple(map(list, placed.samples))
        assert (row["prompt_id"], row["pair_id"]) == (placed.comparison.prompt_id, placed.comparison.pair_id)
        assert (row["rater"], row["question"], row["shuffle_seed"], row["revision"]) == ("ann", "quality", 1, 0)
        assert row["position"] == placed.position
        assert row["time"].endswith("+00:00")
    check(store, manifest.run_id)


def test_sides_can_be_checked_from_the_lake(tmp_path: Path) -> None:
    """As docs/rating.md states: a digest of the seed and what was compared decides who stands on the left."""
    store, manifest = toy(tmp_path)
    vote(session(store, manifest), *["left"] * 10)
    commit_votes(store, manifest.run_id, print)
    order = [cell["name"] for cell in manifest.cells]
    digests = []
    for row in rows(store, manifest.run_id):
        cells = sorted([row["left_cell"], row["right_cell"]])
        compared = [row["shuffle_seed"], row["question"], row["prompt_id"], row["pair_id"], *cells]
        digests.append(sha256(json.dumps(compared).encode()).hexdigest())
        assert (order.index(row["left_cell"]) > order.index(row["right_cell"])) == int(digests[-1], 16) % 2
    assert digests == sorted(digests)


def test_a_session_resumes_and_undo_takes_back_votes_of_an_earlier_one(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    first = session(store, manifest)
    vote(first, "left", "left", "right")
    third = first.at(3)
    again = session(store, manifest)  # nothing is committed: receipts are enough
    assert (again.done, again.votes_written) == (3, 0)
    assert again.undo()
    assert again.current() == third
    vote(again, "tie")
    commit_votes(store, manifest.run_id, print)
    found = pl.DataFrame(rows(store, manifest.run_id))
    assert found["revision"].to_list() == [0, 0, 0, 1, 2]
    assert found["withdrawn"].to_list() == [False, False, False, True, False]
    assert session(store, check(store, manifest.run_id)).done == 3
    for left in (2, 1, 0):
        assert again.undo()
        assert again.done == left
    assert not again.undo()


def test_another_rater_starts_at_the_beginning(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    vote(session(store, manifest, "ann"), "left", "left")
    assert session(store, manifest, "bob").done == 0
    assert session(store, manifest, "ann", question="diversity").done == 0


def test_a_vote_on_another_comparison_than_the_current_one_is_refused(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    going = session(store, manifest)
    vote(going, "left")
    for position in (1, 3, 0, 99):
        with pytest.raises(StaleVoteError):
            going.vote(position, "left")
    assert going.done == 1


def test_one_rater_in_two_windows_loses_no_row(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    one, other = session(store, manifest), session(store, manifest)
    vote(one, "left")
    vote(other, "right")  # the same comparison, which it does not know to be done
    commit_votes(store, manifest.run_id, print)
    found = rows(store, manifest.run_id)
    assert [row["revision"] for row in found] == [0, 1]
    assert [row["choice"] for row in found] == [found[0]["left_cell"], found[0]["right_cell"]]
    check(store, manifest.run_id)


def test_a_killed_rater_loses_no_vote(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    with rater(tmp_path, "ann", 5) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().strip() for _ in range(5)] == list("12345")
        os.kill(process.pid, signal.SIGKILL)
    assert len(read_state(store, check(store, manifest.run_id)).uncommitted()) == 5
    again = session(store, manifest)
    assert again.done == 5
    vote(again, "tie")
    assert commit_votes(store, manifest.run_id, print) is None
    assert [row["position"] for row in rows(store, manifest.run_id)] == [1, 2, 3, 4, 5, 6]
    assert read_state(store, check(store, manifest.run_id)).uncommitted() == []


def test_killed_between_a_part_and_its_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page got no answer that this vote is saved. The vote does not count, and the next vote removes its rest."""
    store, manifest = toy(tmp_path)
    going = session(store, manifest)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skewbench.tasks.rating.votes.write_receipt", die)
        with pytest.raises(KeyboardInterrupt):
            vote(going, "left")
    check(store, manifest.run_id)
    again = session(store, manifest)
    assert again.done == 0
    vote(again, "right")
    commit_votes(store, manifest.run_id, print)
    assert len(store.list(f"ratings/run_id={manifest.run_id}")) == len(rows(store, manifest.run_id)) == 1


def test_two_raters_at_once_in_two_processes(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    both = [rater(tmp_path, name, 99) for name in ("ann", "bob")]
    for process in both:
        assert process.wait(timeout=300) == 0
        assert process.stdout is not None
        process.stdout.close()
        assert process.stdin is not None
        process.stdin.close()
    commit_votes(store, manifest.run_id, print)
    found = pl.DataFrame(rows(store, manifest.run_id))
    assert dict(found["rater"].value_counts().iter_rows()) == {"ann": 21, "bob": 21}
    check(store, manifest.run_id)


def test_while_another_process_drives_the_run_votes_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "PATIENCE", 0.0)
    store, manifest = toy(tmp_path)
    vote(session(store, manifest), "left")
    with Lease(store, manifest.run_id):
        assert "is being driven by" in (commit_votes(store, manifest.run_id, print) or "")
    assert commit_votes(store, manifest.run_id, print) is None
    assert len(rows(store, manifest.run_id)) == 1


def test_a_commit_of_votes_changes_nothing_else(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    vote(session(store, manifest), "left")
    commit_votes(store, manifest.run_id, print)
    after = check(store, manifest.run_id)
    assert [part for part in after.parts if part.table != "ratings"] == list(manifest.parts)
    assert (after.status, after.failed_jobs, after.shortfalls) == (
        manifest.status,
        manifest.failed_jobs,
        manifest.shortfalls,
    )


def test_answers_with_intervals_stay_current(tmp_path: Path) -> None:
    """The digest that ties `analysis` to what was analysed does not depend on votes."""
    store, manifest = toy(tmp_path)

    def digest() -> Any:
        with sql.connect(store.lake, manifest.run_id) as lake:
            return lake.execute("SELECT parts_digest FROM runs").fetchall()

    before = digest()
    vote(session(store, manifest), "left")
    commit_votes(store, manifest.run_id, print)
    assert digest() == before


def test_compacted_votes_are_the_same_and_more_can_follow(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    vote(session(store, manifest), *["left", "right", "tie"] * 2)
    commit_votes(store, manifest.run_id, print)
    before = rows(store, manifest.run_id)
    with Lease(store, manifest.run_id) as lease:
        compact_run(store, claim(store, lease))
    assert len(store.list(f"ratings/run_id={manifest.run_id}")) == 1
    assert rows(store, manifest.run_id) == before
    going = session(store, check(store, manifest.run_id))
    assert going.done == 6
    vote(going, "left")
    commit_votes(store, manifest.run_id, print)
    assert len(rows(store, manifest.run_id)) == 7
    check(store, manifest.run_id)


def test_a_removed_run_takes_its_votes_with_it_and_refuses_more(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    going = session(store, manifest)
    vote(going, "left", "right")
    remove_run(store, manifest.run_id)
    assert [path for path in store.list("") if "ratings" in path or "_receipts" in path] == []
    with pytest.raises(RunError, match="was removed; the vote was not saved"):
        vote(going, "left")
    assert going.done == 2
    assert commit_votes(store, manifest.run_id, print) is None


def test_a_manifest_that_is_rebuilt_keeps_the_votes(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    store.put(f"_plans/{manifest.run_id}.json", store.read(f"_runs/{manifest.run_id}.json"))
    vote(session(store, manifest), "left", "right")
    commit_votes(store, manifest.run_id, print)
    store.put(f"_runs/{manifest.run_id}.json", b"broken")
    rebuilt = rebuild(store, manifest.run_id)
    assert sum(part.table == "ratings" for part in rebuilt.parts) == 2
    assert Votes(store, rebuilt, "ann").newest.keys() == Votes(store, manifest, "ann").newest.keys()


def test_a_broken_vote_is_dropped_alone(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    vote(session(store, manifest), "left", "right")
    commit_votes(store, manifest.run_id, print)
    path = store.list(f"ratings/run_id={manifest.run_id}")[0]
    store.put(path, b"broken")
    found = find_run(store, manifest.run_id)
    repaired = repair(store, manifest.run_id, check_run(store, found))
    assert [part.path for part in repaired.parts] == [path]
    assert len(rows(store, manifest.run_id)) == 1
    assert check(store, manifest.run_id).status == "committed"


def test_votes_in_a_bucket(bucket_lake: str) -> None:
    store = open_store(bucket_lake)
    cells = [{"name": name, "knob": {"kind": "vanilla"}} for name in ("a", "b")]
    manifest = create_manifest(store, Manifest("rated-0123abcd", "rated", "committed", now(), cells=cells))
    compared = [Comparison("quality", f"p{at}", f"x{at}", ("a", "b"), "", (("s",), ("t",))) for at in range(3)]
    going = Session(shuffled(compared, 1), Votes(store, manifest, "ann"))
    vote(going, "left", "right")
    assert Session(shuffled(compared, 1), Votes(store, manifest, "ann")).done == 2
    assert commit_votes(store, manifest.run_id, print) is None
    committed = check(store, manifest.run_id)
    assert [part.table for part in committed.parts] == ["ratings", "ratings"]
    assert Session(shuffled(compared, 1), Votes(store, committed, "ann")).done == 2


def test_receipts_are_json_of_a_vote(tmp_path: Path) -> None:
    store, manifest = toy(tmp_path)
    vote(session(store, manifest), "left")
    (path,) = store.list(f"_receipts/run_id={manifest.run_id}")
    written = json.loads(store.read(path))
    assert (written["key"]["kind"], written["counts"]) == ("ratings", {"ratings": 1})
    assert "ann" not in json.dumps(written)  # names are in the table alone
