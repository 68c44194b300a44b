"""Ray nodes that `ray start` starts, with a token, on a Python of their own: as on machines of their own."""

import json
import os
import secrets
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from skewbench.tasks.pool.local_ray import PATIENCE
from tests.ports import free_port

HOUSE = Path(__file__).parents[2]
LIMIT = 500.0
"""Seconds for a driver, on a busy machine."""
STARTS = 5
IDLE = 12.0
"""Seconds after which an autoscaler ends a node. One that needs longer to be given work never gets to any."""
AGENTS = ("dashboard-agent-grpc-port", "dashboard-agent-listen-port", "metrics-export-port", "runtime-env-agent-port")


class Nodes:
    """A cluster by `ray start`. `python`: what its nodes, and so its workers, run on."""

    def __init__(self, folder: Path, python: Path) -> None:
        self._folder, self._python = folder, python
        self._started: list[subprocess.Popen[bytes]] = []
        self.address = f"127.0.0.1:{free_port()}"
        own = {"RAY_raylet_start_wait_time_s": "90", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        self._environment = {**os.environ, **PATIENCE, **own}

    def head(self, *options: str, **environment: str) -> None:
        """Start the head."""
        port = self.address.rpartition(":")[2]
        own = ["--include-dashboard=false", f"--temp-dir={self._folder}"]
        self._start("--head", f"--port={port}", *own, *options, **environment)

    def growing_head(self, most: int) -> None:
        """Start a head without CPUs, whose autoscaler starts up to `most` nodes of one (pretended) GPU on this machine,
        and ends those that have been idle.
        """
        config = self._folder / "growing.json"
        config.write_text(json.dumps(_growing(self.address, most)))
        own = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
        self.head("--num-cpus=0", f"--autoscaling-config={config}", **own)

    def worker(self, *options: str) -> None:
        """Start another node."""
        self._start(f"--address={self.address}", *options)

    def _start(self, *options: str, **environment: str) -> None:
        """Start a node, and wait until it stands. Its agents' ports are given: Ray waits 15 s for agents to choose, and
        then ends the node, which on a busy machine may happen all the same.
        """
        given = {**self._environment, **environment}
        log = self._folder / f"node-{len(self._started)}.log"
        for _ in range(STARTS):
            ports = [f"--{name}={free_port()}" for name in AGENTS]
            start = [str(self._python), "-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
            with log.open("wb") as file:
                command = [*start, *ports, *options]
                node = subprocess.Popen(command, stdout=file, stderr=file, cwd=self._folder, env=given)
            self._started.append(node)
            while node.poll() is None:
                if "Ray runtime started" in log.read_text():
                    return
                time.sleep(0.25)
            self._started.remove(node)
        raise AssertionError(log.read_text())

    def drive(self, module: str, **environment: str) -> dict[str, Any]:
        """What a driver, with our own Python and in a folder that nodes know nothing of, prints as its last line."""
        command = [sys.executable, "-m", module, self.address]
        own = {**self._environment, "PYTHONPATH": str(HOUSE), **environment}
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, cwd=folder, env=own)
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def end(self) -> None:
        """End what was started, and what that started: an autoscaler's nodes are nobody's once it is gone."""
        alive = [node for node in self._started if node.poll() is None]
        under = [process for node in alive for process in psutil.Process(node.pid).children(recursive=True)]
        for node in reversed(alive):
            node.terminate()
        _, left = psutil.wait_procs(under, timeout=5)
        for process in left:
            process.kill()
        for node in alive:
            try:
                node.wait(timeout=60)
            except subprocess.TimeoutExpired:
                node.kill()


def _growing(address: str, most: int) -> dict[str, Any]:
    """What `ray up` makes of a cluster's YAML, for Ray's own provider of nodes that are processes."""
    here = {"type": "fake_multinode", "gcs_address": address}
    here |= dict.fromkeys(("use_node_id_as_ip", "disable_node_updaters", "disable_launch_config_check"), True)
    commands = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
    starts, files = ("head_start_ray_commands", "worker_start_ray_commands"), ("cluster_synced_files",)
    rsync = ("rsync_exclude", "rsync_filter")
    return {
        "cluster_name": "growing",
        "provider": here,
        "max_workers": most,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": IDLE / 60,
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "gpu": {"resources": {"CPU": 1, "GPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": most},
        },
        **{name: [] for name in (*commands, *starts, *files, *rsync)},
        **{"auth": {}, "docker": {}, "file_mounts": {}, "file_mounts_sync_continuously": False},
    }


@contextmanager
def started_nodes(python: Path = Path(sys.executable)) -> Iterator[Nodes]:
    """Within: a cluster that has no node yet. Its folder has a short name, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        nodes = Nodes(Path(folder), python)
        try:
            yield nodes
        finally:
            nodes.end()


def with_libraries_alone(folder: Path) -> Path:
    """A Python with everything that is installed beside us, but not us."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        if "skewbench" not in installed.name and installed.name != "__pycache__":
            (packages / installed.name).symlink_to(installed)
    return folder / "bin" / "python"
