"""The address of a Ray cluster, before Ray sees it."""

import socket

import pytest

from skewbench.tasks.pool import connect_ray
from skewbench.tasks.ray_address import check_reachable
from skewbench.vocabulary.errors import InputError


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
