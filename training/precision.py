"""The precision of a training: float32, or bfloat16 for matrix products and convolutions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Precision = Literal["float32", "bfloat16"]


@contextmanager
def computed_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute products and convolutions in a precision, by torch's autocast; weights stay in float32.

    On a processor, attention stays in float32: the backward pass of torch's fused attention for processors is about ten
    times as slow in bfloat16.

    Args:
        precision: float32 or bfloat16.
        device: The device of the model.
    """
    if precision == "float32":
        yield
        return
    with torch.autocast(device.type, torch.bfloat16):
        if device.type != "cpu":
            yield
            return
        with _AttentionInFloat32():
            yield


class _AttentionInFloat32(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        with torch.autocast("cpu", enabled=False):
            return func(*map(_widened, args), **{name: _widened(value) for name, value in (kwargs or {}).items()})


def _widened(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
