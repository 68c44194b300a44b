"""A worker whose device breaks at every sample, as after a CUDA error."""

from skewbench.tasks.jobs import GenerateJob
from skewbench.tasks.setting import BrokenDeviceError
from tests.null_workers import Done, NullWorker


class BreakingWorker(NullWorker):
    """Gets through a shard once all its samples are given up; in a batch it can't be told which one it was."""

    def compute(self, job: GenerateJob) -> None:
        """Raise as a worker does that generates."""
        left = [sample.sample_id for sample in job.shard.samples if sample.sample_id not in dict(job.given_up)]
        if left and not job.one_by_one:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if left:
            raise BrokenDeviceError(left[:1], "RuntimeError: CUDA error: an illegal memory access was encountered")

    def write(self, job: GenerateJob) -> Done:
        """Tell where it was done."""
        return self.done(job.key)
