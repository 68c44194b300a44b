"""Condition-annealed sampling."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field

from skewbench.stability.knobs.condition import ConditionKnob
from skewbench.stability.knobs.fields import Number, Strength
from skewbench.stability.knobs.registry import knob

if TYPE_CHECKING:
    from torch import Generator, Tensor


@knob("cads")
class Cads(ConditionKnob):
    """Add decreasing noise to the text embeddings y: y' = sqrt(gamma) y + noise sqrt(1 - gamma) n.

    gamma rises from 0 to 1 over the steps: with the time t = 1 - step / steps it is 0 for t >= tau2, 1 for t <= tau1,
    and linear between. y'' is y' with the mean and the standard deviation of y, and the result is
    rescale y'' + (1 - rescale) y'. Mean and standard deviation are computed for each sample. n comes from a separate
    generator for each sample. Pooled text vectors are unchanged.

    Raises ValueError for a value that is not allowed. Source: Sadat et al., "CADS: Unleashing the Diversity of
    Diffusion Models through Condition-Annealed Sampling", arXiv 2310.17347, its algorithm and equation of gamma.
    """

    noise: Annotated[Number, Field(ge=0), Strength("s", high=1)] = 0.25
    """Scale s of the noise."""
    tau1: Annotated[Number, Field(ge=0, le=1), Strength("τ₁", plain=1)] = 0.6
    """The condition is unchanged at times up to tau1, where time runs from 1 (the start) to 0. 1: no noise at all."""
    tau2: Annotated[Number, Field(ge=0, le=1), Strength("τ₂")] = 0.9
    """The condition is only noise at times from tau2 to 1."""
    rescale: Annotated[Number, Field(ge=0, le=1)] = 1.0
    """Share to which the mean and the standard deviation of the embeddings are restored."""

    @classmethod
    def neutral(cls) -> Self:
        return cls(tau1=1.0)

    @classmethod
    def example(cls) -> Self:
        return cls()

    def gamma(self, step: int, steps: int) -> float:
        """Return the share of the condition that is left in a step, from 0 to 1.

        Args:
            step: The step's number, from 0.
            steps: The number of steps.
        """
        time = 1 - step / steps
        if time <= self.tau1:
            return 1.0
        return 0.0 if time >= self.tau2 else (self.tau2 - time) / (self.tau2 - self.tau1)

    def act(self, embeddings: "Tensor", step: int, steps: int | None, generators: "Sequence[Generator]") -> "Tensor":
        from skewbench.stability.condition import noise_like

        if steps is None:
            raise ValueError("cads needs `steps`, the number of model calls")
        gamma = self.gamma(step, steps)
        if gamma == 1:
            return embeddings
        noise = noise_like(embeddings, generators)
        noised = gamma**0.5 * embeddings + self.noise * (1 - gamma) ** 0.5 * noise
        mean, spread = noised.mean((1, 2), keepdim=True), noised.std((1, 2), keepdim=True).clamp(min=1e-8)
        own_mean, own_spread = embeddings.mean((1, 2), keepdim=True), embeddings.std((1, 2), keepdim=True)
        return noised.lerp((noised - mean) / spread * own_spread + own_mean, self.rescale)
