"""Takes over the softmax of a self-attention, and leaves the rest of the layer unchanged.

All attention layers of diffusers end in torch's `scaled_dot_product_attention`. While a layer runs, its call of that
function is redirected; norms, rotary embedding, biases, adapters, fused projections, text keys and the output
projection stay the layer's own. X is what enters `to_v`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import (
    Attention,
    AttnAddedKVProcessor,
    AttnAddedKVProcessor2_0,
    AttnProcessor,
    AttnProcessor2_0,
    SlicedAttnAddedKVProcessor,
    SlicedAttnProcessor,
)
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from skewbench.stability.softmax import Mask

_FUSED: dict[type, Callable[[], Any]] = {
    AttnProcessor: AttnProcessor2_0,
    SlicedAttnProcessor: AttnProcessor2_0,
    AttnAddedKVProcessor: AttnAddedKVProcessor2_0,
    SlicedAttnAddedKVProcessor: AttnAddedKVProcessor2_0,
}
"""Processors that compute softmax by themselves, and those that call torch's for the same result."""


class Softmax(NamedTuple):
    """A layer's call of `scaled_dot_product_attention`."""

    x: Float[Tensor, "B L C"]
    """The input of `to_v`."""
    q: Float[Tensor, "B H S d"]
    k: Float[Tensor, "B H K d"]
    v: Float[Tensor, "B H K d"]
    mask: Mask | None
    scale: float

    def plain(self) -> Float[Tensor, "B H S d"]:
        """The layer's own output by head."""
        return F.scaled_dot_product_attention(self.q, self.k, self.v, attn_mask=self.mask, scale=self.scale)


class Interception:
    """While open, passes a layer's softmax to `take` in each call of the layer that is self-attention.

    In such a call the same tensor enters `to_q` and `to_v`. Other calls are unchanged. An interception that
    is opened within another of the same layer takes its place until it is closed.

    Args:
        name: The layer's, for messages.
        layer: An attention layer of diffusers.
        take: A function that computes the heads' output instead of torch; None: the layer is unchanged.
    """

    def __init__(self, name: str, layer: nn.Module, take: Callable[[Softmax], Tensor] | None) -> None:
        self.name, self._layer, self._take = name, layer, take
        self._door = Door(F.scaled_dot_product_attention, self._softmax)
        self._active = self._entered = self._reached = False
        self._x: Tensor | None = None
        self._into_q: Tensor | None = None
        self._replaced: Any = None
        self._hooks: list[RemovableHandle] = []
        self._watching: list[RemovableHandle] = []
        self._projections: tuple[nn.Module | None, ...] = ()
        self.self_attention = True
        """False: the last call was a cross-attention and was not changed."""

    @property
    def acts(self) -> bool:
        """Whether the softmax is redirected."""
        return self._take is not None

    def open(self) -> None:
        """Start intercepting. The layer gets hooks, and nothing else of it changes."""
        open_ones = _OPEN.setdefault(self._layer, [])
        for other in open_ones:
            other._active = False
        open_ones.append(self)
        self._active = True
        if not self.acts:
            return
        self._hooks = [
            self._layer.register_forward_pre_hook(self._enter),
            self._layer.register_forward_hook(self._leave, always_call=True),
        ]
        self._watch()

    def close(self) -> None:
        """Stop intercepting. An interception around this one acts again."""
        for hook in (*self._hooks, *self._watching):
            hook.remove()
        open_ones = _OPEN[self._layer]
        open_ones.remove(self)
        if open_ones:
            open_ones[-1]._active = True

    def _watch(self) -> None:
        """Hook the projections. They are other modules after an adapter was loaded, or after they were fused."""
        for hook in self._watching:
            hook.remove()
        self._projections = self._present()
        see = (self._see_q, self._see_v, self._see_both)
        self._watching = [
            module.register_forward_pre_hook(hook)
            for module, hook in zip(self._projections, see, strict=True)
            if module is not None
        ]

    def _present(self) -> tuple[nn.Module | None, ...]:
        return tuple(getattr(self._layer, name, None) for name in ("to_q", "to_v", "to_qkv"))

    def _enter(self, layer: Any, inputs: Any) -> None:
        if not self._active:
            return
        if any(now is not then for now, then in zip(self._present(), self._projections, strict=True)):
            self._watch()
        self._x = self._into_q = None
        self._reached, self.self_attention = False, True
        if type(layer.processor) in _FUSED:
            self._replaced, layer.processor = layer.processor, self._fused(layer)
        self._entered = True
        self._door.__enter__()

    def _leave(self, layer: Any, inputs: Any, output: Any) -> None:
        if not self._entered:
            return
        self._door.__exit__(None, None, None)
        self._entered = False
        if self._replaced is not None:
            layer.processor, self._replaced = self._replaced, None
        own = self._x is not None and self._x is self._into_q
        self._x = self._into_q = None
        if own and not self._reached and output is not None:  # None: something else was raised
            raise RuntimeError(
                f"{self.name} ({type(layer.processor).__name__}) did not call torch's scaled_dot_product_attention, "
                "so it can be neither perturbed nor measured: it has an unknown kind of linear attention, or "
                "an attention backend other than native (`model.set_attention_backend('native')`)"
            )

    def _fused(self, layer: Any) -> Any:
        if isinstance(layer.processor, AttnProcessor) and (layer.norm_q is not None or layer.norm_k is not None):
            raise ValueError(f"{self.name} normalises q and k, which its AttnProcessor ignores; set AttnProcessor2_0")
        return _FUSED[type(layer.processor)]()

    def _see_q(self, module: Any, inputs: Any) -> None:
        self._into_q = inputs[0]

    def _see_v(self, module: Any, inputs: Any) -> None:
        if not self._reached:  # a processor may project other values afterwards, as those of PAG do
            self._x = inputs[0]

    def _see_both(self, module: Any, inputs: Any) -> None:
        self._into_q = self._x = inputs[0]

    def _softmax(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Replace torch's function, with its signature."""
        own = self._x is not None and self._x is self._into_q
        if self._reached or self._x is None or not own:
            self.self_attention = self.self_attention and own
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
        self._reached = True
        assert self._take is not None  # noqa: S101 - else no hook is there
        if dropout_p or is_causal:
            raise ValueError(f"{self.name}: attention with dropout or a causal mask cannot be perturbed or measured")
        if self._replaced is not None and isinstance(self._layer, Attention):
            scale = self._layer.scale  # the processor that was replaced reads it, the other does not
        if key.shape[1] != query.shape[1]:  # grouped queries
            each = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(each, dim=1), value.repeat_interleave(each, dim=1)
        scale = query.shape[-1] ** -0.5 if scale is None else scale
        kind = query.device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):  # as it does to torch's softmax
            query, key, value = (tensor.to(torch.get_autocast_dtype(kind)) for tensor in (query, key, value))
        return self._take(Softmax(self._x, query, key, value, attn_mask, scale))


def is_watched(projection: nn.Module) -> bool:
    """Return whether a projection has no hooks other than those of interceptions.

    Args:
        projection: A layer's projection, such as `to_q`.
    """
    hooks = projection._forward_pre_hooks.values()
    return not projection._forward_hooks and all(
        isinstance(getattr(hook, "__self__", None), Interception) for hook in hooks
    )


class Door(TorchFunctionMode):
    """Redirects the calls of one of torch's functions."""

    def __init__(self, function: Callable[..., Tensor], take: Callable[..., Tensor]) -> None:
        super().__init__()
        self._function, self._take = function, take

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is self._function:
            return self._take(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


_OPEN: WeakKeyDictionary[nn.Module, list[Interception]] = WeakKeyDictionary()
"""The interceptions of each layer, the innermost last."""
