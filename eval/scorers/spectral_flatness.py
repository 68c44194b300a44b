"""Spectral flatness: geometric over arithmetic mean of the power spectrum, 0 for a tone, near 0.56 for white noise.

Gray and Markel, "A spectral-flatness measure for studying the autocorrelation method of linear prediction of speech
analysis", 1974. Of frames of 2048 samples, every 512, with a Hann window; the mean over frames that are not silent.
(The power of white noise is exponentially distributed, whose ratio is exp(-0.577).)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.audio import Waveforms

_WINDOW, _HOP = 2048, 512
_FLOOR = 1e-10
"""Power that counts as none, so that a band without sound gives no logarithm of 0."""


@scorer(
    name="spectral_flatness",
    version=1,
    unit="sample",
    medium="audio",
    metrics=[
        Metric(
            name="spectral_flatness",
            label="Spectral flatness",
            meaning="similarity of the sound to noise: 0 for a tone",
            better="neither",
            low=0.0,
            high=1.0,
            grows_with_n=False,
        )
    ],
)
class SpectralFlatness:
    """Mean spectral flatness of the frames. A silent waveform has none."""

    def score(self, audio: Waveforms, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import numpy as np

        from skewbench.eval.scoring.audio import spectrum

        check_batch(audio, prompts)
        power = spectrum(audio.samples, _WINDOW, _HOP) ** 2
        sounding = power.max(axis=-1) > _FLOOR
        raised = np.maximum(power, _FLOOR)
        flatness = np.exp(np.log(raised).mean(axis=-1)) / raised.mean(axis=-1)
        return {
            "spectral_flatness": [
                Score(float(values[heard].mean())) if heard.any() else Score(None, "the waveform is silent")
                for values, heard in zip(flatness, sounding, strict=True)
            ]
        }
