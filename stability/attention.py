"""What takes the place of a self-attention's softmax: the knob acts, the recorder measures."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skewbench.stability.blocks import Block
from skewbench.stability.control import count_branches
from skewbench.stability.interception import Softmax, is_watched
from skewbench.stability.knobs import AttentionKnob, covers
from skewbench.stability.loop import Position
from skewbench.stability.measures import coupling_measures
from skewbench.stability.recorder import Recorder
from skewbench.stability.retrieval import attend, skew_heads, stability_and_heads
from skewbench.stability.softmax import Kernel, SoftmaxCall, Text
from skewbench.stability.tokens import Image, Stream, counted, two_streams
from skewbench.vocabulary.measures import RETRIEVAL_MEASURES


@dataclass(frozen=True)
class SelfAttention:
    """One self-attention under a knob (None: as it is), measured by a recorder where there is one.

    Nothing in here waits for the device.
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
        """The heads' output in place of the layer's own."""
        knob, recorder = self._now()
        if knob is None and recorder is None:
            return own.plain()
        with without_autocast(own.q.device):
            return self._computed(own, knob, recorder)

    def _computed(self, own: Softmax, knob: AttentionKnob | None, recorder: Recorder | None) -> Tensor:
        image = self._image(own)
        before = self._call(own, image)
        call = knob.act(before) if knob else before
        columns = recorder.columns_of(self.block, before.x.device) if recorder else None
        found = stability_and_heads(call, before.q, before.k, columns, self._value_weight(before))
        if call is before:
            heads = None
        elif call.blend is None:
            heads = attend(call)
        elif found.heads is None:
            bias = None if found.ratio is None else self._value_bias(call)
            heads = skew_heads(call, found.ratio, bias)
        else:
            heads = with_bias(found.heads, self._value_bias(call))
        if recorder:
            values = {} if found.means is None else dict(zip(RETRIEVAL_MEASURES, found.means, strict=True))
            values |= {} if found.text_mass is None else {"text_mass": found.text_mass}
            values |= coupling_measures(recorder.measures, before.q, before.k, before.tokens)
            controls = knob.controlled(call) if knob else unperturbed(before.q)
            names = self.position.branches(call.branches)
            recorder.write(self.block, self.position.step, names, values, controls)
        if heads is None:
            return own.plain()
        if image is None or own.q.shape[2] == heads.shape[2]:  # the image's queries are all there are
            return heads
        return image.joined(heads, own._replace(q=image.others(own.q), mask=_of_text(own, image)).plain())

    def _image(self, own: Softmax) -> Image | None:
        """Which of the keys are image tokens; None: all of them."""
        keys, tokens = own.k.shape[2], own.x.shape[1]
        if self.stream is not None:
            return self.stream(self.position.given, keys)
        return two_streams(self.layer.processor, keys, tokens) if keys > tokens else None

    def _call(self, own: Softmax, image: Image | None) -> SoftmaxCall:
        """The softmax of the image's queries."""
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
        return call._replace(kernel=self.kernel, tokens=counted(call.mask, *call.x.shape[:2]))

    def _now(self) -> tuple[AttentionKnob | None, Recorder | None]:
        """The knob and the recorder as far as they are due in the current step."""
        step = self.position.step
        if step < 0:
            raise RuntimeError(
                f"{self.block.name} was reached past the forward of the model that perturb() was given: "
                "give perturb() the part that is called (an AutoencoderKL's decoder, say)"
            )
        due = self.knob is not None and covers(self.knob.window, step, self.steps)
        return self.knob if due else None, self.recorder if self.recorder and self.recorder.wants(step) else None

    def _value_weight(self, call: SoftmaxCall) -> Float[Tensor, "H C d"] | None:
        """The value projection by head, as a matrix; None where it is more than that (an adapter), or is elsewhere."""
        to_v, (heads, width) = getattr(self.layer, "to_v", None), (call.v.shape[1], call.v.shape[-1])
        if type(to_v) is not nn.Linear or not is_watched(to_v):
            return None
        if (to_v.weight.device, to_v.weight.dtype) != (call.x.device, call.x.dtype):  # offloaded, or under autocast
            return None
        return to_v.weight.unflatten(0, (heads, width)).mT if len(to_v.weight) == heads * width else None

    def _value_bias(self, call: SoftmaxCall) -> Float[Tensor, "H 1 d"] | None:
        """The bias of the value projection by head, which rescaling leaves alone."""
        layer: Any = self.layer
        bias: Tensor | None = layer.to_v.bias
        if bias is not None and bias.device != call.x.device:  # offloaded: the projection fetches it when it is called
            bias = layer.to_v(call.x.new_zeros(1, call.x.shape[-1]))[0]
        return None if bias is None else bias.unflatten(0, (self.block.heads, 1, -1))


def _four(mask: Tensor | None) -> Any:
    """A mask with a dimension for heads: torch takes one over queries and keys alone, too."""
    if mask is None:
        return None
    return mask.reshape(*(1,) * (4 - mask.ndim), *mask.shape)


def _of_text(own: Softmax, image: Image) -> Tensor | None:
    """The mask of the text's queries."""
    mask = _four(own.mask)
    return mask if mask is None or mask.shape[2] == 1 else image.others(mask)


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Autocast would round what is float32 on purpose."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def with_bias(heads: Float[Tensor, "B H L d"], bias: Float[Tensor, "H 1 d"] | None) -> Float[Tensor, "B H L d"]:
    """The heads' output with the value projection's bias, where it has one."""
    return heads if bias is None else heads + bias


def unperturbed(q: Float[Tensor, "B H L d"]) -> dict[str, Float[Tensor, "B"]]:
    """The controls of each row where no knob acts: alpha 1 and beta 0."""
    one = torch.ones(len(q), device=q.device)
    return {"alpha_eff": one, "beta_eff": torch.zeros_like(one)}
