"""Whether a safetensors file is whole, by its header and its size; no tensor is read."""

import json
from pathlib import Path
from typing import BinaryIO

from skewbench.vocabulary.errors import InputError

_POINTER = b"version https://git-lfs"
_LONGEST_HEADER = 100_000_000
"""Bytes; the limit of the format."""


def check_whole(where: str, path: Path) -> None:
    """Check a file of weights.

    Args:
        where: What an error message names as the place, before the file's name.
        path: The file.

    Raises:
        InputError: The file is a Git LFS pointer, no safetensors file, or shorter or longer than its header says.
    """
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise InputError(f"{where}: {path.name} is a Git LFS pointer, not the weights; run `git lfs pull`")
        file.seek(0)
        expected = _size(file)
    size = path.stat().st_size
    if expected is None:
        raise InputError(
            f"{where}: {path.name} is not a safetensors file, or its header is truncated; download it again"
        )
    if size != expected:
        damage = "truncated" if size < expected else "damaged"
        raise InputError(f"{where}: {path.name} is {damage}: {size:,} bytes instead of {expected:,}; download it again")


def _size(file: BinaryIO) -> int | None:
    """The size in bytes that a file's header requires; None if it has no such header."""
    length = int.from_bytes(file.read(8), "little")
    if length > _LONGEST_HEADER:
        return None
    header = file.read(length)
    try:
        tensors = json.loads(header)
        ends = [int(about["data_offsets"][1]) for name, about in tensors.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return 8 + length + max(ends, default=0)
