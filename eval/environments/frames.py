"""Messages between a process and its child in an environment: JSON, then arrays as NumPy stores them.

No pickle: the two may have different versions of NumPy, and a message must not be able to run code.
"""

from __future__ import annotations

import json
import struct
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import GroupScore, Score

if TYPE_CHECKING:
    import numpy as np

_LENGTH = struct.Struct(">Q")


def write(file: IO[bytes], message: Any) -> None:
    """Write a message.

    Args:
        file: A binary stream.
        message: Values of JSON, arrays, tuples, scores, `Waveforms` and `Videos`, also within each other.
    """
    import numpy as np

    arrays: list[np.ndarray] = []
    text = json.dumps(_encoded(message, arrays)).encode()
    file.write(_LENGTH.pack(len(text)) + _LENGTH.pack(len(arrays)) + text)
    for array in arrays:
        buffer = BytesIO()
        np.save(buffer, array, allow_pickle=False)
        file.write(_LENGTH.pack(buffer.tell()))
        file.write(buffer.getbuffer())
    file.flush()


def read(file: IO[bytes]) -> Any:
    """Read a message.

    Args:
        file: A binary stream.

    Raises:
        EOFError: The other side has closed the stream.
    """
    import numpy as np

    length, count = (_LENGTH.unpack(_exactly(file, _LENGTH.size))[0] for _ in range(2))
    text = _exactly(file, length)
    arrays = []
    for _ in range(count):
        (size,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
        arrays.append(np.load(BytesIO(_exactly(file, size)), allow_pickle=False))
    return _decoded(json.loads(text), arrays)


def _exactly(file: IO[bytes], count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        more = file.read(count - len(found))
        if not more:
            raise EOFError("the stream was closed")
        found += more
    return bytes(found)


def _encoded(value: Any, arrays: list[np.ndarray]) -> Any:
    """A value as JSON in which each value that JSON lacks is a list of its kind and what it holds."""
    import numpy as np

    from skewbench.eval.scoring.audio import Waveforms
    from skewbench.eval.scoring.video import Videos

    def inside(one: Any) -> Any:
        return _encoded(one, arrays)

    if isinstance(value, np.ndarray):
        arrays.append(np.ascontiguousarray(value))
        return ["array", len(arrays) - 1]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, GroupScore):
        return ["group", inside(value.value), value.reason, value.n]
    if isinstance(value, Score):
        return ["score", inside(value.value), value.reason]
    if isinstance(value, Waveforms):
        return ["waveforms", inside(value.samples), value.rate]
    if isinstance(value, Videos):
        return ["videos", inside(value.frames), value.fps]
    if isinstance(value, dict):
        return {name: inside(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return ["tuple" if isinstance(value, tuple) else "list", *map(inside, value)]
    return value


def _decoded(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, dict):
        return {name: _decoded(one, arrays) for name, one in value.items()}
    if not isinstance(value, list):
        return value
    from skewbench.eval.scoring.audio import Waveforms
    from skewbench.eval.scoring.video import Videos

    kind, *held = value
    if kind == "array":
        return arrays[held[0]]
    inside = [_decoded(one, arrays) for one in held]
    if kind == "list":
        return inside
    if kind == "tuple":
        return tuple(inside)
    kinds: dict[str, Any] = {
        "group": lambda value, reason, n: GroupScore(value, reason, n),
        "score": Score,
        "waveforms": Waveforms,
        "videos": Videos,
    }
    return kinds[kind](*inside)
