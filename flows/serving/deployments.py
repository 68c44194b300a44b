"""Deployments of the flows, served by `skewbench up` and `serve`; `infra/prefect.yaml` defines them for work pools."""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.deployments.runner import EntrypointType, RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner

from skewbench.flows.analyse import analyse
from skewbench.flows.benchmark import benchmark
from skewbench.flows.compact import compact
from skewbench.flows.generate import generate
from skewbench.flows.import_images import import_images
from skewbench.flows.nightly import nightly
from skewbench.flows.report import report
from skewbench.flows.score import score
from skewbench.flows.serving.names import NAMES
from skewbench.flows.serving.parent import end_with
from skewbench.flows.steps import NIGHTS, limit_name
from skewbench.flows.tune import tune
from skewbench.tasks.models import BUNDLED

FLOWS: tuple[Flow[..., Any], ...] = (benchmark, generate, score, analyse, report, compact, nightly, tune, import_images)
TAG = "skewbench"
"""Tag of every deployment, and name of the process that serves them."""
LOOK = 2.0
"""Seconds between two queries for runs to start."""
CANCEL = 30.0
"""Seconds for cancelling runs after the server has ended."""


def deployments(lake: str, ray_address: str = "") -> list[RunnerDeployment]:
    """Build one deployment per flow, with lake and cluster as defaults. Schedules on the server are not changed.

    Args:
        lake: Folder or URL of the lake.
        ray_address: HOST:PORT of a Ray cluster; empty: each run starts Ray.
    """
    places, found = {"lake": lake, "ray_address": ray_address}, []
    for flow in FLOWS:
        deployment = RunnerDeployment.from_flow(
            flow,
            NAMES[flow.name],
            parameters={name: place for name, place in places.items() if name in flow.parameters.properties},
            tags=[TAG],
            paused=False,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        deployment.model_fields_set.discard("schedules")  # a set field, even an empty one, replaces the server's
        found.append(deployment)
    return found


def create_limits() -> None:
    """Create the missing limits: one run of each bundled model at a time, and one night. Change them in the UI."""
    with get_client(sync_client=True) as client:
        for name in (NIGHTS, *map(limit_name, BUNDLED)):
            try:
                client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound:
                client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1, active=True))


class _Runner(Runner):
    """Cancels its runs at SIGTERM. (Prefect's own handler does not await its coroutine, so it cancels nothing.)"""

    def handle_sigterm(self, *_args: Any, **_kwargs: Any) -> None:
        """Stop within the event loop."""
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(lambda: setattr(self, "_ending", loop.create_task(self.astop())))


def serve(lake: str, ray_address: str, ready: Callable[[], None]) -> None:
    """Serve the deployments at the configured API until SIGTERM.

    Args:
        lake: Folder or URL of the lake, the default of the flows.
        ray_address: HOST:PORT of a Ray cluster, the default of the flows; may be empty.
        ready: Called once, when runs can be launched.
    """
    create_limits()
    runner = _Runner(name=TAG, query_seconds=LOOK)
    for deployment in deployments(lake, ray_address):
        runner.add_deployment(deployment)
    ready()
    asyncio.run(runner.start())


def _tell(descriptor: int) -> None:
    os.write(descriptor, b".")
    os.close(descriptor)


if __name__ == "__main__":
    end_with(int(sys.argv[3]), grace=CANCEL)
    serve(sys.argv[1], "", partial(_tell, int(sys.argv[2])))
