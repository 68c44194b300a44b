"""A worker as a Ray actor."""

from skewbench.storage.receipts import Receipt
from skewbench.tasks.collection import collection_paused
from skewbench.tasks.jobs import Job, Needs


class Actor:
    """Runs a `Worker` in the process of a Ray actor.

    Only that process imports the worker's code, and with it torch and diffusers: a driver starts in a third
    of the time without them.
    """

    def __init__(self, needs: Needs) -> None:
        with collection_paused():
            from skewbench.tasks.worker import Worker

        self._worker = Worker(needs)

    def ready(self) -> None:
        """As `Worker.ready`."""
        self._worker.ready()

    def compute(self, job: Job) -> None:
        """Run `Worker.compute`.

        Args:
            job: The job.
        """
        self._worker.compute(job)

    def write(self, job: Job) -> Receipt:
        """Run `Worker.write`.

        Args:
            job: A job that was computed.
        """
        return self._worker.write(job)
