"""Every registered scorer, ours or another package's, keeps the contract; scorers with weights have tiny ones here."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from skewbench.eval.scenes.captions import caption
from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import sample_scene
from skewbench.eval.scorers import (
    GroupScore,
    GroupScorer,
    Metric,
    SampleScorer,
    Score,
    SetScorer,
    check_batch,
    declaration,
    make,
    names,
    problems,
)
from skewbench.eval.scorers.aesthetic import Aesthetic
from skewbench.eval.scorers.clap_score import ClapScore
from skewbench.eval.scorers.clip_score import ClipScore
from skewbench.eval.scorers.fad_clap import FadClap
from skewbench.eval.scorers.image_reward import ImageReward
from skewbench.eval.scorers.lpips_diversity import LpipsDiversity
from skewbench.eval.scorers.pickscore import PickScore
from skewbench.eval.scoring.audio import Waveforms
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.eval.scoring.video import Videos
from skewbench.vocabulary.metrics import Better, Medium, Unit
from tests.eval.scorers.tiny_clip import CONFIG, save_tiny_clip
from tests.eval.scorers.tiny_features import TinyScorers, on_features
from tests.eval.scorers.tiny_weights import TINY_TEXT, TINY_VISION, save_alexnet, save_head, save_image_reward
from tests.eval.scorers.tiny_weights import save_pickscore as pickscore
from tests.tiny_clap import save_clap

TINY: dict[str, Callable[[Path], Any]] = {
    **{
        name: lambda folder, name=name: ClipScore(ClipTower(save_tiny_clip(folder / "clip")), name)
        for name in ("clip_score", "clip_score_b32", "clip_score_h14", "hps")
    },
    "clap_score": lambda folder: ClapScore(save_clap(folder)),
    "fad_clap": lambda folder: FadClap(save_clap(folder)),
    "aesthetic": lambda folder: Aesthetic(
        ClipTower(save_tiny_clip(folder / "clip")), save_head(folder / "head.pth"), CONFIG["embed_dim"]
    ),
    "image_reward": lambda folder: ImageReward(save_image_reward(folder), text=TINY_TEXT, vision=TINY_VISION),
    "lpips_diversity": lambda folder: LpipsDiversity(save_alexnet(folder / "alexnet.pth")),
    "pickscore": lambda folder: PickScore(pickscore(folder)),
}
ROUNDING = 1e-4
"""What float32 may add to a bound, or change between batches, as a share."""


def of_unit(unit: Unit) -> list[str]:
    return [name for name in names() if declaration(name).unit == unit]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Makes scorers, each once: with tiny weights of our own, or with its real ones where they are here."""
    kept: dict[str, Any] = {}
    tiny = TinyScorers(tmp_path_factory.mktemp("features"))

    def get(name: str) -> Any:
        if name not in kept:
            reason = declaration(name).missing(prepared=True)
            if name in TINY:
                kept[name] = TINY[name](tmp_path_factory.mktemp(name))
            elif on_features(name):
                kept[name] = tiny.get(name)
            elif reason:
                pytest.skip(reason)
            else:
                kept[name] = make(name)
        return kept[name]

    return get


@pytest.fixture(scope="module")
def samples() -> dict[Medium, tuple[Any, list[str]]]:
    """Six samples of each medium with their captions; one caption is empty, and one sample is blank."""
    images, prompts = _scenes()
    rng = np.random.default_rng(4)
    time = np.arange(8000) / 8000
    tones = 0.4 * np.sin(2 * np.pi * 220 * 2 ** rng.uniform(0, 3, (6, 1)) * time) * (1 + np.sin(40 * time)) / 2
    noise = rng.normal(0, 0.02, tones.shape)
    heard = np.arange(6)[:, None] != 4
    shifted = np.stack([np.roll(images, 3 * step, axis=2) for step in range(4)], axis=1)
    return {
        "image": (images, prompts),
        "audio": (Waveforms((tones + noise) * heard, 8000), prompts),
        "video": (Videos(shifted, 8.0), prompts),
    }


def _turned(batch: Any) -> Any:
    return batch[::-1].copy() if isinstance(batch, np.ndarray) else batch[::-1]


def _blank(batch: Any) -> Any:
    """Three of the blank one."""
    if isinstance(batch, np.ndarray):
        return batch[[4, 4, 4]]
    values = "frames" if isinstance(batch, Videos) else "samples"
    return replace(batch, **{values: getattr(batch, values)[[4, 4, 4]]})


def _scenes() -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(3)
    drawn = [sample_scene(rng, 1 + i % 3, "test") for i in range(6)]
    images, prompts = np.stack([np.asarray(render(scene)) for scene in drawn]), [caption(scene, rng) for scene in drawn]
    images[4], prompts[5] = 0, ""
    return images, prompts


@pytest.mark.parametrize("name", names())
def test_a_scorer_declares_what_it_is(name: str, made: Callable[[str], Any]) -> None:
    declared = declaration(name)
    assert declared.name == name
    assert all(metric.label and metric.meaning and metric.better in get_args(Better) for metric in declared.metrics)
    kinds = {"sample": SampleScorer, "prompt": GroupScorer, "cell": SetScorer}
    assert [unit for unit, kind in kinds.items() if isinstance(made(name), kind)] == [declared.unit]


def test_no_metric_is_that_of_two_scorers() -> None:
    metrics = [metric for name in names() for metric in declaration(name).metric_names]
    assert len(set(metrics)) == len(metrics)


def _within(metric: Metric, value: float) -> bool:
    slack = ROUNDING * max(1.0, abs(value))
    above = metric.low is None or value >= metric.low - slack
    return above and (metric.high is None or value <= metric.high + slack)


def _check(name: str, scores: dict[str, Any], kind: type, count: int | None = None) -> None:
    """Each declared metric in its order, with a value in its range or a reason."""
    declared = declaration(name)
    assert tuple(scores) == declared.metric_names or set(scores) == set(declared.metric_names)
    for metric in declared.metrics:
        column = scores[metric.name] if count is not None else [scores[metric.name]]
        assert len(column) == (count if count is not None else 1)
        for score in column:
            assert isinstance(score, kind)
            assert score.value is None or np.isnan(score.value) or _within(metric, score.value), (metric, score)


def _alike(one: Score, other: Score) -> bool:
    if one.value is None or other.value is None:
        return one == other
    return one.value == pytest.approx(other.value, rel=ROUNDING, abs=ROUNDING)


@pytest.mark.parametrize("name", of_unit("sample"))
def test_scorers_of_samples(name: str, made: Callable[[str], Any], samples: dict[Medium, Any]) -> None:
    """Shapes, ranges, the same again, and whatever else is in the batch."""
    batch, prompts = samples[declaration(name).medium]
    scorer = made(name)
    together = scorer.score(batch, prompts)
    _check(name, together, Score, len(batch))
    assert scorer.score(batch, prompts) == together
    turned = scorer.score(_turned(batch), prompts[::-1])
    for i in range(len(batch)):
        alone = scorer.score(batch[i : i + 1], prompts[i : i + 1])
        for metric, column in together.items():
            assert _alike(alone[metric][0], column[i])
            assert _alike(turned[metric][-1 - i], column[i])
    assert scorer.score(batch[:0], []) == {metric: [] for metric in together}
    with pytest.raises(ValueError, match="6 samples, 1 prompts"):
        scorer.score(batch, prompts[:1])


@pytest.mark.parametrize("name", of_unit("prompt"))
def test_scorers_of_prompts(name: str, made: Callable[[str], Any], samples: dict[Medium, Any]) -> None:
    """Shapes, ranges, the same again, in any order; n is what was scored; too few images are no error."""
    batch, prompts = samples[declaration(name).medium]
    scorer = made(name)
    scores = scorer.score_group(batch, prompts[0])
    _check(name, scores, GroupScore)
    assert scorer.score_group(batch, prompts[0]) == scores
    turned = scorer.score_group(_turned(batch), prompts[0])
    assert all(_alike(turned[metric], score) for metric, score in scores.items())
    assert all(1 <= score.n <= len(batch) for score in scores.values())
    _check(name, scorer.score_group(batch[:1], None), GroupScore)
    _check(name, scorer.score_group(_blank(batch), ""), GroupScore)


@pytest.mark.parametrize("name", of_unit("cell"))
def test_scorers_of_cells(name: str, made: Callable[[str], Any], samples: dict[Medium, Any]) -> None:
    """Shapes, ranges, the same again; a sample's features do not depend on the batch; few samples are no error."""
    batch, _ = samples[declaration(name).medium]
    each = [(row, batch.rate) for row in batch.samples] if isinstance(batch, Waveforms) else list(batch)
    scorer = made(name)
    features = scorer.features(each)
    alone = np.concatenate([scorer.features([one]) for one in each])
    np.testing.assert_allclose(alone, features, rtol=1e-3, atol=1e-3)
    assert scorer.features([]).shape == (0, features.shape[1])
    rng = np.random.default_rng(0)
    made_of, real = rng.standard_normal((40, 16)), rng.standard_normal((50, 16))
    scores = scorer.compare(made_of, real)
    _check(name, scores, GroupScore)
    assert scorer.compare(made_of, real) == scores
    for few in (0, 1, 3):
        _check(name, scorer.compare(made_of[:few], real), GroupScore)


def _planted(name: str, scorer: Any) -> tuple[dict[str, Score], dict[str, Score]]:
    """Scores of what is better and of what is worse for sure, whatever the weights."""
    rng = np.random.default_rng(5)
    drawn = [sample_scene(rng, 2, "test") for _ in range(2)]
    one, other = (np.asarray(render(scene)) for scene in drawn)
    if declaration(name).unit == "sample":
        prompt = caption(drawn[0], rng)
        better, worse = scorer.score(np.stack([one, other]), [prompt, prompt]), None
        worse = {metric: column[1] for metric, column in better.items()}
        return {metric: column[0] for metric, column in better.items()}, worse
    if name == "msstft_diversity":
        noise = np.random.default_rng(5).normal(0, 0.1, (2, 8000))
        one, other = Waveforms(noise, 8000), Waveforms(noise[[0, 0]], 8000)
        return scorer.score_group(one, None), scorer.score_group(other, None)
    if declaration(name).unit == "prompt":
        prompt = "a cup" if name == "attribute_clip" else "a picture"  # what leaves an attribute open
        return scorer.score_group(np.stack([one, other]), prompt), scorer.score_group(np.stack([one, one]), prompt)
    real = rng.standard_normal((60, 8))
    return scorer.compare(rng.standard_normal((60, 8)), real), scorer.compare(rng.standard_normal((60, 8)) + 3, real)


KNOWING = ("binding", "shapes_clip_score")
"""Scorers of samples that know what is on an image without weights that are had elsewhere."""
PLANTED = [
    *KNOWING,
    "attribute_clip",
    "attribute_scene",
    "attribute_scene_named",
    "clip_mss",
    "cmmd",
    "dinov2_distribution",
    "dinov2_mss",
    "dinov2_rke",
    "dinov2_vendi_orders",
    "dinov2_vendi_score",
    "distribution",
    "dreamsim_mss",
    "fad_clap",
    "lpips_diversity",
    "msssim_diversity",
    "msstft_diversity",
    "shapes_clip_diversity",
    "shapes_clip_mss",
    "shapes_clip_rke",
    "shapes_clip_vendi_orders",
    "vendi_score",
]
NOT_ORDERED = ("cmmd_error", "kdd_error", "kid_error", "leak")
"""Metrics on which the planted pair is not ordered: an error, and what a wrong image need not have."""


@pytest.mark.parametrize("name", PLANTED)
def test_the_declared_side_is_the_better_one(name: str, made: Callable[[str], Any]) -> None:
    better, worse = _planted(name, made(name))
    compared = []
    for metric in declaration(name).metrics:
        values = better[metric.name].value, worse[metric.name].value
        if metric.name in NOT_ORDERED or None in values or values[0] == values[1]:
            continue
        compared.append(metric.name)
        assert metric.better == ("higher" if values[0] > values[1] else "lower"), (metric.name, values)
    assert compared


def test_less_leak_is_better(made: Callable[[str], Any]) -> None:
    """Colours that change places leak, and nothing leaks where the image shows what the prompt states."""
    rng = np.random.default_rng(1)
    scene = next(
        scene for scene in iter(lambda: sample_scene(rng, 2, "test"), None)
        if len({thing.colour for thing in scene.objects}) == 2
    )  # fmt: skip
    prompt = caption(scene, rng)
    first, second = scene.objects

    swapped = replace(scene, objects=(replace(first, colour=second.colour), replace(second, colour=first.colour)))
    images = np.stack([np.asarray(render(one)) for one in (scene, swapped)])
    right, wrong = (score.value for score in made("binding").score(images, [prompt] * 2)["leak"])
    assert right == 0
    assert wrong is not None
    assert wrong > 0
    (leak,) = (metric for metric in declaration("binding").metrics if metric.name == "leak")
    assert leak.better == "lower"


def test_an_unknown_scorer_is_an_error_that_lists_them_all() -> None:
    with pytest.raises(ValueError, match=r"no scorer 'clip'.*; there are: .*binding.*sharpness"):
        make("clip")


@pytest.mark.parametrize(("value", "reason"), [(None, None), (1.0, "why")])
def test_a_score_has_a_value_or_a_reason(value: float | None, reason: str | None) -> None:
    with pytest.raises(ValueError, match="needs either a value or a reason"):
        Score(value, reason)


def test_one_prompt_an_image() -> None:
    with pytest.raises(ValueError, match="2 samples, 1 prompts"):
        check_batch(np.zeros((2, 4, 4, 3), np.uint8), ["a dog"])


def test_names_and_declarations_need_no_heavy_library() -> None:
    code = (
        "import sys; from skewbench.eval.scorers import declaration, names, stored_metrics; stored_metrics(names());"
        "print([name for name in ('torch', 'numpy', 'scipy', 'PIL', 'duckdb', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_that_are_registered_can_be_used() -> None:
    assert problems() == []
