"""The flows that the UI offers. Served by `skewbench up`; `infra/prefect.yaml` has them for work pools."""

import asyncio
import os
import sys
from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.deployments.runner import EntrypointType, RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner

from flows.analyse import analyse
from flows.benchmark import benchmark
from flows.compact import compact
from flows.generate import generate
from flows.nightly import nightly
from flows.report import report
from flows.score import score
from flows.steps import limit_name

FLOWS: tuple[Flow[..., Any], ...] = (benchmark, generate, score, analyse, report, compact, nightly)
NAME = "skewbench"
"""Of each flow's deployment: `benchmark/skewbench`."""
LOOK = 2.0
"""Seconds between two looks for runs to start."""
LIMITED = ("shapes-xl",)
"""Models of which one run at a time is enough for a machine. Changed and added to in the UI, under Concurrency."""


def deployments(lake: str) -> list[RunnerDeployment]:
    """A deployment a flow, with the lake as its default. Schedules that the server has are left as they are."""
    found = []
    for flow in FLOWS:
        deployment = RunnerDeployment.from_flow(
            flow,
            NAME,
            parameters={"lake": lake},
            tags=[NAME],
            paused=False,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        deployment.model_fields_set.discard("schedules")  # that are set, if only to none, replace the server's
        found.append(deployment)
    return found


def create_limits() -> None:
    """A concurrency limit for the models that are bundled, where there is none."""
    with get_client(sync_client=True) as client:
        for model in LIMITED:
            try:
                client.read_global_concurrency_limit_by_name(limit_name(model))
            except ObjectNotFound:
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=limit_name(model), limit=1, active=True)
                )


class _Runner(Runner):
    """Cancels its runs at SIGTERM. (Prefect's own handler calls a coroutine that it does not await, and just ends.)"""

    def handle_sigterm(self, *_args: Any, **_kwargs: Any) -> None:
        """Stop, from within the loop."""
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(lambda: setattr(self, "_ending", loop.create_task(self.astop())))


def main(lake: str, ready: int) -> None:
    """Serve until SIGTERM. `ready`: a file descriptor that is written to once runs can be launched."""
    create_limits()
    runner = _Runner(name=NAME, query_seconds=LOOK)
    for deployment in deployments(lake):
        runner.add_deployment(deployment)
    os.write(ready, b".")
    os.close(ready)
    asyncio.run(runner.start())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
