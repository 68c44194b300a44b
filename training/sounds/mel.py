"""Waveforms -> log-mel spectrograms, which the autoencoder encodes and the vocoder reads."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from skewbench.eval.sounds.vocabulary import RATE, SAMPLES

HOP = 128
"""Samples from one frame to the next: 16 ms."""
FRAMES = SAMPLES // HOP
BANDS = 64
WINDOW = 512
_FLOOR = 1e-3
"""Amplitude below which there is silence."""
_MIDDLE, _SPREAD = -4.0, 3.0
"""Log amplitudes lie in -6.9..-0.8; these bring them to about -1..1."""


def log_mel(waves: Float[Tensor, "n t"]) -> Float[Tensor, "n frames bands"]:
    """Compute scaled log-mel spectrograms. Differentiable.

    Args:
        waves: Waveforms at 8 kHz, full scale 1.

    Returns:
        One frame every 128 samples. Silence is near -1, a loud tone near 1.
    """
    mel = magnitudes(waves, WINDOW)[:, : waves.shape[1] // HOP] @ _filters().to(waves)
    return (torch.log(mel + _FLOOR) - _MIDDLE) / _SPREAD


def magnitudes(waves: Float[Tensor, "n t"], window: int) -> Float[Tensor, "n frames bins"]:
    """Compute magnitudes of a short-time Fourier transform, in which a sine has its amplitude.

    Args:
        waves: Waveforms.
        window: Samples of a frame; a frame every 128 samples, or a quarter of the window if that is less.
    """
    shape = torch.hann_window(window, device=waves.device, dtype=waves.dtype)
    spectra = torch.stft(waves, window, min(HOP, window // 4), window=shape, return_complex=True, pad_mode="constant")
    return (spectra.real**2 + spectra.imag**2 + 1e-12).sqrt().transpose(1, 2) * (2 / shape.sum())


@cache
def _filters() -> Float[Tensor, "bins bands"]:
    filters = mel_filter_bank(WINDOW // 2 + 1, BANDS, 0.0, RATE / 2, RATE, norm=None, mel_scale="htk")
    return torch.from_numpy(np.asarray(filters, np.float32))
