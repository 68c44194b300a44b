"""Whether this machine has a GPU, without importing torch, which takes seconds."""

from pathlib import Path

DEVICES = ("nvidia[0-9]*", "dxg", "kfd")
"""Device files of NVIDIA's driver, of Windows' subsystem for Linux, and of AMD's driver."""


def has_gpu(folder: Path = Path("/dev")) -> bool:
    """Return whether a driver of a GPU offers a device.

    Args:
        folder: Where device files are.
    """
    return any(next(folder.glob(pattern), None) is not None for pattern in DEVICES)
