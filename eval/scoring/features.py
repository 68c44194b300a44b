"""Features of images that several scorers share: what a network of features declares, and its registry.

Imports nothing heavy, since scorers' files read the names of features at their top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from skewbench.eval.weights.catalogue import Weights, add
from skewbench.vocabulary.registry import Registry

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from skewbench.eval.scoring.images import AnyImages
    from skewbench.eval.scoring.instances import Scorers


class ImageFeatures(Protocol):
    """A network that turns images into features."""

    def images(self, images: AnyImages, /) -> Float[Tensor, "n d"]:
        """Compute features. Each image is computed once while its features are remembered.

        Args:
            images: n images, sRGB pixels in 0..255 of shape (h, w, 3), which may differ in size; n may be 0.

        Returns:
            Features in float32 on the CPU; shape (n, d).
        """


@dataclass(frozen=True)
class FeaturesDeclaration:
    """What features are, as `features` declares them."""

    name: str
    label: str
    needs: tuple[str, ...]
    weights: tuple[Weights, ...]
    per_prompt: bool
    make: Callable[[Scorers], ImageFeatures]


Make = TypeVar("Make", bound="Callable[[Scorers], ImageFeatures]")


def features(*, name: str, label: str, per_prompt: bool, needs: Iterable[str | Weights] = ()) -> Callable[[Make], Make]:
    """Declare and register features: decorates a function that makes their network.

    The function is called once a process, with the process's `Scorers` (the device, CLIPs that several scorers share).

    Args:
        name: The prefix of the metrics that are made of the features, such as `dinov2`.
        label: For people, such as `DINOv2`.
        per_prompt: Whether diversity of a prompt's images (mean similarity, Vendi scores, RKE) is computed in them.
        needs: Names of weights in the catalogue or of optional packages, or rows of weights of its own.

    Returns:
        The decorator, which returns what it decorates.
    """

    def register(make: Make) -> Make:
        wanted = tuple(needs)
        declared = FeaturesDeclaration(
            name=name,
            label=label,
            needs=tuple(need.name if isinstance(need, Weights) else need for need in wanted),
            weights=tuple(need for need in wanted if isinstance(need, Weights)),
            per_prompt=per_prompt,
            make=make,
        )
        FEATURES.register(name, declared, make.__module__)
        return make

    return register


def _check(name: str, declared: FeaturesDeclaration) -> None:
    """Raises `ValueError` for a declaration that breaks the contract."""
    if not name.isidentifier() or not name.islower():
        raise ValueError("a name of lower-case letters, digits and underscores is needed")
    if not declared.label.strip() or "\n" in declared.label:
        raise ValueError("label is one line of text")
    for weights in declared.weights:
        add(weights)


FEATURES: Registry[FeaturesDeclaration] = Registry(
    "skewbench.features", "features", own="skewbench.eval.features", check=_check
)
"""All features: those in `skewbench.eval.features`, and those that installed packages name by entry points."""


def of_prompts() -> list[FeaturesDeclaration]:
    """Return the features in which diversity of a prompt's images is computed."""
    return [declared for declared in FEATURES.items() if declared.per_prompt]
