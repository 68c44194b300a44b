"""Diversity of one prompt's audio: mean distance of the multi-scale spectra over its unordered pairs, in decibels.

The distance is the mean absolute difference of log magnitudes, averaged over windows of 2048, 1024 and 512 samples
with a quarter of the window as hop, as in the loss of Yamamoto et al., "Parallel WaveGAN", 2020, without its ratio of
norms, which depends on the order of a pair. Magnitudes below -80 dB of a full-scale tone count as -80 dB. It compares
moment by moment: the same sound a second later counts as another.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from skewbench.eval.scoring.contract import GroupScore
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.audio import Waveforms

_WINDOWS = (2048, 1024, 512)
_FLOOR = 1e-4
"""-80 dB."""


@scorer(
    name="msstft_diversity",
    version=1,
    unit="prompt",
    medium="audio",
    set="the seeds of one prompt in one cell, without silent ones",
    metrics=[
        Metric(
            name="msstft_diversity",
            label="MS-STFT diversity",
            meaning="dissimilarity of a prompt's sounds, in dB of their spectra",
            better="higher",
            low=0.0,
            high=None,
            grows_with_n=False,
            rank=10,
        )
    ],
)
class MsStftDiversity:
    """Mean pairwise spectral distance of a set. Silent waveforms are left out."""

    def score_group(self, audio: Waveforms, prompt: str | None) -> dict[str, GroupScore]:
        import numpy as np

        from skewbench.eval.scoring.audio import is_silent, spectrum

        kept = [waveform for waveform in audio.samples if not is_silent(waveform)]
        if len(kept) < 2:
            reason = f"{len(kept)} waveforms that are not silent; pairs need two"
            return {"msstft_diversity": GroupScore(None, reason, n=len(kept))}
        scales = []
        for window in _WINDOWS:
            levels = 20 * np.log10(np.maximum(spectrum(np.stack(kept), window, window // 4) * 4 / window, _FLOOR))
            scales.append([np.abs(levels[i] - levels[j]).mean() for i, j in combinations(range(len(kept)), 2)])
        return {"msstft_diversity": GroupScore(float(np.mean(scales)), n=len(kept))}
