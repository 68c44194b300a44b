"""MLflow. A run that was sent before is updated. `MLFLOW_TRACKING_URI` says where runs are stored."""

import json
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from skewbench.tasks.trackers.contract import TrackedRun, Tracker, flat, one_line
from skewbench.tasks.trackers.registry import register

T = TypeVar("T")
_TAG = "skewbench.run_id"
"""The tag by which a run is found again."""
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own default waits for minutes
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
"""Settings of MLflow, if its variables are not set."""
_METRICS, _PARAMS = 1000, 100
"""Numbers that MLflow takes at once."""
_LONGEST = 5000
"""Characters of a setting. The file settings.yaml has all of them."""
_REFUSED = re.compile(r"[^\w\-. /]", re.ASCII)
"""Characters that MLflow refuses in names."""


@register
class MLflow(Tracker):
    """Sends a run as an MLflow run of the experiment's name."""

    name = "mlflow"
    package = "mlflow"
    install = "pip install 'skewbench[mlflow]'"

    def send(self, run: TrackedRun) -> str:
        for variable, value in _DEFAULTS.items():
            os.environ.setdefault(variable, value)
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag

        client = MlflowClient()
        stored = _stored(client, run)
        known, identity = stored.data.params, stored.info.run_id
        now = int(time.time() * 1000)
        settings = dict(_named(flat(run.settings)))
        # MLflow never changes a parameter: what the experiment file says now is in settings.yaml
        params = [Param(key, _text(value)) for key, value in settings.items() if key not in known]
        for batch in _batches(params, _PARAMS):
            client.log_batch(identity, params=batch)
        numbers = {key: value for key, value in run.metrics.items() if math.isfinite(value)}
        for batch in _batches([Metric(key, value, now, 0) for key, value in _named(numbers)], _METRICS):
            client.log_batch(identity, metrics=batch)
        tags = {**run.tags, "mlflow.note.content": run.description, _TAG: run.run_id}
        client.log_batch(identity, tags=[RunTag(key, value) for key, value in tags.items()])
        client.log_artifacts(identity, str(run.folder))
        client.set_terminated(identity, "FINISHED" if run.tags["status"] == "committed" else "FAILED")
        return one_line(f"{client.tracking_uri}, run {identity}")


def _stored(client: Any, run: TrackedRun) -> Any:
    """The MLflow run of a run: the one that was sent before, or a new one."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.experiment
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    before = client.search_runs([experiment], f"tags.`{_TAG}` = '{run.run_id}'", max_results=1)
    return before[0] if before else client.create_run(experiment, run_name=run.run_id, tags={_TAG: run.run_id})


def _named(values: dict[str, T]) -> Iterator[tuple[str, T]]:
    """Replace characters that MLflow refuses. Names that become equal are numbered."""
    given: dict[str, int] = {}
    for key, value in values.items():
        name = _REFUSED.sub("_", key)
        given[name] = given.get(name, 0) + 1
        yield name if given[name] == 1 else f"{name}_{given[name]}", value


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:_LONGEST]


def _batches(values: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch
