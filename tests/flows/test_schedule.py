"""What `skewbench up --nightly` and `serve` refuse, before anything is started. (That nights run: test_prefect.py.)"""

import re
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from skewbench.flows.cli import app
from skewbench.flows.serving import schedule, state
from skewbench.flows.serving.deployments import deployments
from skewbench.flows.serving.schedule import cron_schedule, next_times
from skewbench.vocabulary.errors import InputError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nightly", "at two"], r"--nightly 'at two': use cron's five fields"),
        (["--nightly", "0 25 * * *"], r"--nightly '0 25 \* \* \*'"),
        (
            ["--nightly", "0 0 2 * * *"],
            r"has 6 fields, but cron has five, without seconds; '0 2 \* \* \*' runs at (\d{4}-\d\d-\d\d 02:00(, )?){5} "
            r"\(UTC\)$",
        ),
        (["--nightly", "0 0 2 * * * 2030"], r"has 7 fields, .*'0 2 \* \* \*' runs at"),
        (["--nightly", "0 2 31 2 *"], r"--nightly '0 2 31 2 \*': no such date; the fields are minute, hour"),
        (["--nightly", "0 0 2 31 4,6 *"], r"--nightly '0 2 31 4,6 \*': no such date"),
        (
            ["--nightly", "0 2 * * *", "--nightly-timezone", "Atlantis"],
            r"--nightly-timezone 'Atlantis': use a name such",
        ),
        (["--nightly", "0 2 * * *", "--nightly-experiment", "absent.yaml"], r"experiment 'absent.yaml': no such file"),
        (["--nightly-experiment", "nightly"], r"also set --nightly CRON"),
    ],
)
def test_what_is_no_schedule_is_told_and_nothing_started(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["up", *arguments])
    assert isinstance(done.exception, InputError)
    with pytest.raises(InputError, match=said):
        raise done.exception
    assert state.read() is None


def test_the_next_times_of_a_schedule() -> None:
    """In its own zone; leap days come late, and come."""
    assert re.fullmatch(r"(\d{4}-\d\d-\d\d 02:00, ){4}\S+ 02:00 \(Europe/Paris\)", next_times(_nightly("0 2 * * *")))
    assert next_times(_nightly("30 1 29 2 *"), 2).count("-02-29 01:30") == 2


def _nightly(cron: str) -> CronSchedule:
    return cron_schedule(cron, "Europe/Paris")


def test_flows_are_served_to_a_server_that_is_named_and_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert "PREFECT_API_URL is not set" in str(CliRunner().invoke(app, ["serve"]).exception)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        refused = CliRunner().invoke(app, ["serve"]).exception
    assert "no Prefect server answers at http://127.0.0.1:9/api" in str(refused)
    served = {one.flow_name: one.parameters for one in deployments("s3://b/lake", "auto")}
    assert served["nightly"] == served["score"] == {"lake": "s3://b/lake", "ray_address": "auto"}
    assert served["compact"] == {"lake": "s3://b/lake"}


def test_up_leaves_the_schedules_that_the_server_has() -> None:
    for deployment in deployments("lake"):
        assert "schedules" not in deployment.model_dump(exclude_unset=True), deployment.flow_name


class _Late:
    """A client whose server schedules a night while its schedule is deleted."""

    def __init__(self) -> None:
        self.looks, self.deleted = 0, list[str]()

    def read_flow_runs(self, flow_run_filter: object) -> list[SimpleNamespace]:
        self.looks += 1
        late = [SimpleNamespace(id="late", auto_scheduled=True), SimpleNamespace(id="by-hand", auto_scheduled=False)]
        return [run for run in late if self.looks == 2 and run.id not in self.deleted]

    def delete_flow_run(self, identity: str) -> None:
        self.deleted.append(identity)


def test_a_night_that_was_scheduled_in_the_same_moment_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client = _Late()
    schedule._delete_late_runs(client, uuid4())  # type: ignore[arg-type]
    assert client.deleted == ["late"]
