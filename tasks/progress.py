"""Reports the progress of a shard, batch by batch. Log records carry it, because Ray forwards them from workers."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOGGER = "skewbench.progress"


def report_samples(shard: str, samples: int, seconds: float) -> None:
    """Report the samples of a shard that are generated.

    Args:
        shard: Id of the shard.
        samples: Their number so far.
        seconds: Seconds that each sample of the last batch took.
    """
    about = {"shard": shard, "samples": samples, "seconds": seconds}
    logging.getLogger(LOGGER).info("%d samples of shard %s", samples, shard, extra=about)


@contextmanager
def samples_observed(observe: Callable[[str, int, float], None]) -> Iterator[None]:
    """Within the block, pass on the reports of this process's workers.

    Args:
        observe: Called with the id of a shard, the number of its samples so far, and the seconds that each one of the
            last batch took, from any thread.
    """
    logger, handler = logging.getLogger(LOGGER), _Observer(observe)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Observer(logging.Handler):
    def __init__(self, observe: Callable[[str, int, float], None]) -> None:
        super().__init__()
        self._observe = observe

    def emit(self, record: logging.LogRecord) -> None:
        about = record.__dict__
        self._observe(about["shard"], about["samples"], about["seconds"])
