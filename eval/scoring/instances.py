"""Makes scorers: one of each per process, with the models that several of them share."""

from __future__ import annotations

from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Literal

from skewbench.eval.scoring.contract import Scorer
from skewbench.eval.scoring.declaration import CONTRACTS, REGISTRY, declaration
from skewbench.eval.scoring.elsewhere import elsewhere
from skewbench.eval.scoring.features import FEATURES
from skewbench.eval.weights import path_of

if TYPE_CHECKING:
    from skewbench.eval.environments import Environment
    from skewbench.eval.environments.process import EnvironmentProcess
    from skewbench.eval.scoring.clip_tower import ClipTower
    from skewbench.eval.scoring.features import ImageFeatures

BUNDLED = "shapes-clip"
"""The CLIP that comes with the package."""
CLIPS: dict[str, tuple[str, Literal["shortest", "longest", "squash"]]] = {
    "clip-vit-b-32": ("ViT-B-32-quickgelu", "shortest"),  # OpenAI's have the quick GELU; open_clip's plain names do not
    "clip-vit-l-14": ("ViT-L-14-quickgelu", "shortest"),
    "clip-vit-l-14-336": ("ViT-L-14-336-quickgelu", "squash"),
    "clip-vit-h-14": ("ViT-H-14", "shortest"),
    "hps-v2.1": ("ViT-H-14", "longest"),
}
"""open_clip's names of the architectures, and the resizing that each needs."""


class Scorers:
    """The scorers of one process: each is made once, and those of one network share it, and with it its features.

    Args:
        device: Where scorers of tensors compute.
        inside: Name of the environment of this process; empty: skewbench's own. Scorers of other environments compute
            in processes of those.
    """

    def __init__(self, device: str = "cpu", inside: str = "") -> None:
        self.device = device
        self._inside = inside
        self._processes: dict[str, EnvironmentProcess] = {}
        self._made: dict[str, Scorer] = {}
        self._towers: dict[str, ClipTower] = {}
        self._features: dict[str, ImageFeatures] = {}

    def get(self, name: str) -> Scorer:
        """Return a scorer, created at the first call.

        Args:
            name: Name of the scorer.

        Raises:
            UnknownName: No scorer has this name.
            ValueError: The scorer does not implement the contract of its unit.
        """
        if name not in self._made:
            declared = declaration(name)
            environment = declared.environment
            if environment and environment.name != self._inside:
                self._made[name] = elsewhere(name, declared.unit, self._process(environment))
                return self._made[name]
            made = declared.make(self) if signature(declared.make).parameters else declared.make()
            contract = CONTRACTS[declared.unit]
            if not isinstance(made, contract) or not isinstance(made, Scorer):
                raise ValueError(
                    f"scorer {name!r} of {REGISTRY.source(name)} is not a {contract.__name__}, which its "
                    f"unit {declared.unit} requires"
                )
            self._made[name] = made
        return self._made[name]

    def features(self, name: str) -> ImageFeatures:
        """Return a network of features, which is made at the first call and loaded at its first batch.

        Args:
            name: Name of the features, such as `dinov2`.

        Raises:
            UnknownName: No features have this name.
        """
        if name not in self._features:
            self._features[name] = FEATURES.get(name).make(self)
        return self._features[name]

    def unprepared(self, name: str) -> str | None:
        """Prepare the environment of a scorer, and return why that is impossible; None: the scorer can be used.

        Args:
            name: Name of the scorer.
        """
        environment = declaration(name).environment
        if environment is None or environment.name == self._inside:
            return None
        from skewbench.eval.environments.prepare import NotPrepared, prepare

        try:
            prepare(environment)
        except NotPrepared as error:
            return str(error)
        return None

    def _process(self, environment: Environment) -> EnvironmentProcess:
        from skewbench.eval.environments.process import EnvironmentProcess

        if environment.name not in self._processes:
            self._processes[environment.name] = EnvironmentProcess(environment, self.device)
        return self._processes[environment.name]

    def tower(self, weights: str) -> ClipTower:
        """Return the CLIP of some weights, created at the first call and loaded at its first batch.

        Args:
            weights: `BUNDLED`, or a key of `CLIPS`, which is its name in the catalogue.
        """
        from skewbench.eval.scoring.clip_tower import ClipTower
        from skewbench.eval.shapes_clip import WEIGHTS

        if weights not in self._towers:
            if weights == BUNDLED:
                self._towers[weights] = ClipTower(WEIGHTS, device=self.device)
            else:
                model, resize = CLIPS[weights]
                self._towers[weights] = ClipTower(model, partial(path_of, weights), self.device, resize)
        return self._towers[weights]


def make(name: str, device: str = "cpu") -> Scorer:
    """Make one scorer. Raises the errors of `Scorers.get`.

    Args:
        name: Name of the scorer.
        device: Torch device on which scorers of tensors compute.
    """
    return Scorers(device).get(name)
