"""The Ray cluster: joins it or starts a local one, counts its capacity, and checks that it is alive."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray._private.state import actors

from skewbench.tasks.pool.local_ray import start_ray
from skewbench.tasks.pool.shipping import shipped_code
from skewbench.tasks.ray_address import check_reachable
from skewbench.vocabulary.errors import InputError, RunError

WAIT_FOR_GPUS = "SKEWBENCH_WAIT_FOR_GPUS"
"""Environment variable: seconds that a cluster which grows on demand has for its first GPU."""
AHEAD = 8
"""Workers to request beyond a growing cluster's current capacity if a run sets no count: machines start for them."""


_connecting = threading.Lock()


@contextmanager
def ray_starting(address: str | None) -> Iterator[None]:
    """Connect Ray in the background within the block. At its end Ray is disconnected, or stopped.

    `connect_ray` waits for it. If the start fails, `connect_ray` tries again and raises.

    Args:
        address: Address of the cluster; None: start Ray on this machine.
    """
    if ray.is_initialized():
        yield
        return
    tried, ended = threading.Event(), threading.Event()

    def connect() -> None:
        with suppress(InputError, RunError):
            _connect(address)
        tried.set()
        ended.wait()  # Linux kills Ray's processes when the thread that started them ends

    thread = threading.Thread(target=connect, name="ray-start")
    thread.start()
    try:
        yield
    finally:
        tried.wait()
        ray.shutdown()
        ended.set()
        thread.join()


@contextmanager
def ray_connected(address: str | None, gpus: float) -> Iterator[None]:
    """Connect to Ray within the block, as `connect_ray` does, and disconnect or stop it at the end.

    Args:
        address: Address of a cluster; None starts Ray on this machine.
        gpus: GPUs that a worker needs.
    """
    ours = not ray.is_initialized()
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        connect_ray(address, gpus)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)  # Ray would end the process without unwinding the stack
        yield
    finally:
        if ours:
            ray.shutdown()


def connect_ray(address: str | None, gpus: float) -> None:
    """Join a Ray cluster, or start a local Ray.

    Args:
        address: Address of the cluster; None: start Ray on this machine.
        gpus: GPUs per worker.

    Raises:
        InputError: No cluster answers, or no node has these GPUs (after `WAIT_FOR_GPUS` seconds).
        RunError: A local Ray does not start.
    """
    address = _connect(address)
    patience = float(os.environ.get(WAIT_FOR_GPUS) or 0) if address else 0.0
    if gpus and patience and not room(0, gpus):
        ask_for_gpus(gpus, patience)
    if gpus and not room(0, gpus):
        there = ray.cluster_resources().get("GPU", 0.0)
        if address:
            where = f"the cluster has {there:g} GPUs on {len(_alive())} nodes"
        else:
            where = f"this machine has {there:g} GPUs"
        raise InputError(f"workers.gpus is {gpus:g}, but {where}; set it to 0 to run on the CPU")


def _connect(address: str | None) -> str | None:
    """Join a cluster or start a local Ray, unless that was done. Returns the cluster's address, or None."""
    address = address or os.environ.get("RAY_ADDRESS")
    with _connecting:
        if not ray.is_initialized():
            _join(address) if address else start_ray()
    return address


def ask_for_gpus(gpus: float, patience: float) -> None:
    """Make an autoscaler start a machine: submit a task that needs GPUs, and wait until it has run.

    Args:
        gpus: GPUs that the task needs.
        patience: Longest wait in seconds.
    """
    task = ray.remote(_nothing).options(num_cpus=0, num_gpus=gpus).remote()
    if not ray.wait([task], timeout=patience)[0]:
        ray.cancel(task)


def _nothing() -> None:
    pass


def room(cpus: float, gpus: float) -> int:
    """Count the workers for which the living nodes have capacity when idle.

    Args:
        cpus: CPUs of a worker.
        gpus: GPUs of a worker.
    """
    return sum(_fitting(node["Resources"], cpus, gpus) for node in _alive())


def room_to_ask(cpus: float, gpus: float) -> int:
    """Count the workers to request if a run sets no count: the room, and `AHEAD` more if the cluster can grow.

    Args:
        cpus: CPUs of a worker.
        gpus: GPUs of a worker.
    """
    return max(1, room(cpus, gpus) + (AHEAD if os.environ.get(WAIT_FOR_GPUS) else 0))


def largest_node() -> float:
    """Return the CPUs of the node that has the most."""
    return max((node["Resources"].get("CPU", 0.0) for node in _alive()), default=0.0)


def check_cluster() -> None:
    """Raise `RunError` if the driver's node is dead, since Ray would wait for ever."""
    here = ray.get_runtime_context().get_node_id()
    if not any(node["NodeID"] == here for node in _alive()):
        raise RunError("Ray stopped on this machine; run the same command again to resume")


def place_of(actor: Any) -> tuple[str, int] | None:
    """Find an actor's host and process, even while it starts or hangs.

    Ray's public interface has this only with a dashboard.

    Args:
        actor: Handle of the actor.

    Returns:
        Host name and process id; None while the actor waits for a place.
    """
    found = actors(actor._actor_id.hex())
    process = found.get("Pid") if found else 0
    if not process:
        return None
    node = found["Address"]["NodeID"]
    hosts = (one["NodeManagerHostname"] for one in ray.nodes() if one["NodeID"] == node)
    return next(hosts, found["Address"]["IPAddress"]), process


def resources_text() -> str:
    """Describe the total and the free resources of the cluster."""
    has, free = ray.cluster_resources(), ray.available_resources()
    kinds = [f"{has[kind]:g} {kind}s, {free.get(kind, 0.0):g} of them free" for kind in ("CPU", "GPU") if kind in has]
    return f"the cluster has {len(_alive())} nodes with {'; '.join(kinds) or 'no CPUs'}"


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _fitting(resources: Mapping[str, float], cpus: float, gpus: float) -> int:
    by_cpu = int(resources.get("CPU", 0.0) / cpus) if cpus else None
    have = resources.get("GPU", 0.0)
    # a fraction uses one GPU: two GPUs fit two workers of 0.6, not three
    by_gpu = (int(have) * int(1 / gpus) if gpus < 1 else int(have / gpus)) if gpus else None
    return min(fit for fit in (by_cpu, by_gpu) if fit is not None)


def _join(address: str) -> None:
    check_reachable(address)
    try:
        with shipped_code() as code:
            ray.init(address=address, log_to_driver=False, logging_level="error", runtime_env=code)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"ray address {address!r}: no cluster answers at this address ({' '.join(str(error).split())[:200]})"
        ) from None
