"""Messages arrive as they were sent, without pickle, and with arrays bit by bit."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest

from skewbench.eval.environments import frames
from skewbench.eval.scoring.audio import Waveforms
from skewbench.eval.scoring.contract import GroupScore, Score
from skewbench.eval.scoring.video import Videos


def _sent(message: Any) -> Any:
    file = BytesIO()
    frames.write(file, message)
    file.seek(0)
    return frames.read(file)


@pytest.mark.parametrize(
    "message",
    [
        None,
        "ready",
        ("clip", "score", (["a", ""], None, {"x": 0.1 + 0.2})),
        {"value": {"m": [Score(1e-300), Score(None, "why"), GroupScore(-0.0, None, 3)]}},
        [[], (), {}],
    ],
)
def test_plain_values_and_scores(message: Any) -> None:
    assert _sent(message) == message
    assert type(_sent(message)) is type(message)


def test_numbers_that_are_not_finite_and_numpys_own() -> None:
    found = _sent([float("inf"), Score(float("nan")), np.float32(0.5), np.int64(7)])
    assert (found[0], found[2:]) == (float("inf"), [0.5, 7])
    assert np.isnan(found[1].value)


def test_arrays_of_all_kinds() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)[:, ::-1]
    sounds, videos = (
        Waveforms(rng.normal(size=(2, 7)), 8000),
        Videos(rng.integers(0, 9, (1, 2, 3, 4, 3), np.uint8), 8.0),
    )
    sent, (wave, rate), heard, seen, empty = _sent([images, (sounds.samples[0], 8000), sounds, videos, images[:0]])
    np.testing.assert_array_equal(sent, images)
    assert sent.dtype == np.uint8
    np.testing.assert_array_equal(wave, sounds.samples[0])
    assert (rate, heard.rate, seen.fps, empty.shape) == (8000, 8000, 8.0, (0, 3, 5, 3))
    np.testing.assert_array_equal(heard.samples, sounds.samples)
    np.testing.assert_array_equal(seen.frames, videos.frames)


def test_objects_are_refused_in_both_directions() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        frames.write(BytesIO(), np.array([object()]))
    with pytest.raises(TypeError, match="not JSON serializable"):
        frames.write(BytesIO(), object())


def test_a_stream_that_ends_is_told_from_a_message() -> None:
    file = BytesIO()
    frames.write(file, np.zeros(100))
    with pytest.raises(EOFError):
        frames.read(BytesIO(file.getvalue()[:-1]))
    with pytest.raises(EOFError):
        frames.read(BytesIO())
