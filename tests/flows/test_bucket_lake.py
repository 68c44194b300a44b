"""The commands on a lake in a bucket: a driver that is killed, the same run again, looking at it, and what is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skewbench.flows.cli import main
from skewbench.storage.receipts import list_receipts
from skewbench.storage.store import Store, open_store
from tests.flows.command import SKEWBENCH, run_in_process, write_experiment
from tests.object_store import S3Server


def _killed_after_a_receipt(experiment: str, store: Store, prefect: dict[str, str]) -> None:
    """Start a run as a person would, and kill its driver once a shard is done."""
    command = [*SKEWBENCH, "run", experiment, "--lake", store.lake]
    environment = {**os.environ, **prefect}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as driver:
        ends = time.monotonic() + 900
        while time.monotonic() < ends and driver.poll() is None and not _begun(store):
            time.sleep(0.2)
        os.killpg(driver.pid, signal.SIGKILL)
    assert _begun(store)


def _begun(store: Store) -> bool:
    runs = store.list("_runs")
    return bool(runs) and bool(list_receipts(store, Path(runs[0]).stem))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_killed_run_is_resumed_and_shown(
    bucket_lake: str, tmp_path: Path, s3_server: S3Server, prefect: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, experiment = open_store(bucket_lake), write_experiment(tmp_path)
    _killed_after_a_receipt(experiment, store, prefect)
    kept = {path: store.read(path) for path in store.list("_receipts")}
    done = run_in_process(monkeypatch, "run", experiment, "--lake", bucket_lake, "--local")
    assert done.returncode == 0, done.stderr
    assert f"report: {bucket_lake}/_reports/" in done.stdout
    assert {path: store.read(path) for path in kept} == kept  # what was done was not done again
    monkeypatch.chdir(tmp_path)
    report = run_in_process(monkeypatch, "report", "--lake", bucket_lake)
    copy = next(tmp_path.glob("small-*.html"))
    assert str(copy) in report.stdout
    assert copy.read_bytes() == store.read(f"_reports/{copy.name}")
    counting = ("sql", "SELECT count(*) AS n FROM images", "--lake", bucket_lake, "--format", "json")
    counted = run_in_process(monkeypatch, *counting)
    assert json.loads(counted.stdout) == [{"n": 16}]
    assert "is read through" in counted.stderr
    assert "nothing to do" in run_in_process(monkeypatch, "run", experiment, "--lake", bucket_lake).stdout
    every = [done.stdout, done.stderr, report.stdout, report.stderr, counted.stderr]
    assert not any(s3_server.environment["AWS_SECRET_ACCESS_KEY"] in text for text in every)


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        (["status"], {"AWS_SECRET_ACCESS_KEY": ""}, "no credentials in the environment"),
        (["query", "correlations"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1 does not answer"),
        (["verify"], {"AWS_SECRET_ACCESS_KEY": "wrong"}, "denies access"),
        (["report"], {}, "it has no runs"),
        (["sql", "SELECT 1"], {}, "holds no run"),
    ],
)
def test_what_is_wrong_with_a_bucket_is_bad_input(
    bucket_lake: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    changes: dict[str, str],
    said: str,
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["skewbench", *arguments, "--lake", bucket_lake])
    with pytest.raises(SystemExit) as ended:
        main()
    message = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in message
    assert "Traceback" not in message
