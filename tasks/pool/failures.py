"""Describes the errors that workers return."""

from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RuntimeEnvSetupError,
    WorkerCrashedError,
)

from skewbench.tasks.setting import DEVICE_ERRORS


class WorkerHungError(Exception):
    """A worker took too long for a job, or to start, and was killed."""


_DEAD = (
    WorkerHungError,
    RayActorError,
    WorkerCrashedError,
    OutOfMemoryError,
    NodeDiedError,
    LocalRayletDiedError,
    RuntimeEnvSetupError,
)


def cause(error: BaseException) -> BaseException:
    """Return the error that was raised on the worker.

    Args:
        error: The error that Ray raised on the driver.
    """
    return (getattr(error, "cause", None) if isinstance(error, RayError) else None) or error


def deadly(error: BaseException) -> bool:
    """Return whether an error leaves a worker dead or useless.

    Args:
        error: The error that Ray raised on the driver.
    """
    return isinstance(error, _DEAD) or any(sign in str(error) for sign in DEVICE_ERRORS)
