"""Audio of a user's folder as waveforms: WAV of any depth."""

import warnings
from io import BytesIO

import numpy as np
from jaxtyping import Float

from skewbench.eval.scoring.images import CorruptSample

_OTHERS = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3"}
"""First bytes of files of other formats."""


def is_audio(data: bytes) -> bool:
    """Return whether bytes begin as a WAV file.

    Args:
        data: Content of a file.

    Raises:
        CorruptSample: Audio of another format.
    """
    for sign, name in _OTHERS.items():
        if data.startswith(sign):
            raise CorruptSample(f"it is {name} but must be WAV; convert it, for example with `ffmpeg -i FILE FILE.wav`")
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def read_real(data: bytes) -> tuple[Float[np.ndarray, " t"], int]:
    """Decode a WAV file as a waveform in [-1, 1], the mean of its channels, and the sampling rate in Hz.

    Args:
        data: Content of the file.

    Raises:
        CorruptSample: No readable WAV file.
    """
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks other than samples
            rate, levels = wavfile.read(BytesIO(data))
    except Exception as error:  # scipy raises errors of many kinds
        raise CorruptSample(f"it is not a readable WAV ({error})") from error
    if levels.dtype == np.uint8:
        waveform = (levels.astype(np.float64) - 128) / 127
    elif np.issubdtype(levels.dtype, np.integer):
        waveform = levels / np.iinfo(levels.dtype).max
    else:
        waveform = levels.astype(np.float64)
    mono = waveform.reshape(len(waveform), -1).mean(axis=1)
    if not np.isfinite(mono).all():
        raise CorruptSample("it has non-finite values")
    return mono, int(rate)
