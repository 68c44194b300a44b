"""diffusers' guiders as pure functions of predictions."""

import logging
from functools import lru_cache
from typing import Any

from jaxtyping import Float
from torch import Tensor

from skewbench.stability.predictions import Predictions


def guide(name: str, predictions: Predictions, step: int, **settings: Any) -> Float[Tensor, "n *shape"]:
    """Guide by one of `diffusers.guiders`.

    Args:
        name: The guider's class.
        predictions: Their scale is the guider's `guidance_scale`.
        step: The step's number, from 0.
        settings: The guider's further settings.
    """
    guider = _guider(name, predictions.scale, tuple(sorted(settings.items())))
    guider.set_state(step, None, None)  # without the number of steps it acts in each of them
    guided: Tensor = guider.forward(pred_cond=predictions.cond, pred_uncond=predictions.uncond).pred
    return guided


@lru_cache(maxsize=64)
def _guider(name: str, scale: float, settings: tuple[tuple[str, Any], ...]) -> Any:
    """Make a guider once: each new one warns that guiders are experimental."""
    from diffusers import guiders

    logger = logging.getLogger("diffusers.guiders.guider_utils")
    was, logger.disabled = logger.disabled, True
    try:
        return getattr(guiders, name)(guidance_scale=scale, **dict(settings))
    finally:
        logger.disabled = was
