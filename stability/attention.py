"""Replaces the softmax of a self-attention: the knob acts on it, and the recorder measures it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skewbench.stability.blocks import Block
from skewbench.stability.control import count_branches
from skewbench.stability.grid import at_level
from skewbench.stability.interception import Softmax, is_watched
from skewbench.stability.knobs import AttentionKnob
from skewbench.stability.linear import linear_weights
from skewbench.stability.loop import Position
from skewbench.stability.measures import coupling_measures
from skewbench.stability.recorder import Recorder
from skewbench.stability.rescaled import Columns
from skewbench.stability.retrieval import attend, skew_heads
from skewbench.stability.retrieved import stability_and_heads
from skewbench.stability.softmax import Kernel, SoftmaxCall, Text, picked
from skewbench.stability.tokens import Image, Stream, counted, two_streams
from skewbench.vocabulary.measures import RETRIEVAL_MEASURES


class _Done(NamedTuple):
    """A softmax call under a knob."""

    heads: Float[Tensor, "B H L d"]
    """The heads' output. If no knob acts, the layer's own softmax computes it instead."""
    means: Float[Tensor, "measures B H"] | None
    text_mass: Float[Tensor, "B H"] | None
    controls: Mapping[str, Float[Tensor, "B"]]


@dataclass(frozen=True)
class SelfAttention:
    """Runs one self-attention under a knob (None: unchanged), and measures it if a recorder is given.

    Does not synchronise with the device.
    """

    block: Block
    layer: nn.Module
    stream: Stream | None
    knob: AttentionKnob | None
    recorder: Recorder | None
    position: Position
    samples: int | None
    steps: int | None
    kernel: Kernel = "torch"

    def __call__(self, own: Softmax) -> Float[Tensor, "B H S d"]:
        """Compute the output by head, in place of the layer's softmax."""
        knob, recorder = self._now()
        if knob is None and recorder is None:
            return own.plain()
        with without_autocast(own.q.device):
            return self._computed(own, knob, recorder)

    def _computed(self, own: Softmax, knob: AttentionKnob | None, recorder: Recorder | None) -> Tensor:
        image = self._image(own)
        before = self._call(own, image, knob)
        columns = recorder.columns_of(self.block, before.x.device) if recorder else None
        done = self._under(knob, before, columns)
        if recorder:
            self._record(recorder, before, done)
        if knob is None:
            return own.plain()
        if image is None or own.q.shape[2] == done.heads.shape[2]:  # the image's queries are all there are
            return done.heads
        return image.joined(done.heads, own._replace(q=image.others(own.q), mask=_of_text(own, image)).plain())

    def measure_linear(self, own: Softmax) -> None:
        """Record the measures of linear attention, which no knob acts on.

        Args:
            own: The layer's call, with rectified queries and keys.
        """
        _, recorder = self._now()
        if recorder is None:
            return
        with without_autocast(own.q.device):
            before = self._call(own, None, None)._replace(weights=linear_weights)
            columns = recorder.columns_of(self.block, before.x.device)
            self._record(recorder, before, self._act(None, before, columns))

    def _record(self, recorder: Recorder, before: SoftmaxCall, done: _Done) -> None:
        values = {} if done.means is None else dict(zip(RETRIEVAL_MEASURES, done.means, strict=True))
        values |= {} if done.text_mass is None else {"text_mass": done.text_mass}
        values |= coupling_measures(recorder.measures, before.q, before.k, before.tokens)
        names = self.position.branches(before.branches)
        recorder.write(self.block, self.position.step, names, values, done.controls)

    def _under(self, knob: AttentionKnob | None, before: SoftmaxCall, columns: Columns | None) -> _Done:
        """Apply the knob to its heads, and plain attention to the others."""
        if knob is None or knob.heads == "all":
            return self._act(knob, before, columns)
        heads = range(self.block.heads)
        rest = [head for head in heads if head not in knob.heads]
        divided = ((knob, knob.heads), (None, rest))
        parts = [self._act(acting, before, columns, some) for acting, some in divided if some]
        order = sorted(heads, key=[*knob.heads, *rest].__getitem__)

        def joined(tensors: list[Tensor | None], dim: int) -> Tensor | None:
            there = [tensor for tensor in tensors if tensor is not None]
            return picked(torch.cat(there, dim=dim), order, dim) if len(there) == len(parts) else None

        return _Done(
            picked(torch.cat([part.heads for part in parts], dim=1), order),
            joined([part.means for part in parts], 2),
            joined([part.text_mass for part in parts], 1),
            parts[0].controls,
        )

    def _act(
        self,
        knob: AttentionKnob | None,
        before: SoftmaxCall,
        columns: Columns | None,
        heads: Sequence[int] | None = None,
    ) -> _Done:
        """Compute some of the heads, or all of them, under the knob."""
        weight = self._value_weight(before)
        if heads is not None:
            before = before.of_heads(heads)
            weight = None if weight is None else picked(weight, heads, 0)
        call = knob.act(before) if knob else before
        if call.constant and columns is not None:
            columns = slice(0, 1)  # enough for the share of text
        found = stability_and_heads(call, before.q, before.k, columns, weight)
        if call.blend is None:
            output = before.v if knob is None and heads is None else attend(call)
        else:
            bias = self._value_bias(call, heads) if call.blend.rescale else None
            output = skew_heads(call, found.ratio, bias) if found.heads is None else with_bias(found.heads, bias)
        controls = knob.controlled(call) if knob else unperturbed(before.q)
        return _Done(output, None if call.constant else found.means, found.text_mass, controls)

    def _image(self, own: Softmax) -> Image | None:
        """Return which of the keys are image tokens; None: all of them."""
        keys, tokens = own.k.shape[2], own.x.shape[1]
        if self.stream is not None:
            return self.stream(self.position.given, keys)
        return two_streams(self.layer.processor, keys, tokens) if keys > tokens else None

    def _call(self, own: Softmax, image: Image | None, knob: AttentionKnob | None) -> SoftmaxCall:
        """Build the softmax call of the image's queries."""
        branches = count_branches(len(own.x), self.samples)
        if image is None:
            call = SoftmaxCall(own.q, own.k, own.v, own.x, own.scale, branches, mask=_four(own.mask))
        else:
            call = SoftmaxCall(
                q=own.q if own.q.shape[2] < own.k.shape[2] else image.of(own.q),
                k=image.of(own.k),
                v=image.of(own.v),
                x=own.x if self.stream is None else image.of(own.x),
                scale=own.scale,
                branches=branches,
                text=Text(image.others(own.k), image.others(own.v)),
                mask=None if own.mask is None else image.keys(_four(own.mask), own.q.shape[2]),
            )
        grid = self._grid(call.q.shape[2]) if knob is not None and knob.needs_grid else None
        tokens = counted(call.mask, *call.x.shape[:2])
        return call._replace(kernel=self.kernel, tokens=tokens, grid=grid, block=self.block.number)

    def _grid(self, tokens: int) -> tuple[int, int]:
        """Return rows and columns of the layer's image tokens."""
        if self.position.grid is None:
            raise ValueError(
                f"{self.block.name}: the model's arguments do not determine the number of token rows of an image"
            )
        return at_level(self.position.grid, tokens)

    def _now(self) -> tuple[AttentionKnob | None, Recorder | None]:
        """Return the knob and the recorder; each is None if it does not act in the current step."""
        step = self.position.step
        if step < 0:
            raise RuntimeError(
                f"{self.block.name} was called outside the forward of the model given to perturb(): "
                "pass the called part to perturb(), for example an AutoencoderKL's decoder"
            )
        # a knob as weak branch acts only in the evaluation of that branch, where a direct knob never acts
        due = self.knob is not None and (self.knob.weak is not None) == self.position.weak
        knob = self.knob.at(step, self.steps) if self.knob is not None and due else None
        return knob, self.recorder if self.recorder and self.recorder.wants(step) else None

    def _value_weight(self, call: SoftmaxCall) -> Float[Tensor, "H C d"] | None:
        """Return the value projection as a matrix by head; None if it has adapters, or its weights are elsewhere."""
        to_v, (heads, width) = getattr(self.layer, "to_v", None), (call.v.shape[1], call.v.shape[-1])
        if type(to_v) is not nn.Linear or not is_watched(to_v):
            return None
        if (to_v.weight.device, to_v.weight.dtype) != (call.x.device, call.x.dtype):  # offloaded, or under autocast
            return None
        return to_v.weight.unflatten(0, (heads, width)).mT if len(to_v.weight) == heads * width else None

    def _value_bias(self, call: SoftmaxCall, heads: Sequence[int] | None) -> Float[Tensor, "H 1 d"] | None:
        """Return the bias of the value projection in these heads. Rescaling does not change it."""
        layer: Any = self.layer
        bias: Tensor | None = layer.to_v.bias
        if bias is not None and bias.device != call.x.device:  # offloaded: the projection fetches it when it is called
            bias = layer.to_v(call.x.new_zeros(1, call.x.shape[-1]))[0]
        if bias is None:
            return None
        bias = bias.unflatten(0, (self.block.heads, 1, -1))
        return bias if heads is None else picked(bias, heads, 0)


def _four(mask: Tensor | None) -> Any:
    """Add the dimension of heads to a mask over rows, queries and keys; torch also takes one over queries and keys."""
    if mask is None:
        return None
    return mask.reshape(*(1,) * (4 - mask.ndim), *mask.shape)


def _of_text(own: Softmax, image: Image) -> Tensor | None:
    """Select the mask of the text's queries."""
    mask = _four(own.mask)
    return mask if mask is None or mask.shape[2] == 1 else image.others(mask)


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Turn autocast off, because it would round values that must be float32.

    Args:
        device: Device whose autocast is turned off. A device without autocast needs nothing.

    Returns:
        A context manager.
    """
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def with_bias(heads: Float[Tensor, "B H L d"], bias: Float[Tensor, "H 1 d"] | None) -> Float[Tensor, "B H L d"]:
    """Add the value projection's bias to the heads' output.

    Args:
        heads: Output by head, without the bias.
        bias: Bias by head; None: the projection has none.
    """
    return heads if bias is None else heads + bias


def unperturbed(q: Float[Tensor, "B H L d"]) -> dict[str, Float[Tensor, "B"]]:
    """Return the controls of rows that no knob acts on: alpha 1 and beta 0.

    Args:
        q: Queries. Only their number of rows and device matter.
    """
    one = torch.ones(len(q), device=q.device)
    return {"alpha_eff": one, "beta_eff": torch.zeros_like(one)}
