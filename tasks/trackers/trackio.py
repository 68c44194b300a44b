"""Trackio. A run that was sent before gets another step. `TRACKIO_DIR`, `TRACKIO_SPACE_ID` or `TRACKIO_SERVER_URL` says
where runs are stored."""

import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from skewbench.tasks.trackers.contract import NotSent, TrackedRun, Tracker, one_line
from skewbench.tasks.trackers.registry import register


@register
class Trackio(Tracker):
    """Sends a run as a run of the project that has the experiment's name, with the report as an artifact."""

    name = "trackio"
    package = "trackio"
    install = "pip install 'skewbench[trackio]'"

    def send(self, run: TrackedRun) -> str:
        # Trackio prints what it does, and continues with a warning if its server does not answer
        with redirect_stdout(StringIO()), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            where = _send(run)
        problems = [warning.message for warning in caught if "trackio" in str(warning.filename)]
        if problems:
            raise NotSent(one_line(problems[0]))
        return where


def _send(run: TrackedRun) -> str:
    import trackio
    from trackio import utils

    config: dict[str, Any] = {**run.settings, "skewbench": dict(run.tags)}
    trackio.init(
        project=run.experiment,
        name=run.run_id,
        config=config,
        resume="allow",
        embed=False,
        auto_log_cpu=False,
        auto_log_gpu=False,
    )
    try:
        figures = {f"figures/{path.stem}": trackio.Image(str(path)) for path in run.figures}
        trackio.log({**run.metrics, **figures})
        report = trackio.Artifact(f"report-{run.run_id}", type="report")
        report.add_dir(str(run.folder))
        trackio.log_artifact(report)
    finally:
        trackio.finish()
    return one_line(f"{utils.TRACKIO_DIR}, project {run.experiment}, run {run.run_id}")
