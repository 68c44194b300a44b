"""Synthetic sounds, their captions and their waveforms agree with each other."""

from itertools import combinations, product

import numpy as np
import pytest

from skewbench.eval.sounds.captions import WORDS, caption, read
from skewbench.eval.sounds.render import level_of, render
from skewbench.eval.sounds.sound import combinations_of, is_held_out, sample_sound
from skewbench.eval.sounds.vocabulary import GAP, LOUDNESS, MARGIN, PITCHES, RATE, SAMPLES, TIMBRES, TONAL


@pytest.mark.parametrize("split", ["train", "test"])
def test_captions_read_back_as_their_sound(split):
    rng = np.random.default_rng(0)
    ordered = 0
    for _ in range(1000):
        sound = sample_sound(rng, int(rng.integers(1, 4)), split)
        text = caption(sound, rng)
        meaning = read(text)
        assert not isinstance(meaning, str), (text, meaning)
        assert set(text.replace(",", "").split()) <= set(WORDS)
        by_noun = {(event.kind, event.pitch): event for event in sound.events}
        events = [by_noun[phrase.kind, phrase.pitch] for phrase in meaning.events]
        assert len(events) == len(sound.events)
        for phrase, event in zip(meaning.events, events, strict=True):
            assert phrase.timbre in (None, event.timbre)
            assert phrase.loudness in (None, event.loudness)
        if meaning.ordered:
            assert events == list(sound.events)
        ordered += meaning.ordered
    assert 300 < ordered < 700


def test_after_turns_the_order_round():
    assert read("a click after a low tone") == read("A low tone then a click.") == read("a low tone before a click")
    assert not read("a click and a low tone").ordered  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("a dog barks", "'dog'"),
        ("", "only a part"),
        ("a low", "only a part"),
        ("a low tone a click", "only a part"),
        ("a low pure tone", "only a part"),
        ("a click after a low tone then a noise burst", "'after' beside another order"),
        ("a click then a low tone and a noise burst", "an order of some events only"),
    ],
)
def test_a_prompt_beyond_the_grammar_has_a_reason(prompt, reason):
    found = read(prompt)
    assert isinstance(found, str)
    assert reason in found


def test_splits_share_no_tonal_combination_and_hold_them_all():
    train, test = ({c for c in combinations_of(split) if c[0] in TONAL} for split in ("train", "test"))
    assert not train & test
    assert train | test == set(product(TONAL, PITCHES, TIMBRES, LOUDNESS))
    assert len(test) == 6
    assert all(is_held_out(*c) for c in test)


def test_training_has_every_pair_of_attributes():
    train = [c for c in combinations_of("train") if c[0] in TONAL]
    for axes in combinations(range(4), 2):
        every = set(product(*((TONAL, tuple(PITCHES), TIMBRES, tuple(LOUDNESS))[axis] for axis in axes)))
        assert {tuple(c[axis] for axis in axes) for c in train} == every


@pytest.mark.parametrize("count", [1, 2, 3])
def test_events_have_their_level_and_silence_around_them(count):
    rng = np.random.default_rng(count)
    for _ in range(200):
        sound = sample_sound(rng, count)
        wave = render(sound)
        assert wave.shape == (SAMPLES,)
        assert np.abs(wave).max() < 1
        assert np.array_equal(wave, render(sound))
        at = 0.0
        for event in sound.events:
            assert event.start >= at + (GAP if at else MARGIN) - 1e-9
            first, last = round(event.start * RATE), round((event.start + event.seconds) * RATE)
            assert level_of(wave[first:last]) == pytest.approx(event.level, rel=1e-3)
            assert not wave[round(at * RATE) + 1 : first].any()
            at = event.start + event.seconds
        assert at <= SAMPLES / RATE - MARGIN + 1e-9


def test_counts_beyond_three_are_refused():
    with pytest.raises(ValueError, match="1 to 3 events, not 4"):
        sample_sound(np.random.default_rng(0), 4)
