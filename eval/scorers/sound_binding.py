"""Sound binding: the share of a prompt's statements that a synthetic sound shows, from its waveform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skewbench.eval.scoring.contract import Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.audio import Waveforms


def _share(name: str, label: str, meaning: str, **others: Any) -> Metric:
    bounds: dict[str, Any] = {"low": 0.0, "high": 1.0, "grows_with_n": False}
    return Metric(name=name, label=label, meaning=meaning, better="higher", **bounds, **others)


METRICS = (
    _share("sound_binding", "Sound binding", "share of the prompt's statements that the sound shows, 0 to 1", rank=10),
    _share("sound_presence", "Sound: presence", "share of the prompt's events that are in the sound"),
    _share("sound_pitch", "Sound: pitch", "share of the prompt's pitches that the right events have"),
    _share("sound_timbre", "Sound: timbre", "share of the prompt's timbres that the right events have"),
    _share("sound_loudness", "Sound: loudness", "share of the prompt's words of loudness that the right events have"),
    _share("sound_order", "Sound: order", "share of the prompt's statements of order that hold"),
)


@scorer(name="sound_binding", version=1, unit="sample", medium="audio", metrics=METRICS)
class SoundBinding:
    """Exact scores of synthetic sounds.

    `sound_binding`: share of the prompt's statements (presence, pitch, timbre, loudness, order) that hold, in 0..1; an
    event that the prompt does not name counts as one wrong statement more. The other metrics are the shares of one
    kind. Prompts outside of the grammar, and parts that a prompt does not state, have no value.
    """

    def score(self, audio: Waveforms, prompts: Sequence[str]) -> dict[str, list[Score]]:
        from skewbench.eval.sound_binding.facts import score_sound
        from skewbench.eval.sounds.captions import read

        check_batch(audio, prompts)
        rows = []
        for wave, prompt in zip(audio.samples, prompts, strict=True):
            meaning = read(prompt)
            if isinstance(meaning, str):
                rows.append({metric.name: Score(None, meaning) for metric in METRICS})
            else:
                rows.append(score_sound(wave, meaning, audio.rate))
        return {metric.name: [row[metric.name] for row in rows] for metric in METRICS}
