"""The scorer `distribution`: a cell's images against real ones, on torch-fidelity's Inception features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import GroupScore
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import BadWeights, path_of
from skewbench.vocabulary.metrics import Better, Metric

if TYPE_CHECKING:
    import numpy as np

    from skewbench.eval.scoring.distribution import Features
    from skewbench.eval.scoring.instances import Scorers

WIDTH = 2048
_BATCH = 32


class Distribution:
    """FID, KID with its standard error, precision, recall, density, coverage.

    Args:
        weights: torch-fidelity's conversion of the Inception of 2015-12-05, or a function that finds it when it is
            needed.
        device: Where features are computed; distances are, in float64, on the CPU.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._weights, self._device = weights, device

    def features(self, images: Sequence[np.ndarray]) -> Features:
        """Compute Inception features; the network first resizes each image to 299 x 299 itself.

        Args:
            images: Images as (h, w, 3) in 0..255, of any sizes.

        Returns:
            Features with shape (images, WIDTH).
        """
        import numpy as np
        import torch

        found = [np.zeros((0, WIDTH), np.float32)]
        with torch.inference_mode():
            for _, alike in groupby(images, key=lambda image: image.shape):
                pixels = torch.from_numpy(np.stack(list(alike))).permute(0, 3, 1, 2).split(_BATCH)
                found += [self._network(part.to(self._device))[0].float().cpu().numpy() for part in pixels]
        return np.concatenate(found)

    def compare(self, made: Features, real: Features) -> dict[str, GroupScore]:
        """Compute all metrics. A metric that needs more images is None with the reason.

        Args:
            made: Features of the generated images.
            real: Features of the reference's images.
        """
        import numpy as np

        from skewbench.eval.scoring.distribution import NEAREST, fid, kid, prdc

        n, fewest = len(made), min(len(made), len(real))
        none = GroupScore(None, f"{fewest} images; at least 2 are needed", n=n)
        scores = dict.fromkeys((metric.name for metric in METRICS), none)
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
        refused = f"{fewest} images, fewer than the {width} features: FID would be mostly noise; kid has no such bias"
        scores["fid"] = GroupScore(fid(made, real), n=n) if fewest > width else GroupScore(None, refused, n=n)
        return scores

    @cached_property
    def _network(self) -> Any:
        import torch

        from skewbench.eval.cpu_torchvision import define_missing_operators
        from skewbench.eval.scoring.checkpoint import read_tensors

        define_missing_operators()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = self._weights() if callable(self._weights) else self._weights
        safe = BytesIO()  # torch-fidelity would unpickle the whole file, so it gets only the tensors
        torch.save(read_tensors(path), safe)
        safe.seek(0)
        try:
            network = FeatureExtractorInceptionV3("inception", [str(WIDTH)], feature_extractor_weights_path=safe)
        except RuntimeError as error:
            raise BadWeights(
                f"{path} does not contain Inception weights: {' '.join(str(error).split())[:300]}"
            ) from error
        return network.to(self._device).eval()


def _metric(
    name: str, label: str, meaning: str, better: Better, low: float | None = 0.0, high: float | None = None
) -> Metric:
    return Metric(name=name, label=label, meaning=meaning, better=better, low=low, high=high, grows_with_n=False)


METRICS = (
    _metric("fid", "FID", "distance of the set of images to a reference set; less is better", "lower"),
    _metric("kid", "KID", "distance of the set of images to a reference set; less is better", "lower", low=None),
    _metric("kid_error", "KID's error", "standard error of KID", "lower"),
    _metric("precision", "Precision", "share of images that are near a reference image", "higher", high=1.0),
    _metric("recall", "Recall", "share of the reference set that is near an image", "higher", high=1.0),
    _metric("density", "Density", "number of reference images near each image, 1 if the sets are alike", "higher"),
    _metric("coverage", "Coverage", "share of the reference set that has an image near it", "higher", high=1.0),
)


@scorer(
    name="distribution",
    version=1,
    unit="cell",
    medium="image",
    needs=["inception-2015-12-05", "torch_fidelity"],
    set="all images of the cell that are not blank",
    metrics=METRICS,
)
def distribution(scorers: Scorers) -> Distribution:
    """Make the scorer with the Inception of 2015-12-05.

    Args:
        scorers: The scorers of the process: the device.
    """
    return Distribution(partial(path_of, "inception-2015-12-05"), scorers.device)
