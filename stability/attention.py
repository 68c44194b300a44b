"""The processor that stands in for diffusers' own in a self-attention: perturbs it, measures it, or both."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0
from jaxtyping import Float
from torch import Tensor, nn

from skewbench.stability.blocks import Block
from skewbench.stability.control import count_branches
from skewbench.stability.knobs import AttentionKnob, covers
from skewbench.stability.measures import symmetry_indices
from skewbench.stability.recorder import Recorder
from skewbench.stability.retrieval import attend, skew_heads, stability_and_heads
from skewbench.stability.softmax import Kernel, SoftmaxCall
from skewbench.vocabulary.measures import RETRIEVAL_MEASURES


@dataclass
class Calls:
    """The number of the model's current call, from 0; one object for all the processors of a `perturb`."""

    current: int = -1


@dataclass(frozen=True)
class SelfAttentionProcessor:
    """One self-attention under a knob (None: as it is), measured by a recorder where there is one.

    `own` is the model's own processor, which it follows in all but the attention itself. Nothing in here waits for the
    device. Raises ValueError for a mask and for cross-attention, of which the measures say nothing.
    """

    block: Block
    own: AttnProcessor | AttnProcessor2_0
    knob: AttentionKnob | None
    recorder: Recorder | None
    calls: Calls
    samples: int | None
    steps: int | None
    kernel: Kernel = "torch"

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        self._refuse(encoder_hidden_states, attention_mask)
        knob, recorder = self._now()
        x = layer_input(attn, hidden_states, temb)
        q, k, v = projections(attn, x)
        scale = attn.scale if type(self.own) is AttnProcessor else 1 / math.sqrt(q.shape[-1])
        columns = recorder.columns_of(self.block, x.device) if recorder else None

        with without_autocast(x.device):
            call = SoftmaxCall(q, k, v, x, scale, count_branches(len(x), self.samples), kernel=self.kernel)
            if knob:
                call = knob.act(call)
            found = stability_and_heads(call, q, k, columns, value_weight(attn, x))
            if call.blend is None:
                heads = attend(call.q, call.k, call.v, call.scale, call.weights)
            elif found.heads is None:
                bias = value_bias(attn)
                heads = skew_heads(*call[:3], call.scale, call.blend, found.ratio, bias, call.weights, call.kernel)
            else:
                heads = with_bias(found.heads, value_bias(attn))
            if recorder:
                values = {} if found.means is None else dict(zip(RETRIEVAL_MEASURES, found.means, strict=True))
                values |= symmetries(recorder.measures, q, k)
                controls = knob.controlled(call) if knob else unperturbed(q)
                recorder.write(self.block, self.calls.current, call.branches, values, controls)
        return layer_output(attn, heads, hidden_states)

    def _now(self) -> tuple[AttentionKnob | None, Recorder | None]:
        """The knob and the recorder as far as they are due in the model's current call."""
        call = self.calls.current
        if call < 0:
            raise RuntimeError(
                f"{self.block.name} was reached past the forward of the model that perturb() was given: "
                "give perturb() the part that is called (an AutoencoderKL's decoder, say)"
            )
        due = self.knob is not None and covers(self.knob.window, call, self.steps)
        return self.knob if due else None, self.recorder if self.recorder and self.recorder.wants(call) else None

    def _refuse(self, encoder_hidden_states: Tensor | None, attention_mask: Tensor | None) -> None:
        if attention_mask is not None:
            raise ValueError(f"{self.block.name}: a masked self-attention has no symmetric part to perturb or measure")
        if encoder_hidden_states is not None:
            raise ValueError(f"{self.block.name}: called as cross-attention (with encoder_hidden_states)")


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Autocast would round what is float32 on purpose."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def layer_input(attn: Attention, hidden_states: Tensor, temb: Tensor | None) -> Float[Tensor, "B L C"]:
    """X: the tokens that the projections see, after the layer's norms; an image (B, C, h, w) is laid out as tokens."""
    if attn.spatial_norm is not None:
        hidden_states = attn.spatial_norm(hidden_states, temb)
    x = hidden_states.flatten(2).mT if hidden_states.ndim == 4 else hidden_states
    return x if attn.group_norm is None else attn.group_norm(x.mT).mT


def projections(
    attn: Attention, x: Float[Tensor, "B L C"]
) -> tuple[Float[Tensor, "B H L d"], Float[Tensor, "B H L d"], Float[Tensor, "B H L d"]]:
    """q, k and v by head, q and k after the layer's norms of them."""
    q, k, v = (to(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for to in (attn.to_q, attn.to_k, attn.to_v))
    if attn.norm_q is not None:
        q = attn.norm_q(q)
    if attn.norm_k is not None:
        k = attn.norm_k(k)
    return q, k, v


def value_weight(attn: Attention, x: Tensor) -> Float[Tensor, "H C d"] | None:
    """The value projection by head, as a matrix; None where it is more than that (an adapter), or is elsewhere."""
    to_v = attn.to_v
    if type(to_v) is not nn.Linear or to_v._forward_hooks or to_v._forward_pre_hooks:
        return None
    if (to_v.weight.device, to_v.weight.dtype) != (x.device, x.dtype):  # offloaded between calls, or under autocast
        return None
    return to_v.weight.unflatten(0, (attn.heads, -1)).mT


def with_bias(heads: Float[Tensor, "B H L d"], bias: Float[Tensor, "H 1 d"] | None) -> Float[Tensor, "B H L d"]:
    """The heads' output with the value projection's bias, where it has one."""
    return heads if bias is None else heads + bias


def value_bias(attn: Attention) -> Float[Tensor, "H 1 d"] | None:
    """The bias of the value projection by head."""
    return None if attn.to_v.bias is None else attn.to_v.bias.unflatten(0, (attn.heads, 1, -1))


def layer_output(attn: Attention, heads: Float[Tensor, "B H L d"], hidden_states: Tensor) -> Tensor:
    """The heads through the output projection, in the shape of the layer's input, with its residual and factor."""
    out = attn.to_out[0](heads.transpose(1, 2).flatten(2))
    out = attn.to_out[1](out)  # dropout
    if hidden_states.ndim == 4:
        out = out.mT.reshape(hidden_states.shape)
    if attn.residual_connection:
        out = out + hidden_states
    return out / attn.rescale_output_factor


def symmetries(
    wanted: Sequence[str], q: Float[Tensor, "B H L d"], k: Float[Tensor, "B H L d"]
) -> dict[str, Float[Tensor, "B H"]]:
    """The symmetry indices among the measures that are wanted."""
    if not {"symmetry", "symmetry_raw"} & set(wanted):
        return {}
    raw, without_mean = symmetry_indices(q, k)
    return {"symmetry_raw": raw, "symmetry": without_mean}  # a recorder drops what it was not asked for


def unperturbed(q: Float[Tensor, "B H L d"]) -> dict[str, Float[Tensor, "B"]]:
    """The controls of each row where no knob acts: alpha 1 and beta 0."""
    one = torch.ones(len(q), device=q.device)
    return {"alpha_eff": one, "beta_eff": torch.zeros_like(one)}
