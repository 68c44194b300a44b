"""Families by the pipeline class that `model_index.json` names; others' come through entry points."""

from typing import Any

from skewbench.tasks.families.contract import Family
from skewbench.vocabulary.registry import Registry

BEFORE_FAMILIES = "StableDiffusionXLPipeline"
"""Pipeline class of all runs whose manifests name none: they were made when there was one."""
_DECLARES = ("name", "pipelines", "example", "denoiser", "branches", "parts")


def register(family: type[Family]) -> type[Family]:
    """Register a family under each of its pipeline classes: a class decorator.

    Args:
        family: The class of the family. It is registered as an instance.
    """
    for pipeline in family.pipelines:
        families.register(pipeline, family(), family.__module__)
    return family


def family_of(pipeline: Any) -> Family:
    """Return the family of a loaded pipeline.

    Args:
        pipeline: The pipeline.

    Raises:
        InputError: No family runs its class.
    """
    return families.get(pipeline.__class__.__name__)


def _check(pipeline: str, family: Family) -> None:
    """Raise `ValueError` for a family that leaves out a field."""
    if missing := [field for field in _DECLARES if not getattr(family, field, None)]:
        raise ValueError(f"it declares no {', '.join(missing)}")


families: Registry[Family] = Registry("skewbench.families", kind="family", own="skewbench.tasks.families", check=_check)
