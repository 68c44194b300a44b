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
    """Add noise to the text's embeddings y, less and less of it: y' = sqrt(gamma) y + noise sqrt(1 - gamma) n.

    gamma rises from 0 to 1 over the steps: with the time t = 1 - step / steps it is 0 for t >= tau2, 1 for t <= tau1,
    and linear between. y' is then brought back to the mean and the standard deviation of y, as far as `rescale` says:
    rescale y'' + (1 - rescale) y'. Mean and standard deviation are those of a sample. n is drawn for each sample by a
    generator of its own. Vectors that are pooled from the text stay as they are.

    Raises ValueError for a value that is not allowed. Source: Sadat et al., "CADS: Unleashing the Diversity of
    Diffusion Models through Condition-Annealed Sampling", arXiv 2310.17347, its algorithm and equation of gamma.
    """

    noise: Annotated[Number, Field(ge=0), Strength("s", high=1)] = 0.25
    """Scale s of the noise."""
    tau1: Annotated[Number, Field(ge=0, le=1), Strength("τ₁", plain=1)] = 0.6
    """Time up to which the condition is as it is, 1 being the start; 1: always."""
    tau2: Annotated[Number, Field(ge=0, le=1), Strength("τ₂")] = 0.9
    """Time from which on, towards the start, the condition is noise alone."""
    rescale: Annotated[Number, Field(ge=0, le=1)] = 1.0
    """How far the mean and the standard deviation of the embeddings are restored."""

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
            raise ValueError("cads needs `steps`, the number of calls of the model")
        gamma = self.gamma(step, steps)
        if gamma == 1:
            return embeddings
        noise = noise_like(embeddings, generators)
        noised = gamma**0.5 * embeddings + self.noise * (1 - gamma) ** 0.5 * noise
        mean, spread = noised.mean((1, 2), keepdim=True), noised.std((1, 2), keepdim=True).clamp(min=1e-8)
        own_mean, own_spread = embeddings.mean((1, 2), keepdim=True), embeddings.std((1, 2), keepdim=True)
        return noised.lerp((noised - mean) / spread * own_spread + own_mean, self.rescale)
