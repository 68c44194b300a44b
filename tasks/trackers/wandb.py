"""Weights & Biases. A run that was sent before is updated. `WANDB_MODE=offline` stores it in a folder (`WANDB_DIR`)."""

import os

from skewbench.tasks.trackers.contract import NotSent, TrackedRun, Tracker, one_line
from skewbench.tasks.trackers.registry import register


@register
class WeightsAndBiases(Tracker):
    """Sends a run as a run of the project that has the experiment's name, with the report as an artifact."""

    name = "wandb"
    package = "wandb"
    install = "pip install 'skewbench[wandb]'"

    def send(self, run: TrackedRun) -> str:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        stored = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or run.experiment,
            id=run.run_id,
            name=run.run_id,
            notes=run.description or None,
            resume="allow",
            config={**run.settings, "skewbench": dict(run.tags)},
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                save_code=False,
                x_disable_meta=True,  # nothing about this machine or its packages
                x_disable_machine_info=True,
                x_disable_stats=True,
                x_save_requirements=False,
            ),
        )
        if stored.disabled:
            raise NotSent("WANDB_MODE is disabled")
        failed = 1
        try:
            stored.summary.update(dict(run.metrics))
            stored.log({f"figures/{path.stem}": wandb.Image(str(path)) for path in run.figures})
            report = wandb.Artifact(f"report-{run.run_id}", type="report")
            report.add_dir(str(run.folder))
            stored.log_artifact(report)
            failed = 0
        finally:
            stored.finish(exit_code=failed)
        if stored.offline:
            return one_line(f"{stored.settings.sync_dir}; `wandb sync` uploads it")
        return one_line(stored.url)
