"""What workers log reaches the driver, bounded; `test_prefect` sees it in a flow's log."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import ray

from skewbench.tasks.pool import ray_connected
from skewbench.tasks.worker_log import Bound, WorkerLog, log_to

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of sockets and processes it leaves to exit handlers


def _record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("skewbench.tasks", level, "file", 1, text, None, None)


def test_a_flood_is_cut_and_counted() -> None:
    bound = Bound(lines=3, seconds=0.2)
    assert [bound.filter(_record("x")) for _ in range(10)] == [True] * 3 + [False] * 7
    assert bound.filter(_record("a warning", logging.WARNING))
    time.sleep(0.25)
    later = _record("later")
    assert bound.filter(later)
    assert later.getMessage() == "[7 lines left out] later"


@pytest.fixture
def local_ray() -> Iterator[None]:
    with ray_connected(None, gpus=0.0):
        yield
    assert not ray.is_initialized()


@ray.remote(num_cpus=0)
class _Says:
    def __init__(self, queue: Any) -> None:
        log_to(queue)

    def say(self) -> None:
        logging.getLogger("skewbench.tasks.some").info("one %d", 1)
        logging.getLogger("other").info("not heard")
        try:
            raise ValueError("of some kind")
        except ValueError:
            logging.getLogger("skewbench.tasks.some").warning("it failed", exc_info=True)

    def die(self) -> None:
        import os

        logging.getLogger("skewbench.tasks.some").info("last words")
        os._exit(1)


def test_lines_and_tracebacks_arrive_also_of_a_worker_that_dies(
    local_ray: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "driver")
    with WorkerLog(logging.getLogger("driver")) as log:
        worker = _Says.remote(log.queue)
        ray.get(worker.say.remote())
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(worker.die.remote())
        ends = time.monotonic() + 60
        while "last words" not in caplog.text and time.monotonic() < ends:
            time.sleep(0.1)
    messages = [record.getMessage() for record in caplog.records if record.name == "driver"]
    assert [message.split(": ", 1)[1].splitlines()[0] for message in messages] == ["one 1", "it failed", "last words"]
    assert "ValueError: of some kind" in messages[1]
    assert caplog.records[-2].levelno == logging.WARNING
