"""An online guard: amplifies circulation for samples that are unstable during generation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field

from skewbench.stability.knobs.base import AttentionKnob
from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob
from skewbench.vocabulary.measures import CONTROLS

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.stability.softmax import SoftmaxCall


@knob("skew_guided")
class SkewGuided(AttentionKnob):
    """Amplify the skew-symmetric part for samples with low alignment, and leave stable samples unchanged.

    The knob is `Skew` with alpha = 1 + (alpha - 1) w and w = 1 - Align / stable, clipped to [0, 1]. Align is measured
    on the layer's own retrieval in the same call: the mean over a sample's heads, its CFG branches and at most 32
    evenly spaced columns of X. So the guard follows a sample from step to step without a state. A sample with Align >=
    `stable` gets the layer's own output.

    Alignment differs more between blocks than between samples, so one value of `stable` for all blocks mostly selects
    blocks. To select samples, name a block or a stage, and set `stable` within its range (`stability_profile` shows
    it).

    Raises ValueError for a value that is not allowed. Source: the confidence-guided adjustment that is named as future
    work for skew-symmetric attention. It has no published formula; w is defined by this project.
    """

    alpha: Annotated[Number, Field(ge=1), Strength("α", plain=1, low=1, high=2)]
    """Alpha for a sample with an alignment of 0 or less. 1: plain attention."""
    beta: Annotated[Number, Strength("β", low=1, high=8)] = 1.0
    """Weight of the perturbed retrieval in the blend; above 1 extrapolates."""
    stable: Annotated[Number, Field(gt=0, le=1), Strength("Align", low=0.1)] = 0.4
    """The alignment at and above which a sample is unchanged."""
    rescale: Literal["norm", "off"] = "norm"
    """`norm` or `off`, as for `skew`."""

    controls: ClassVar[tuple[str, ...]] = CONTROLS

    @classmethod
    def neutral(cls) -> Self:
        return cls(alpha=1.0, beta=5.0)

    @classmethod
    def example(cls) -> Self:
        return cls(alpha=1.5, beta=5.0)

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        from skewbench.stability.control import blend_where_unstable

        return call._replace(blend=blend_where_unstable(self, call))

    def controlled(self, call: "SoftmaxCall") -> "Mapping[str, Tensor]":
        assert call.blend is not None  # noqa: S101 - of `act`
        return {"alpha_eff": call.blend.alpha.flatten(), "beta_eff": call.blend.beta.flatten()}
