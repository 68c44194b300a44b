"""Peak memory of a call, of this process or of the GPU."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import torch


def peak(call: Callable[[], object], device: str) -> float | None:
    """Bytes at most while it ran, the model's weights included; None where the system does not tell."""
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        call()
        return float(torch.cuda.max_memory_allocated())
    if not _forget_peak():
        return None
    call()
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) * 1024


def _forget_peak() -> bool:
    """Gives free memory back and has Linux forget the largest so far."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return False
    return True
