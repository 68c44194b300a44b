"""A real S3 server (SeaweedFS) on loopback for tests: with keys that it checks, and to be stopped and started again."""

import json
import os
import random
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store

BUCKET = "lakes"
_ADMIN = {"AWS_ACCESS_KEY_ID": "writer", "AWS_SECRET_ACCESS_KEY": "writers-secret"}
_READER = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "readers-secret"}
_PORTS = ("master", "volume", "filer", "s3")
_PATIENCE = 120.0
"""Seconds to come up: it takes four on a quiet machine."""


class S3Server:
    """A server with one bucket, `lakes`. What it stores stays in `folder` from a stop to the next start.

    `environment` is what a process needs to reach it; `readers` has keys that may read and list, and not write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = _free_ports(2 * len(_PORTS))

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self._ports[_PORTS.index('s3')]}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which all may be done."""
        return {**_ADMIN, "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1"}

    @property
    def readers(self) -> dict[str, str]:
        """Variables with which everything may be read and nothing written."""
        return {**self.environment, **_READER}

    def lake(self, name: str) -> str:
        """URL of a lake in the bucket."""
        return f"s3://{BUCKET}/{name}"

    def client(self) -> S3Store:
        """The bucket, for a test that looks into it; does not ask twice."""
        keys = {name.removeprefix("AWS_").lower(): value for name, value in self.environment.items()}
        return S3Store(
            BUCKET,
            endpoint=keys.pop("endpoint_url"),
            client_options={"allow_http": True, "timeout": timedelta(seconds=5)},
            retry_config={"max_retries": 0},
            **keys,
        )

    def start(self) -> "S3Server":
        """Start, and return once it stores objects. A port that somebody took meanwhile: others, the first time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        identities = [_identity("writer", _ADMIN, "Admin"), _identity("reader", _READER, "Read", "List")]
        (self._folder / "identities.json").write_text(json.dumps({"identities": identities}))
        for _ in range(3):
            self._process = self._launched()
            if self._answers():
                return self
            self._ports = _free_ports(2 * len(_PORTS))
        raise RuntimeError(f"the S3 server does not start:\n{(self._folder / 'log').read_text()[-3000:]}")

    def stop(self) -> None:
        """End the process at once, as an outage does; what was stored is there after the next start."""
        if self._process:
            self._process.kill()
            self._process.wait()
            for socket_left in Path("/tmp").glob("seaweedfs-*-grpc-*.sock"):  # the server's folder for them is fixed
                if int(socket_left.stem.rpartition("-")[2]) in self._ports:
                    socket_left.unlink(missing_ok=True)
        self._process = None

    def __enter__(self) -> "S3Server":
        return self.start()

    def __exit__(self, *ended: object) -> None:
        self.stop()

    def _launched(self) -> "subprocess.Popen[bytes]":
        weed = Path(sysconfig.get_path("scripts")) / "weed"
        named = [*(f"{name}.port" for name in _PORTS), *(f"{name}.port.grpc" for name in _PORTS)]
        command = [
            *(str(weed), "server", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-{name}={port}" for name, port in zip(named, self._ports, strict=True)),
            *("-s3", f"-s3.config={self._folder / 'identities.json'}", "-s3.autoCreateBucket=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-master.raftHashicorp"),
            *("-master.volumeSizeLimitMB=64", "-volume.max=100", "-volume.minFreeSpace=1"),
            *(f"-{name}.localSocket={self._folder / name}.sock" for name in ("filer", "s3")),
        ]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)

    def _answers(self) -> bool:
        """Whether it comes up: makes the bucket and stores an object, or ends."""
        assert self._process
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends and self._process.poll() is None:
            if self._stores():
                return True
            time.sleep(0.1)
        self.stop()
        return False

    def _stores(self) -> bool:
        store = self.client()
        make = urllib.request.Request(obstore.sign(store, "PUT", "", timedelta(seconds=60)), method="PUT")
        try:
            urllib.request.urlopen(make, timeout=5).close()
        except urllib.error.HTTPError as error:
            if error.code != 409:  # 409: it is there, from before a stop
                return False
        except OSError:
            return False
        try:
            store.put("_started", str(os.getpid()).encode())
            store.delete("_started")
        except Exception:
            return False
        return True


def _identity(name: str, keys: dict[str, str], *actions: str) -> dict[str, object]:
    credentials = {"accessKey": keys["AWS_ACCESS_KEY_ID"], "secretKey": keys["AWS_SECRET_ACCESS_KEY"]}
    return {"name": name, "credentials": [credentials], "actions": actions}


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, below those that systems give to outgoing connections: they stay free in a stop."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as knocker:
            try:
                knocker.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
