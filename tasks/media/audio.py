"""Audio, kept as WAV with a spectrogram."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skewbench.eval.scoring.audio import Waveforms, decode, encode, is_silent, spectrogram
from skewbench.storage.png import MOST_PIXELS
from skewbench.storage.tables.audio import AUDIO
from skewbench.tasks.media.contract import MediaType
from skewbench.tasks.size import Size

_SPECTROGRAM_BYTES = 100_000


class Audio(MediaType):
    """Mono waveforms in [-1, 1] of shape (time,)."""

    noun, table, file, picture, extension = "waveform", AUDIO, "audio", "spectrogram", "wav"
    replay = """\
import wave
with wave.open({file!r}, "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate({sampling_rate})
    file.writeframes((sample.clip(-1, 1) * 32767).round().astype("<i2").tobytes())"""

    def blank(self, sample: np.ndarray) -> str | None:
        """Detect silence."""
        return "the waveform is silent" if is_silent(sample) else None

    def columns(self, sample: np.ndarray, size: Size, name: str) -> dict[str, Any]:
        """Encode as WAV of 16 bit."""
        rate = size.sampling_rate or 0
        return {
            "audio": {"bytes": encode(sample, rate), "path": f"{name}.wav"},
            "sampling_rate": rate,
            "spectrogram": {"bytes": spectrogram(sample, rate), "path": f"{name}.png"},
        }

    def decode(self, row: Mapping[str, Any], pixels: int = MOST_PIXELS) -> Any:
        """Decode as a waveform in [-1, 1] with its sampling rate."""
        return decode(row["audio"]["bytes"])

    def batch(self, decoded: Sequence[Any]) -> Any:
        """Join as `Waveforms`."""
        return Waveforms(np.stack([waveform for waveform, _ in decoded]), decoded[0][1])

    def levels(self, decoded: Any) -> np.ndarray:
        """Return the waveform, from -127.5 to 127.5."""
        return np.asarray(decoded[0]) * 127.5

    def disk(self, size: Size) -> float:
        """Estimate by duration."""
        return 2 * (size.duration or 0) * (size.sampling_rate or 0) + _SPECTROGRAM_BYTES
