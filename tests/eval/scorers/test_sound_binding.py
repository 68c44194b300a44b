"""The scorer of sounds: how well it hears, by numbers, and what it makes of prompts and waveforms."""

import numpy as np
import pytest
import typer
from scipy.signal import resample_poly
from typer.testing import CliRunner

from skewbench.eval.scorers import make
from skewbench.eval.scoring.audio import Waveforms
from skewbench.eval.sound_binding.__main__ import main
from skewbench.eval.sound_binding.defects import DEFECTS
from skewbench.eval.sound_binding.evaluate import ATTRIBUTES, evaluate
from skewbench.eval.sounds.render import render
from skewbench.eval.sounds.sound import Event, Sound
from skewbench.eval.sounds.vocabulary import RATE

SOUNDS = 120


@pytest.fixture(scope="module")
def report():
    return evaluate(SOUNDS, seed=7)


@pytest.mark.parametrize("attribute", ["count", *ATTRIBUTES])
def test_attributes_of_damaged_sounds_are_right(report, attribute):
    assert sum(n for key, n in report.seen.items() if key[0] == attribute) >= SOUNDS
    assert report.accuracy(attribute) >= 0.98


@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_are_named(report, defect):
    assert report.named[defect, True] + report.named[defect, False] >= 30
    assert report.share_named(defect) >= 0.95


def test_faithful_sounds_have_no_defects(report):
    assert report.false_alarms.total() <= 0.02 * SOUNDS


def test_the_command_prints_tables():
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--sounds", "3"])
    assert result.exit_code == 0, result.output
    assert "order turned round" in result.output


def sound() -> np.ndarray:
    """A loud pure low tone, then a quiet buzzy high rising sweep, then a loud click."""
    low = Event("tone", "low", "pure", "loud", 0.1, 0.2, 0.3, 200.0)
    high = Event("rising sweep", "high", "buzzy", "quiet", 0.45, 0.2, 0.06, 1250.0)
    click = Event("click", None, None, "loud", 0.85, 0.02, 0.3, None)
    return render(Sound((low, high, click), noise=0))


@pytest.mark.parametrize(
    ("prompt", "metric", "value"),
    [
        ("a loud pure low tone then a quiet buzzy high rising sweep then a loud click", "sound_binding", 1.0),
        ("a loud click after a pure low tone", "sound_order", 1.0),
        ("a loud click before a low tone", "sound_order", 0.0),
        ("a low tone, a high rising sweep and a noise burst", "sound_presence", 2 / 3),
        ("a low tone and a low rising sweep", "sound_pitch", 0.5),
        ("a pure low tone and a pure high rising sweep", "sound_timbre", 0.5),
        ("a quiet low tone", "sound_loudness", 0.0),
        ("a low tone", "sound_binding", 2 / 4),  # presence and pitch hold; two events are not in the prompt
        ("a noise burst", "sound_binding", 0.0),
    ],
)
def test_statements_hold_or_not(prompt, metric, value):
    scores = make("sound_binding").score(Waveforms(sound()[None], RATE), [prompt])
    assert scores[metric][0].value == pytest.approx(value)


def test_another_sampling_rate_is_heard_alike():
    waves = resample_poly(sound(), 2, 1)[None]
    prompt = "a loud pure low tone then a quiet buzzy high rising sweep then a loud click"
    assert make("sound_binding").score(Waveforms(waves, 2 * RATE), [prompt])["sound_binding"][0].value == 1.0


def test_silence_shows_nothing_and_other_prompts_have_no_value():
    waves = np.stack([np.zeros(RATE), sound()[:RATE], sound()[:RATE]])
    silent, strange, single = make("sound_binding").score(
        Waveforms(waves, RATE), ["a click", "a dog barks", "a click"]
    )["sound_order"]
    assert (silent.value, silent.reason) == (None, "the prompt states nothing about order")
    assert strange.reason == "prompt is outside the sound grammar: 'dog'"
    assert make("sound_binding").score(Waveforms(waves[:1], RATE), ["a click"])["sound_binding"][0].value == 0.0
    assert single.value is None
