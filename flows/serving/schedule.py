"""The schedule of the flow `nightly`. Prefect's server keeps it across `down` and `up` until it is changed."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import DeploymentSchedule, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from pydantic import ValidationError

from skewbench.flows.serving import password
from skewbench.flows.serving.names import full_name
from skewbench.tasks.experiment import Experiment
from skewbench.vocabulary.errors import InputError

DEPLOYMENT = full_name("nightly")
_LOOKS = 3
"""Looks, a second apart, for runs of a schedule that was just deleted."""


def cron_schedule(cron: str, timezone: str) -> CronSchedule:
    """Build a schedule from a cron expression. Prefect accepts a sixth field, and reads it as seconds.

    Args:
        cron: Cron's five fields.
        timezone: Name of a time zone, such as `Europe/Paris`.

    Raises:
        InputError: The number of fields is wrong (the message suggests a fix), or a field, date or zone is invalid.
    """
    fields = cron.split()
    if len(fields) in (6, 7):  # of schedulers that begin with seconds, and may end with years
        meant = " ".join(fields[1:6])
        times = next_times(cron_schedule(meant, timezone))
        raise InputError(f"--nightly {cron!r}: has {len(fields)} fields, but cron has five, without seconds; "
                         f"{meant!r} runs at {times}")  # fmt: skip
    try:
        schedule = CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        given, allowed = {
            "cron": (f"--nightly {cron!r}", "use cron's five fields, such as '0 2 * * *' for 02:00, or 'off'"),
            "timezone": (f"--nightly-timezone {timezone!r}", "use a name such as Europe/Paris"),
        }[field]
        raise InputError(f"{given}: {allowed}") from None
    if not next_times(schedule):
        raise InputError(f"--nightly {cron!r}: no such date; the fields are minute, hour, day, month, weekday")
    return schedule


def next_times(schedule: CronSchedule, count: int = 5) -> str:
    """Describe the next times of a schedule, as Prefect's server computes them; empty if there are none.

    Args:
        schedule: The schedule, with its time zone.
        count: Number of times.
    """
    from prefect.server.schemas.schedules import CronSchedule as ServerSchedule

    try:
        times = asyncio.run(ServerSchedule(cron=schedule.cron, timezone=schedule.timezone).get_dates(count))
    except ValueError:  # raised by croniter if the coming years have no such date
        return ""
    return ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in times) + f" ({schedule.timezone})"


def schedule_nights(api: str, schedule: CronSchedule | None, experiments: Sequence[Experiment]) -> None:
    """Replace the schedules of the nightly deployment.

    Args:
        api: Address of Prefect's API.
        schedule: The new schedule; None: none.
        experiments: The experiments of the nights, with their present contents; none: the bundled `nightly`.
    """
    parameters: list[dict[str, Any]] = [{"experiment": one.model_dump(mode="json")} for one in experiments] or [{}]
    with _deployment(api) as (client, deployment):
        old = client.read_deployment_schedules(deployment)
        for one in old:  # and with it the runs that it has scheduled
            client.delete_deployment_schedule(deployment, one.id)
        if old:
            _delete_late_runs(client, deployment)
        if schedule:
            new = [DeploymentScheduleCreate(schedule=schedule, active=True, parameters=one) for one in parameters]
            client.create_deployment_schedules(deployment, new)


def _delete_late_runs(client: SyncPrefectClient, deployment: UUID) -> None:
    """Delete runs of a deleted schedule. The server's scheduler may have read the schedule just before."""
    waiting = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
    )
    for _ in range(_LOOKS):
        time.sleep(1)
        for run in client.read_flow_runs(flow_run_filter=waiting):
            if run.auto_scheduled:
                client.delete_flow_run(run.id)


def describe_schedules(api: str) -> str:
    """Describe the nightly deployment's schedules in one line; empty if it has none.

    Args:
        api: Address of Prefect's API.
    """
    with _deployment(api) as (client, deployment):
        return "; ".join(_describe(one) for one in client.read_deployment_schedules(deployment))


def _describe(found: DeploymentSchedule) -> str:
    kept = found.schedule
    when = f"{kept.cron} ({kept.timezone or 'UTC'})" if isinstance(kept, CronSchedule) else "a schedule of the UI"
    name = (found.parameters or {}).get("experiment", {}).get("name", "nightly")
    state = "" if found.active else ", paused in the UI"
    times = f"; next {next_times(kept)}" if isinstance(kept, CronSchedule) and found.active else ""
    return f"{when}, experiment {name}{state}{times}"


@contextmanager
def _deployment(api: str) -> Iterator[tuple[SyncPrefectClient, UUID]]:
    settings: dict[Any, str] = {PREFECT_API_URL: api}
    if known := password.of_up():
        settings[PREFECT_API_AUTH_STRING] = known
    with temporary_settings(settings), get_client(sync_client=True) as client:
        password.check(client)
        yield client, client.read_deployment_by_name(DEPLOYMENT).id
