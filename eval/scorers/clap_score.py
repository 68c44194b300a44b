"""CLAP score: the cosine of a sound's and its prompt's CLAP features.

Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption augmentation",
ICASSP 2023, without fusion, in transformers. Audio is resampled to the model's 48 kHz; what is shorter than its 10 s is
repeated, as its authors do; of longer audio the first 10 s count, where the library would take random ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import NO_PROMPT, Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import BadWeights, path_of
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from skewbench.eval.scoring.audio import Waveforms
    from skewbench.eval.scoring.instances import Scorers

_BATCH = 16


class ClapScore:
    """Cosine of sound and prompt. An empty prompt has no score.

    Args:
        weights: Folder of the model with its processor, or a function that finds it when it is needed.
        device: Where it computes.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._weights, self._device = weights, device

    def score(self, audio: Waveforms, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch

        check_batch(audio, prompts)
        scores: list[Score] = []
        for start in range(0, len(prompts), _BATCH):
            part = slice(start, start + _BATCH)
            with torch.inference_mode():
                values = self._cosines(audio[part], prompts[part]).tolist()
            pairs = zip(values, prompts[part], strict=True)
            scores += [Score(value) if prompt.strip() else NO_PROMPT for value, prompt in pairs]
        return {"clap_score": scores}

    def _cosines(self, audio: Waveforms, prompts: Sequence[str]) -> Tensor:
        from math import gcd

        from scipy.signal import resample_poly

        model, extractor, tokens = self._loaded
        rate = extractor.sampling_rate
        common = gcd(rate, audio.rate)
        resampled = resample_poly(audio.samples, rate // common, audio.rate // common, axis=1)
        heard = list(resampled[:, : extractor.nb_max_samples])
        spectra = extractor(heard, truncation="rand_trunc", sampling_rate=rate, return_tensors="pt")["input_features"]
        words = tokens(list(prompts), padding="max_length", truncation=True, max_length=77, return_tensors="pt")
        texts = model.get_text_features(
            **{name: words[name].to(self._device) for name in ("input_ids", "attention_mask")}
        )
        sounds = model.get_audio_features(input_features=spectra.float().to(self._device))
        return (sounds.pooler_output * texts.pooler_output).sum(dim=1)  # unit features

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
            raise BadWeights(f"{folder} holds no CLAP: {' '.join(str(error).split())[:300]}") from error
        if lacking := sorted(loading["missing_keys"]):
            raise BadWeights(f"{folder} holds no CLAP: {lacking[0]} is missing")
        return model.to(self._device).eval(), extractor, tokens


@scorer(
    name="clap_score",
    version=1,
    unit="sample",
    medium="audio",
    needs=["clap-htsat-unfused"],
    metrics=[
        Metric(
            name="clap_score",
            label="CLAP score",
            meaning="similarity of sound and prompt",
            better="higher",
            low=-1.0,
            high=1.0,
            grows_with_n=False,
            rank=10,
        )
    ],
)
def clap_score(scorers: Scorers) -> ClapScore:
    """Make the scorer with its authors' weights.

    Args:
        scorers: The scorers of a worker, with their device.
    """
    return ClapScore(partial(path_of, "clap-htsat-unfused"), scorers.device)
