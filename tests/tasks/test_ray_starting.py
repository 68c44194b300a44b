"""Ray starts in the background, once, and what fails there is raised where Ray is needed."""

import threading
import time
from typing import Any

import pytest

from skewbench.tasks.pool import cluster, local_ray
from skewbench.vocabulary.errors import RunError


class FakeRay:
    """Stands for the module `ray`: starts slowly, or fails its first starts."""

    def __init__(self, failures: int = 0) -> None:
        self.starts: list[threading.Thread] = []
        self.shutdowns, self._failures, self._up = 0, failures, False

    def is_initialized(self) -> bool:
        return self._up

    def init(self, **_: Any) -> None:
        self.starts.append(threading.current_thread())
        time.sleep(0.2)
        if len(self.starts) <= self._failures:
            raise RuntimeError("its processes are late")
        self._up = True

    def shutdown(self) -> None:
        self.shutdowns += self._up
        self._up = False


@pytest.fixture
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay(getattr(request, "param", 0))
    monkeypatch.setattr(cluster, "ray", ray)
    monkeypatch.setattr(local_ray, "ray", ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return ray


def test_it_starts_once_and_is_waited_for(fake: FakeRay) -> None:
    """The thread lives as long as Ray: its end would end Ray's processes."""
    with cluster.ray_starting(None):
        while not fake.starts:
            time.sleep(0.01)
        cluster.connect_ray(None, gpus=0.0)
        (thread,) = fake.starts
        assert fake.is_initialized()
        assert thread.name == "ray-start"
        assert thread.is_alive()
    assert (len(fake.starts), fake.shutdowns, fake.is_initialized(), thread.is_alive()) == (1, 1, False, False)


def test_it_is_stopped_if_the_block_ends_first(fake: FakeRay) -> None:
    with pytest.raises(RunError, match="stopped"), cluster.ray_starting(None):
        raise RunError("stopped")
    assert (len(fake.starts), fake.is_initialized()) == (1, False)


def test_one_that_runs_already_is_left_alone(fake: FakeRay) -> None:
    cluster.connect_ray(None, gpus=0.0)
    with cluster.ray_starting(None):
        pass
    assert (len(fake.starts), fake.is_initialized()) == (1, True)


@pytest.mark.parametrize("fake", [2 * local_ray.STARTS], indirect=True)
def test_a_start_that_fails_is_raised_where_ray_is_needed(fake: FakeRay) -> None:
    unable = pytest.raises(RunError, match=r"cannot start Ray on this machine .*its processes are late")
    with cluster.ray_starting(None), unable:
        cluster.connect_ray(None, gpus=0.0)
