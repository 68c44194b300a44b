"""What can be done to a run, each at a moment drawn by the seed: after so many receipts, and a little later."""

import os
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.processes import Command


@dataclass
class Moment:
    """When: after `receipts` receipts are in the lake, and `later` seconds."""

    receipts: int
    later: float

    def wait(self, command: Command, receipts: Callable[[], int]) -> bool:
        """Until then, by the number of receipts; False where the command ended before."""
        while receipts() < self.receipts:
            if not command.running:
                return False
            time.sleep(0.05)
        time.sleep(self.later)
        return command.running


@dataclass
class Scene:
    """A round's run that goes on, and the dice."""

    command: Command
    lake: Path
    moment: Moment
    dice: random.Random

    def comes(self) -> bool:
        """Wait for the moment; False where the command ended before."""
        return self.moment.wait(self.command, lambda: len(list(self.lake.glob("_receipts/*/*.json"))))


def kill_worker(scene: Scene) -> str:
    """kill -9 of an actor, once there is one. Actors are gone soon after the last receipt, so this strikes early."""
    scene.moment = Moment(scene.moment.receipts // 2, scene.moment.later / 10)
    return _kill_one_of(scene, "ray::LoggingWorker")  # as Ray names the process of `skewbench.tasks.worker_log`'s class


def stop_worker(scene: Scene) -> str:
    """SIGSTOP of an actor, which is alive to Ray and never answers; as early as a kill."""
    scene.moment = Moment(scene.moment.receipts // 2, scene.moment.later / 10)
    return _do_to_one_of(scene, "ray::LoggingWorker", psutil.Process.suspend)


def kill_raylet(scene: Scene) -> str:
    """kill -9 of the node's own process."""
    return _kill_one_of(scene, "raylet/raylet")


def kill_driver(scene: Scene) -> str:
    """kill -9 of `skewbench run`."""
    if not scene.comes():
        return "came too late"
    scene.command.kill()
    return f"after {scene.moment.receipts} receipts"


def truncate_part(scene: Scene) -> str:
    """Cut the end off a part that a receipt vouches for."""
    return _damage(scene, lambda content: content[: scene.dice.randrange(len(content))])


def flip_byte(scene: Scene) -> str:
    """Change one byte of such a part."""

    def flipped(content: bytes) -> bytes:
        at = scene.dice.randrange(len(content))
        return content[:at] + bytes([content[at] ^ (1 << scene.dice.randrange(8))]) + content[at + 1 :]

    return _damage(scene, flipped)


def break_manifest(scene: Scene) -> str:
    """Cut the end off a manifest, or fill it with random bytes."""
    return _break(scene, "_runs/*.json")


def break_receipt(scene: Scene) -> str:
    """The same of a receipt."""
    return _break(scene, "_receipts/*/*.json")


def nothing(scene: Scene) -> str:
    """The model's misbehaviour is all."""
    return ""


DURING: dict[str, Callable[[Scene], str]] = {
    "kill worker": kill_worker,
    "stop worker": stop_worker,
    "kill raylet": kill_raylet,
    "kill driver": kill_driver,
    "truncate part": truncate_part,
    "flip byte": flip_byte,
    "broken manifest": break_manifest,
    "broken receipt": break_receipt,
    "nothing": nothing,
}


def kill_compaction(lake: Path, start: Callable[[list[str]], Command], dice: random.Random) -> str:
    """kill -9 of `skewbench compact` when it has written so many of its files."""
    before, files = _parts(lake), dice.randrange(5)
    command = start(["compact", "--lake", str(lake)])
    while command.running and len(_parts(lake) - before) < files and len(_parts(lake)) >= len(before):
        time.sleep(0.002)
    time.sleep(dice.random() * 0.05)
    command.kill()
    code = command.wait()
    return f"after {files} files" if code else "came too late"


class SmallDisk:
    """A lake on a disk of its own that fills up, and is later made larger. Needs the right to mount."""

    def __init__(self, lake: Path, size: int) -> None:
        self._lake = lake
        lake.mkdir(parents=True)
        self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(lake))

    @staticmethod
    def possible() -> bool:
        """Whether this process may mount."""
        return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0

    def enlarge(self) -> None:
        """There is room again."""
        self._mount("-o", "remount,size=1g", str(self._lake))

    def remove(self) -> None:
        """Give the disk back."""
        subprocess.run(["umount", "-l", str(self._lake)], check=True, capture_output=True)

    def _mount(self, *arguments: str) -> None:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _kill_one_of(scene: Scene, name: str) -> str:
    return _do_to_one_of(scene, name, psutil.Process.kill)


def _do_to_one_of(scene: Scene, name: str, what: Callable[[psutil.Process], None]) -> str:
    if not scene.comes():
        return "came too late"
    while scene.command.running:
        alive = [process for process in scene.command.find(name) if process.is_running()]
        if alive:
            victim = scene.dice.choice(sorted(alive, key=lambda process: process.pid))
            try:
                what(victim)
            except psutil.NoSuchProcess:
                continue
            return f"after {scene.moment.receipts} receipts"
        time.sleep(0.05)
    return "came too late"


def _break(scene: Scene, pattern: str) -> str:
    scene.comes()
    files = sorted(scene.lake.glob(pattern))
    while not files and scene.command.running:
        time.sleep(0.05)
        files = sorted(scene.lake.glob(pattern))
    if not files:
        return "came too late"
    victim = scene.dice.choice(files)
    content = victim.read_bytes()
    kept = content[: scene.dice.randrange(len(content))]
    victim.write_bytes(scene.dice.choice([kept, scene.dice.randbytes(len(content))]))
    return f"after {scene.moment.receipts} receipts"


def _damage(scene: Scene, change: Callable[[bytes], bytes]) -> str:
    """Damage a part of a receipt in place, as a disk does, whether the run still goes on or has ended."""
    scene.comes()
    parts = sorted(_parts(scene.lake))
    while not parts and scene.command.running:
        time.sleep(0.05)
        parts = sorted(_parts(scene.lake))
    if not parts:
        return "came too late"
    victim = scene.dice.choice(parts)
    try:
        content = victim.read_bytes()
        with victim.open("r+b") as file:
            changed = change(content)
            file.write(changed)
            file.truncate(len(changed))
    except FileNotFoundError:
        return "came too late"
    return f"{victim.parts[-3]} after {scene.moment.receipts} receipts"


def _parts(lake: Path) -> set[Path]:
    return set(lake.glob("*/run_id=*/*.parquet"))
