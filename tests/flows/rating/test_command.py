"""`skewbench rate`: mistakes are one line and exit code 2, before a page is served."""

import socket
from pathlib import Path

import pytest

from skewbench.storage.lease import Lease
from skewbench.storage.store import LocalStore
from skewbench.tasks.rating import commit, commit_votes
from tests.flows.command import run_in_process
from tests.lakes import Lake, made
from tests.tasks.rating.toy import session, toy


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--cells", "baseline,nowhere"),
            "--cells nowhere: run toy-1f833319 has no such cell; it has baseline, a1.05-b3",
        ),
        (("--cells", "baseline"), "--cells baseline: name another cell too"),
        (("--rater", " "), "--rater ' ': use a name of 1 to 80 printable characters"),
        (("--rater", "a\x1b[31m"), "--rater 'a\\x1b[31m': use a name"),
        (("--rater", "a" * 81), "use a name of 1 to 80"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    made(tmp_path, Lake(prompts=2))
    done = run_in_process(monkeypatch, "rate", "toy", "--lake", str(tmp_path), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_run_that_is_running_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, Lake(prompts=2), status="running")
    done = run_in_process(monkeypatch, "rate", "toy", "--lake", str(tmp_path))
    assert (done.returncode, "is still running" in done.stderr) == (2, True)


def test_a_port_in_use_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, Lake(prompts=2))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_in_process(monkeypatch, "rate", "toy", "--lake", str(tmp_path), "--port", port)
    assert done.returncode == 2
    assert f"cannot listen at 127.0.0.1, port {port}" in done.stderr
    assert "3 pairs of baseline and a1.20-b5 are left out: a sample failed" in done.stderr


def test_verify_knows_votes_that_are_not_committed_or_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, manifest = toy(tmp_path, Lake(prompts=2))
    session(store, manifest).vote(1, "left")
    done = run_in_process(monkeypatch, "verify", "toy", "--lake", str(tmp_path))
    assert done.returncode == 0
    assert f"1 votes on {manifest.run_id} are saved but not committed yet; `skewbench rate" in done.stderr
    assert "jobs" not in done.stderr
    assert commit_votes(store, manifest.run_id, print) is None
    done = run_in_process(monkeypatch, "verify", "toy", "--lake", str(tmp_path))
    assert (done.returncode, done.stderr.count("note")) == (0, 0)
    (path,) = store.list(f"ratings/run_id={manifest.run_id}")
    store.put(path, b"broken")
    assert run_in_process(monkeypatch, "verify", "toy", "--lake", str(tmp_path)).returncode == 1
    done = run_in_process(monkeypatch, "verify", "toy", "--repair", "--lake", str(tmp_path))
    assert "1 of their rows were votes of people, which only `skewbench rate` can collect again" in done.stdout


def test_the_end_says_what_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of an earlier session, and if another process drives the run so that the votes wait."""
    monkeypatch.setattr("skewbench.flows.rating.serve.serve", lambda app, listening: None)
    monkeypatch.setattr(commit, "PATIENCE", 0.0)
    store, manifest = toy(tmp_path, Lake(prompts=2, knobs=("baseline", "a1.05-b3"), lost=False))
    going = session(store, manifest)
    for position in (1, 2):
        going.vote(position, "left")
    arguments = ("rate", "toy", "--lake", str(tmp_path), "--rater", "ann", "--seed", "1", "--port", "0")
    with Lease(LocalStore(tmp_path), manifest.run_id):
        done = run_in_process(monkeypatch, *arguments)
    assert "votes are saved, but queries do not show them yet" in done.stderr
    done = run_in_process(monkeypatch, *arguments)
    assert "pairs    6, of which 2 are rated" in done.stdout
    assert done.returncode == 130
    assert "stopped; 2 of 6 pairs are rated and saved, 0 of them now" in done.stderr
    done = run_in_process(monkeypatch, *arguments, "--pairs", "2")
    assert (done.returncode, "2 of 2 pairs are rated and saved" in done.stdout) == (0, True)
