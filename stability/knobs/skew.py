"""The paper's knob: the skew-symmetric part of attention, scaled."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from skewbench.stability.knobs.base import AttentionKnob
from skewbench.stability.knobs.fields import Flag, Number, Rescale, Sketch, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.vocabulary.measures import CONTROLS

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.softmax import SoftmaxCall


@knob("skew")
class Skew(AttentionKnob):
    """Scale the skew-symmetric part of q k' by alpha and blend the retrieval in by beta.

    Xi_beta = Xi + beta (Xi_alpha - Xi), with Xi_alpha = softmax((M_sym + alpha M_skew) / sqrt d) X. alpha = 1 is plain
    attention, alpha = 0 symmetric attention. `window` (a, b) covers the steps with a <= step / steps < b.

    With beta = 1 and rescale = off, alpha = 0 is symmetric attention, softmax(M_sym / sqrt d), and alpha is the gamma
    of softmax((M_sym + gamma M_skew) / sqrt d).

    Raises ValueError for a value that is not allowed. Source: the paper, equations of Xi_alpha and Xi_beta, and its
    released code for the rescaling.
    """

    alpha: Annotated[Number, Field(ge=0), Strength("α", plain=1, low=0, high=2)]
    """1: plain; 0: symmetric attention; above 1: amplified."""
    beta: Annotated[Number, Strength("β", low=1, high=8)] = 1.0
    """Weight of the perturbed retrieval in the blend; above 1 extrapolates."""
    adapt_alpha: Literal["off", "dev", "scale"] = "off"
    """Adapt alpha to the symmetry index eta: `dev` 1 + (alpha - 1) eta, `scale` alpha eta."""
    adapt_beta: Flag = False
    """Adapt beta: beta (1 - eta)."""
    eta_scope: Literal["sample", "batch"] = "sample"
    """Average eta over the heads and branches of each sample, or over the whole batch, as in the released code."""
    rescale: Rescale = "norm"
    """`norm` rescales each token of each head to the norm of Xi_alpha, within a factor of 4, as the released code does.
    `off` is the paper's equation. `{sketch: m}` estimates the norms from m random directions, which is cheaper. Joint
    attention with text is never rescaled, because text has no features of its own."""

    controls: ClassVar[tuple[str, ...]] = CONTROLS

    @classmethod
    def neutral(cls) -> Self:
        return cls(alpha=1.0, beta=5.0)

    @classmethod
    def example(cls) -> Self:
        return cls(alpha=1.2, beta=5.0)

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        from skewbench.stability.control import blend_for

        return call._replace(blend=blend_for(self, call))

    def controlled(self, call: "SoftmaxCall") -> "Mapping[str, Tensor]":
        assert call.blend is not None  # noqa: S101 - of `act`
        return {"alpha_eff": call.blend.alpha.flatten(), "beta_eff": call.blend.beta.flatten()}

    @property
    def depends_on_batch(self) -> bool:
        return self.eta_scope == "batch"

    @property
    def adaptive(self) -> bool:
        """Whether alpha or beta follows the symmetry index."""
        return self.adapt_alpha != "off" or self.adapt_beta

    @property
    def words(self) -> str:
        rules = {
            f"α adaptive ({self.adapt_alpha})": self.adapt_alpha != "off",
            "β adaptive": self.adapt_beta,
            "η over the batch": self.eta_scope == "batch",
        }
        return ", ".join(["skew", *self.strength_words, *(text for text, holds in rules.items() if holds), *self._part])

    @property
    def family(self) -> str:
        return ", ".join(["adaptive" if self.adaptive else "static", *self._part])

    @property
    def _part(self) -> list[str]:
        """The details that set a family apart: rescaling, blocks, heads, steps."""
        sketch = [f"rescale by {self.rescale.sketch} directions"] if isinstance(self.rescale, Sketch) else []
        return (["no rescale"] if self.rescale == "off" else sketch) + self.parts
