"""The address of a Ray cluster, before Ray sees it."""

import os
import re
import socket
from pathlib import Path

import pytest
import ray

from skewbench.tasks.pool import connect_ray, local_ray
from skewbench.tasks.ray_address import check_reachable
from skewbench.vocabulary.errors import InputError, RunError


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:ray", ":", "ray://", "127.0.0.1:99999999"])
def test_no_address_of_a_cluster(address: str) -> None:
    with pytest.raises(InputError, match=f"^ray address '{address}': "):
        check_reachable(address)


def test_nobody_answers() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{other.getsockname()[1]}"
        for ask in (check_reachable, lambda address: connect_ray(address, gpus=0.0)):
            with pytest.raises(InputError, match="no cluster answers at this address"):
                ask(address)


def test_somebody_answers() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        check_reachable(f"127.0.0.1:{other.getsockname()[1]}")
        check_reachable(f"ray://127.0.0.1:{other.getsockname()[1]}")
    check_reachable("auto")


def test_a_local_ray_that_does_not_start(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A few times, quietly; what it printed is kept in a file."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def late(**_: object) -> None:
        os.write(2, b"twenty lines of Ray's own\n")
        raise Exception("The current node timed out during startup\nand more")

    monkeypatch.setattr(ray, "init", late)
    monkeypatch.setattr(ray, "shutdown", lambda: os.write(2, b"and one more\n"))
    with pytest.raises(RunError) as failed:
        connect_ray(None, gpus=0.0)
    printed = capfd.readouterr().err
    assert printed.splitlines() == [
        f"note: Ray did not start in time on this busy machine; start {number} of 3" for number in (2, 3)
    ]
    message = str(failed.value)
    assert (
        "cannot start Ray on this machine (3 times, 0 s): The current node timed out during startup and more."
        in message
    )
    assert "use --local for a small run" in message
    log = Path(re.search(r"output is in (\S+),", message)[1])  # type: ignore[index]
    assert log.read_text().count("twenty lines") == 3
    log.unlink()


def test_a_slow_start_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(local_ray, "LATEST", -1.0)
    monkeypatch.setattr(ray, "init", lambda **_: 1 / 0)
    with pytest.raises(RunError, match=r"\(1 times, 0 s\): division by zero"):
        connect_ray(None, gpus=0.0)
