"""CLAP score: the cosine of a sound's and its prompt's CLAP features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from skewbench.eval.scoring.clap import Clap
from skewbench.eval.scoring.contract import NO_PROMPT, Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import path_of
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.audio import Waveforms
    from skewbench.eval.scoring.instances import Scorers

_BATCH = 16


class ClapScore:
    """Cosine of sound and prompt. An empty prompt has no score.

    Args:
        weights: Folder of the model with its processor, or a function that finds it when it is needed.
        device: The device for the computation.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._clap = Clap(weights, device)

    def score(self, audio: Waveforms, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch

        check_batch(audio, prompts)
        scores: list[Score] = []
        for start in range(0, len(prompts), _BATCH):
            part = slice(start, start + _BATCH)
            with torch.inference_mode():
                sounds = self._clap.sounds((waveform, audio.rate) for waveform in audio.samples[part])
                values = (sounds * self._clap.texts(prompts[part])).sum(dim=1).tolist()
            pairs = zip(values, prompts[part], strict=True)
            scores += [Score(value) if prompt.strip() else NO_PROMPT for value, prompt in pairs]
        return {"clap_score": scores}


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
