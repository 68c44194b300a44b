"""Stored bytes <-> waveforms, and whether there is anything in them."""

import wave
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import Float
from PIL import Image

from skewbench.eval.scoring.images import CorruptSample

SILENT = 1e-3
"""Root mean square, of a full scale of 1, under which a waveform is silent: -60 dB."""
_FULL = 32767
_BANDS, _WINDOW, _HOP, _RANGE = 128, 1024, 256, 80.0
"""Rows of a spectrogram; samples of a frame and between frames; decibels from white to black."""
_LOWEST = 30.0
_WIDEST = 1024
"""Columns of a spectrogram; a longer one is scaled down."""


@dataclass(frozen=True)
class Waveforms:
    """Mono waveforms of one duration.

    Args:
        samples: (n, t), in [-1, 1].
        rate: Sampling rate in Hz.
    """

    samples: Float[np.ndarray, "n t"]
    rate: int

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, rows: slice) -> "Waveforms":
        """Select some of the waveforms."""
        return Waveforms(self.samples[rows], self.rate)


def encode(waveform: Float[np.ndarray, " t"], rate: int) -> bytes:
    """Encode a waveform as 16-bit WAV, clipped to [-1, 1]; NaN becomes 0.

    Args:
        waveform: Samples in [-1, 1].
        rate: Sampling rate in Hz.
    """
    levels = (np.nan_to_num(waveform, posinf=1.0, neginf=-1.0).clip(-1, 1) * _FULL).round().astype("<i2")
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(levels.tobytes())
    return buffer.getvalue()


def decode(content: bytes) -> tuple[Float[np.ndarray, " t"], int]:
    """Decode 16-bit WAV.

    Args:
        content: The file's bytes.

    Returns:
        The waveform in [-1, 1], the mean of its channels, and the sampling rate in Hz.

    Raises:
        CorruptSample: The bytes are not such a file.
    """
    try:
        with wave.open(BytesIO(content)) as file:
            if file.getsampwidth() != 2:
                raise wave.Error(f"{8 * file.getsampwidth()} bit; must be 16 bit")
            levels = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(file.getnframes(), -1)
            return levels.mean(axis=1) / _FULL, file.getframerate()
    except (wave.Error, EOFError, ValueError) as error:
        raise CorruptSample(f"is not a readable WAV ({error})") from error


def is_silent(waveform: Float[np.ndarray, " t"]) -> bool:
    """Return whether a waveform, without its mean, stays below `SILENT`.

    Args:
        waveform: Samples in [-1, 1].
    """
    return waveform.size == 0 or bool(waveform.std() < SILENT)


def spectrum(waveforms: Float[np.ndarray, "n t"], window: int, hop: int) -> Float[np.ndarray, "n frames bins"]:
    """Compute the magnitude of a short-time Fourier transform with a Hann window.

    Args:
        waveforms: Waveforms; a shorter one than the window is filled up with zeros.
        window: Samples of a frame.
        hop: Samples from one frame to the next.

    Returns:
        Magnitudes of `window // 2 + 1` frequencies. Frames that would reach beyond the end are left out.
    """
    padded = np.pad(waveforms, ((0, 0), (0, max(0, window - waveforms.shape[1]))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, ::hop]
    return np.abs(np.fft.rfft(frames * np.hanning(window + 1)[:-1], axis=-1))


def in_bands(
    magnitudes: Float[np.ndarray, "*n frames bins"], rate: int, count: int
) -> Float[np.ndarray, "*n frames bands"]:
    """Take the largest magnitude in bands of equal width in pitch, from 30 Hz to half the sampling rate.

    Args:
        magnitudes: Of frequencies from 0 to half the sampling rate.
        rate: Sampling rate in Hz.
        count: Number of bands. The lowest may share a frequency.
    """
    last = magnitudes.shape[-1] - 1
    edges = np.geomspace(_LOWEST, rate / 2, count + 1) * 2 * last / rate
    first = np.floor(edges[:-1]).astype(int).clip(0, last)
    after = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
    return np.stack([magnitudes[..., low:high].max(axis=-1) for low, high in zip(first, after, strict=True)], axis=-1)


def spectrogram(waveform: Float[np.ndarray, " t"], rate: int) -> bytes:
    """Picture a waveform as PNG: time to the right, frequency upwards in equal steps of pitch, loud is bright.

    Args:
        waveform: Samples in [-1, 1].
        rate: Sampling rate in Hz.
    """
    magnitudes = spectrum(np.nan_to_num(waveform)[None].astype(np.float64), _WINDOW, _HOP)[0]
    bands = in_bands(magnitudes, rate, _BANDS).T
    decibels = 20 * np.log10(np.maximum(bands, 1e-12) / max(bands.max(), 1e-12))
    pixels = ((1 + decibels / _RANGE).clip(0, 1) * 255).round().astype(np.uint8)[::-1]
    picture = Image.fromarray(pixels)
    if picture.width > _WIDEST:
        picture = picture.resize((_WIDEST, picture.height), Image.Resampling.BOX)
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
