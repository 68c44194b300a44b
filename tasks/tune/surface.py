"""A model of a value over a knob's strengths: a Gaussian process on noisy measurements with known errors.

Source: Rasmussen, Williams, Gaussian Processes for Machine Learning (2006), section 2.2.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

WIDTH = 0.4
"""Length of the squared exponential kernel, as a share of a strength's range: nearer settings act alike."""
_JITTER = 1e-9


@dataclass(frozen=True)
class Posterior:
    """The posterior of the value at some positions.

    Args:
        mean: Expected values; shape (m).
        covariance: Their covariance; shape (m, m).
    """

    mean: Float[np.ndarray, "m"]
    covariance: Float[np.ndarray, "m m"]

    @property
    def sd(self) -> Float[np.ndarray, "m"]:
        """Standard deviations; shape (m)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0))

    def sample(self, rng: np.random.Generator) -> Float[np.ndarray, "m"]:
        """Draw one function from the posterior, at all places.

        Args:
            rng: Source of randomness.
        """
        size = len(self.mean)
        jitter = _JITTER * (np.trace(self.covariance) / size + np.finfo(float).tiny) * np.eye(size)
        values, vectors = np.linalg.eigh(self.covariance + jitter)
        return self.mean + vectors @ (np.sqrt(np.maximum(values, 0)) * rng.standard_normal(size))


def posterior(
    at: Float[np.ndarray, "n d"],
    values: Float[np.ndarray, "n"],
    errors: Float[np.ndarray, "n"],
    places: Float[np.ndarray, "m d"],
    prior: float,
    variance: float,
) -> Posterior:
    """Compute the posterior of a function at some places.

    Args:
        at: Positions of the measurements, in shares of the ranges; shape (n, d). n may be 0.
        values: The measurements; shape (n).
        errors: Standard errors of these; shape (n).
        places: Settings to predict, in shares of the ranges; shape (m, d).
        prior: The mean without measurements.
        variance: Its variance there.
    """
    own = _kernel(places, places, variance)
    if not len(at):
        return Posterior(np.full(len(places), prior), own)
    noise = np.diag(errors**2 + _JITTER * variance + np.finfo(float).tiny)
    cross = _kernel(at, places, variance)
    solved = np.linalg.solve(_kernel(at, at, variance) + noise, cross)
    return Posterior(prior + solved.T @ (values - prior), own - cross.T @ solved)


def variance_of(values: Float[np.ndarray, "n"], errors: Float[np.ndarray, "n"], prior: float) -> float:
    """Estimate the variance of a function from noisy measurements.

    Args:
        values: Measured values.
        errors: Their standard errors.
        prior: Mean of the function.

    Returns:
        The spread of the values beyond their errors, but at least a quarter of the mean squared error.
    """
    noise = float(np.mean(errors**2))
    return max(float(np.mean((values - prior) ** 2)) - noise, noise / 4)


def _kernel(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"], variance: float) -> Float[np.ndarray, "n m"]:
    distance = np.sum((a[:, None] - b[None]) ** 2, axis=-1)
    found: Float[np.ndarray, "n m"] = variance * np.exp(-distance / (2 * WIDTH**2))
    return found
