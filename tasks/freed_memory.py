"""Memory that a process frees and needs again soon."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Numbers of parameters in glibc's malloc.h."""
LARGEST, KEPT = 32 << 20, 256 << 20
"""Bytes of an allocation that glibc takes from its heap at most (more is refused), and bytes of free heap that stay."""


def keep_freed_memory() -> bool:
    """Let the process keep the memory of freed temporaries for the next ones.

    glibc otherwise returns it to the kernel, which must clear each page before it gives it out again. On a CPU that
    took a third of a measured layer's time (docs/performance-cpu.md).

    Returns:
        Whether the C library has these parameters. Others than glibc (macOS, musl) do not.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(
        mallopt(parameter, size) == 1 for parameter, size in ((_M_MMAP_THRESHOLD, LARGEST), (_M_TRIM_THRESHOLD, KEPT))
    )
