"""CLAP's features of sounds and texts.

Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption augmentation",
ICASSP 2023, without fusion, in transformers. Audio is resampled to the model's 48 kHz; what is shorter than its 10 s is
repeated, as its authors do; of longer audio the first 10 s count, where the library would take random ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.weights import BadWeights

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from torch import Tensor


class Clap:
    """The model, loaded when it is needed.

    Args:
        weights: Folder of the model with its processor, or a function that finds it.
        device: The device for the computation.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str) -> None:
        self._weights, self._device = weights, device

    @property
    def width(self) -> int:
        """The number of features."""
        return int(self._loaded[0].config.projection_dim)

    def sounds(self, clips: Iterable[tuple[Float[np.ndarray, " t"], int]]) -> Float[Tensor, "n d"]:
        """Compute the unit features of sounds.

        Args:
            clips: Each a waveform in [-1, 1] and its sampling rate in Hz.
        """
        from scipy.signal import resample_poly

        model, extractor, _ = self._loaded
        rate, heard = extractor.sampling_rate, []
        for waveform, own in clips:
            common = gcd(rate, own)
            heard.append(resample_poly(waveform, rate // common, own // common)[: extractor.nb_max_samples])
        spectra = extractor(heard, truncation="rand_trunc", sampling_rate=rate, return_tensors="pt")["input_features"]
        return model.get_audio_features(input_features=spectra.float().to(self._device)).pooler_output

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Compute the unit features of texts.

        Args:
            texts: Captions; tokens after the 77th are cut off.
        """
        model, _, tokens = self._loaded
        words = tokens(list(texts), padding="max_length", truncation=True, max_length=77, return_tensors="pt")
        given = {name: words[name].to(self._device) for name in ("input_ids", "attention_mask")}
        return model.get_text_features(**given).pooler_output

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        import torch

        from skewbench.eval.cpu_torchvision import define_missing_operators

        define_missing_operators()
        from transformers import ClapFeatureExtractor, ClapModel, RobertaTokenizer

        folder = self._weights() if callable(self._weights) else self._weights
        try:
            model, loading = ClapModel.from_pretrained(
                folder, use_safetensors=False, weights_only=True, local_files_only=True, dtype=torch.float32,
                output_loading_info=True,
            )  # fmt: skip
            extractor = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
            tokens = RobertaTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            raise BadWeights(f"{folder} contains no CLAP: {' '.join(str(error).split())[:300]}") from error
        if lacking := sorted(loading["missing_keys"]):
            raise BadWeights(f"{folder} contains no CLAP: {lacking[0]} is missing")
        return model.to(self._device).eval(), extractor, tokens
