"""Smoothed energy: attention with blurred queries."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field

from skewbench.stability.knobs.base import AttentionKnob
from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob

if TYPE_CHECKING:
    from skewbench.stability.softmax import SoftmaxCall


@knob("seg")
class Seg(AttentionKnob):
    """Blur the queries over the image: P becomes softmax((G q) k' / sqrt d), G a Gaussian blur of width sigma.

    The blur keeps the mean of the queries and damps every other component, more strongly for larger sigma. This smooths
    the energy of attention. The limit is the mean of the queries: sigma = 1000 gives it on every usual grid. All tokens
    then retrieve the same value, so energy, instability and alignment are undefined and NULL. Text tokens are not
    blurred, and the image's logits for text keys use the unblurred queries. The paper uses the knob as the weak branch
    of guidance, in the middle of a UNet.

    Raises ValueError for a value that is not allowed. Source: Hong, "Smoothed Energy Guidance: Guiding Diffusion Models
    with Reduced Energy Curvature of Attention", arXiv 2408.00760. (diffusers' own guider blurs for an infinite sigma,
    uses the mean for a finite one, and supports only square images.)
    """

    sigma: Annotated[Number, Field(ge=0), Strength("σ", plain=0)]
    """Standard deviation of the blur, in tokens; 0: plain attention."""

    needs_grid: ClassVar[bool] = True

    @classmethod
    def neutral(cls) -> Self:
        return cls(sigma=0.0)

    @classmethod
    def example(cls) -> Self:
        return cls(sigma=2.0)

    def act(self, call: "SoftmaxCall") -> "SoftmaxCall":
        import torch

        from skewbench.stability.blur import blur, is_mean

        assert call.grid is not None  # noqa: S101 - because of `needs_grid`
        blurred = blur(call.q, call.grid, self.sigma)
        if call.text is None:
            return call._replace(q=blurred, constant=is_mean(call.grid, self.sigma))
        # keys of text are widened by zeros, [k, 0], so that they keep their logits
        k = torch.cat([torch.zeros_like(call.k), call.k], dim=-1)
        return call._replace(q=torch.cat([call.q, blurred], dim=-1), k=k)
