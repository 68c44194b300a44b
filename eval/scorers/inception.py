"""The scorer `distribution`: a cell's pictures against real ones, on torch-fidelity's Inception features."""

from collections.abc import Callable, Sequence
from functools import cached_property
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.eval.scorers.checkpoint import read_tensors
from skewbench.eval.scorers.contract import GroupScore
from skewbench.eval.scorers.distribution import NEAREST, Features, fid, kid, prdc
from skewbench.eval.weights import BadWeights

WIDTH = 2048
_BATCH = 32


class Distribution:
    """FID, KID with its standard error, precision, recall, density, coverage.

    Args:
        weights: torch-fidelity's conversion of the Inception of 2015-12-05, or a function that finds it when it is
            needed.
        needs: Names of weights and package.
        device: Where features are computed; distances are, in float64, on the CPU.
    """

    name = "distribution"
    version = 1
    metrics: tuple[str, ...] = ("fid", "kid", "kid_error", "precision", "recall", "density", "coverage")
    set = "all pictures of the cell that are not blank"

    def __init__(
        self, weights: Path | Callable[[], Path], needs: tuple[str, ...] = (), device: str | torch.device = "cpu"
    ) -> None:
        self.needs = needs
        self._weights, self._device = weights, torch.device(device)

    @torch.inference_mode()
    def features(self, images: Sequence[np.ndarray]) -> Features:
        """Features of images, which may be of different sizes: the network's own resizing to 299 x 299 comes first."""
        found = [np.zeros((0, WIDTH), np.float32)]
        for _, alike in groupby(images, key=lambda image: image.shape):
            pixels = torch.from_numpy(np.stack(list(alike))).permute(0, 3, 1, 2)
            found += [self._network(part.to(self._device))[0].float().cpu().numpy() for part in pixels.split(_BATCH)]
        return np.concatenate(found)

    def compare(self, made: Features, real: Features) -> dict[str, GroupScore]:
        """All metrics; those that so few images do not allow are None with the reason."""
        n, fewest = len(made), min(len(made), len(real))
        scores = dict.fromkeys(self.metrics, GroupScore(None, f"{fewest} images; at least 2 are needed", n=n))
        if fewest >= 2:
            value, error = kid(made, real)
            scores["kid"] = GroupScore(value, n=n)
            none = GroupScore(None, f"{fewest} images are too few for a standard error", n=n)
            scores["kid_error"] = GroupScore(error, n=n) if np.isfinite(error) else none
        few = GroupScore(None, f"{fewest} images; more than {NEAREST} are needed", n=n)
        neighbours = vars(prdc(made, real)) if fewest > NEAREST else {}
        scores |= {
            name: GroupScore(neighbours[name], n=n) if neighbours else few
            for name in ("precision", "recall", "density", "coverage")
        }
        width = made.shape[1]
        refused = f"{fewest} images, fewer than the {width} features: FID would be of noise; kid has no such bias"
        scores["fid"] = GroupScore(fid(made, real), n=n) if fewest > width else GroupScore(None, refused, n=n)
        return scores

    @cached_property
    def _network(self) -> Any:
        define_missing_operators()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = self._weights() if callable(self._weights) else self._weights
        safe = BytesIO()  # torch-fidelity would unpickle whatever the file holds: it gets the tensors alone
        torch.save(read_tensors(path), safe)
        safe.seek(0)
        try:
            network = FeatureExtractorInceptionV3("inception", [str(WIDTH)], feature_extractor_weights_path=safe)
        except RuntimeError as error:
            raise BadWeights(f"{path} is not of Inception: {' '.join(str(error).split())[:300]}") from error
        return network.to(self._device).eval()
