"""Fréchet audio distance on CLAP's features: a cell's sounds against real ones.

Kilgour et al., "Fréchet Audio Distance", Interspeech 2019, whose features were VGGish's. Gui et al., "Adapting Frechet
Audio Distance for Generative Music Evaluation", ICASSP 2024, find those of CLAP to follow people's judgement better.
Features are those of the CLAP score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from skewbench.eval.scoring.clap import Clap
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import path_of
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from skewbench.eval.scoring.contract import GroupScore
    from skewbench.eval.scoring.distribution import Features
    from skewbench.eval.scoring.instances import Scorers

_BATCH = 16


class FadClap:
    """The Fréchet distance of CLAP's features.

    Args:
        weights: Folder of the model with its processor, or a function that finds it when it is needed.
        device: Where features are computed; the distance is, in float64, on the CPU.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._clap = Clap(weights, device)

    def features(self, clips: Sequence[tuple[Float[np.ndarray, " t"], int]]) -> Features:
        """Compute CLAP's features.

        Args:
            clips: Each a waveform in [-1, 1] and its sampling rate in Hz.
        """
        import numpy as np
        import torch

        found = [np.zeros((0, self._clap.width), np.float32)]
        with torch.inference_mode():
            batches = (clips[start : start + _BATCH] for start in range(0, len(clips), _BATCH))
            found += [self._clap.sounds(batch).float().cpu().numpy() for batch in batches]
        return np.concatenate(found)

    def compare(self, made: Features, real: Features) -> dict[str, GroupScore]:
        """Compute the distance; None with the reason if there are no more clips than features.

        Args:
            made: Features of the cell's sounds, one row per clip.
            real: Features of the reference's sounds.
        """
        from skewbench.eval.scoring.set_scores import frechet

        return {"fad_clap": frechet(made, real, "waveforms")}


@scorer(
    name="fad_clap",
    version=1,
    unit="cell",
    medium="audio",
    needs=["clap-htsat-unfused", "torch_fidelity"],
    set="all waveforms of the cell that are not silent",
    metrics=[
        Metric(
            name="fad_clap",
            label="FAD (CLAP)",
            meaning="distance of the set of sounds to a reference set; less is better",
            better="lower",
            low=0.0,
            high=None,
            grows_with_n=False,
        )
    ],
)
def fad_clap(scorers: Scorers) -> FadClap:
    """Make the scorer with CLAP's weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return FadClap(partial(path_of, "clap-htsat-unfused"), scorers.device)
