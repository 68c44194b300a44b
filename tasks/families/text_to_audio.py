"""The base of audio families: a pipeline that denoises a spectrogram and converts it to a waveform with a vocoder."""

from math import prod
from typing import Any

from skewbench.tasks.families.contract import Config, Request
from skewbench.tasks.families.pipeline import PipelineFamily
from skewbench.tasks.size import Size
from skewbench.vocabulary.errors import InputError


class TextToAudio(PipelineFamily):
    """A family whose pipeline returns waveforms. Their size is chosen by duration."""

    output = "audios"
    medium = "audio"

    def size_arguments(self, request: Request) -> dict[str, Any]:
        """Return the duration; one waveform a prompt, since a pipeline may rank several and reorder them."""
        return {"audio_length_in_s": request.size.duration, "num_waveforms_per_prompt": 1}

    def native_size(self, config: Config) -> Size:
        """Return the duration of the denoiser's latents, and the vocoder's sampling rate."""
        rows = config(self.denoiser).get("sample_size")
        if type(rows) is not int or rows <= 0:
            raise InputError(f"{self.denoiser}/config.json has sample_size {rows!r}, not a number of rows of latents")
        return Size(
            duration=rows * _reduction(config) * _frame(config), sampling_rate=config("vocoder")["sampling_rate"]
        )

    def size_fault(self, config: Config, size: Size) -> str | None:
        """A waveform needs at least one row of latents."""
        shortest = _reduction(config) * _frame(config)
        if size.duration is not None and size.duration < shortest:
            return f"duration is {size.duration:g} s; at least {shortest:g} s are needed"
        return None


def _reduction(config: Config) -> int:
    """Frames of the spectrogram for one row of latents."""
    return int(2 ** (len(config("vae")["block_out_channels"]) - 1))


def _frame(config: Config) -> float:
    """Seconds of one frame of the spectrogram."""
    vocoder = config("vocoder")
    return float(prod(vocoder["upsample_rates"]) / vocoder["sampling_rate"])
