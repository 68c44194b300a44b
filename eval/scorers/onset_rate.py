"""Onset rate: the number of sounds that begin per second.

Onsets are peaks of the spectral flux, the rise of the logarithmic magnitude from frame to frame (Bello et al., "A
tutorial on onset detection in music signals", 2005). Frames of 64 ms every 16 ms; the flux is the mean over 24 bands of
equal width in pitch of the rise of log(1 + 1000 x magnitude), where a full-scale tone has magnitude 1. An onset is the
highest frame within 48 ms on both sides whose flux exceeds 0.1 plus 2.5 times the mean of the 160 ms on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from skewbench.eval.scoring.audio import Waveforms

_WINDOW, _HOP = 0.064, 0.016
"""Seconds."""
_APART, _AROUND = 3, 10
"""Frames on each side within which an onset is the highest, and over which the mean is taken."""
_RISE, _TIMES = 0.1, 2.5
_BANDS = 24
_GAIN = 1000.0


@scorer(
    name="onset_rate",
    version=1,
    unit="sample",
    medium="audio",
    metrics=[
        Metric(
            name="onset_rate",
            label="Onset rate",
            meaning="sounds that begin per second",
            better="neither",
            low=0.0,
            high=None,
            grows_with_n=False,
        )
    ],
)
class OnsetRate:
    """Onsets a second. A sound that is there from the first frame on has no onset."""

    def score(self, audio: Waveforms, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import numpy as np

        from skewbench.eval.scoring.audio import in_bands, spectrum

        check_batch(audio, prompts)
        window, hop = round(_WINDOW * audio.rate), round(_HOP * audio.rate)
        seconds = audio.samples.shape[1] / audio.rate
        if seconds < 2 * _WINDOW:
            short = Score(None, f"{seconds:g} s are too short; onsets need {2 * _WINDOW:g} s")
            return {"onset_rate": [short] * len(audio)}
        magnitudes = in_bands(spectrum(audio.samples, window, hop) * 4 / window, audio.rate, _BANDS)
        levels = np.log1p(_GAIN * magnitudes)
        flux = np.maximum(np.diff(levels, axis=1), 0).mean(axis=2)
        return {"onset_rate": [Score(_onsets(one) / seconds) for one in flux]}


def _onsets(flux: Float[np.ndarray, " frames"]) -> int:
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    highest = flux == maximum_filter1d(flux, 2 * _APART + 1, mode="nearest")
    rises = flux > _TIMES * uniform_filter1d(flux, 2 * _AROUND + 1, mode="nearest") + _RISE
    return int((highest & rises).sum())
