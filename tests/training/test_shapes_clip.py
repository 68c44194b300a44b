"""Lessons of `shapes-clip`: facts, true and false captions; and from training to a folder that open_clip reads."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from skewbench.eval.scenes.captions import caption, parse_caption
from skewbench.eval.scenes.scene import is_held_out, sample_scene
from skewbench.eval.scoring.clip_tower import ClipTower
from skewbench.training.shapes_clip.architecture import clip, read, read_words
from skewbench.training.shapes_clip.data import disturbed, draw_scenes, is_named, true_and_false_captions
from skewbench.training.shapes_clip.evaluate import CANDIDATES, candidates
from skewbench.training.shapes_clip.facts import (
    OBJECT_FACTS,
    SCENE_FACTS,
    caption_facts,
    cell_facts,
    scene_facts,
    word_facts,
)
from skewbench.training.shapes_clip.train import app
from skewbench.training.shapes_xl.architecture import write_tokenizer


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    return [sample_scene(rng, 1 + i % 3) for i in range(48)]


def test_what_a_true_caption_tells_is_so(scenes):
    rng = np.random.default_rng(1)
    stated, so = caption_facts([caption(scene, rng) for scene in scenes]), scene_facts(scenes)
    assert (stated <= so).all()
    assert (stated.sum(dim=1) > 0).all()
    assert stated.sum() < so.sum()


def test_every_false_caption_tells_something_that_is_not_so(scenes):
    _, false = true_and_false_captions(scenes, 5, seed=0)
    stated, so = caption_facts(false), scene_facts(scenes).repeat_interleave(5, dim=0)
    single = torch.tensor([len(parse_caption(text).objects) == 1 for text in false])  # nothing else could make it so
    assert single.any()
    assert (stated > so)[single].any(dim=1).all()


def test_words_say_what_their_caption_tells():
    texts = ["a red star inside a blue circle on a grey background", "on a black background, a small q heart"]
    where, facts = word_facts(texts)
    assert where.tolist() == [[0, 2], [0, 6], [0, 10], [1, 3], [1, 8]]
    assert [facts[where[:, 0] == i].amax(dim=0).tolist() for i in range(2)] == caption_facts(texts).tolist()
    stated = [[fact for fact, i in SCENE_FACTS.items() if row[i]] for row in facts]
    assert stated[0] == [("colour", "red", "shape", "star")]
    assert ("shape", "star", "inside", "colour", "blue") in stated[1]
    assert stated[4] == [("shape", "heart", "size", "small")]


def test_cells_hold_the_facts_of_their_objects(scenes):
    cells = cell_facts(scenes)
    assert torch.equal(cells.amax(dim=(2, 3)), scene_facts(scenes)[:, : len(OBJECT_FACTS)])
    assert list(SCENE_FACTS)[: len(OBJECT_FACTS)] == list(OBJECT_FACTS)


def test_nothing_of_the_test_split_is_drawn_or_told():
    pool = draw_scenes(80, seed=0)
    true, false = true_and_false_captions(pool.scenes, 5, seed=0)
    assert len(false) == 5 * len(true)
    assert 0 < sum(map(is_named, true)) < len(true)
    objects = [thing for text in true + false for thing in (parse_caption(text) or parse_caption("a red star")).objects]
    assert not any(is_held_out(thing.colour, thing.shape, thing.texture) for thing in objects if thing.texture)


def test_disturbances_are_mild():
    pool = draw_scenes(8, seed=0)
    clean = pool.pixels.permute(0, 3, 1, 2) / 127.5 - 1
    seen = disturbed(pool.pixels, torch.Generator().manual_seed(0))
    assert seen.shape == clean.shape
    assert seen.abs().max() <= 1
    assert 0 < (seen - clean).abs().mean() < 0.15


def test_captions_are_read_as_open_clip_reads_them(tmp_path, scenes):
    tokenizer = write_tokenizer(tmp_path)
    rng = np.random.default_rng(0)
    texts = [caption(scene, rng) for scene in scenes]
    tokens = tokenizer(texts, padding="max_length", max_length=36, return_tensors="pt").input_ids
    model = clip(len(tokenizer)).eval()
    with torch.inference_mode():
        expected = model.encode_text(tokens)
        torch.testing.assert_close(read(model, tokens, tokenizer.eos_token_id), expected)
        torch.testing.assert_close(read_words(model, tokens, tokenizer.eos_token_id)[1], expected)


@pytest.mark.parametrize("text", ["a red star", "on a grey background, a small solid blue heart inside a pink circle"])
def test_a_hundred_candidates_all_different_and_single_changes_first(text):
    rng = np.random.default_rng(0)
    captions = [caption(sample_scene(rng, 1 + i % 3, "test"), rng) for i in range(120)]
    found = candidates(text, captions, rng)
    assert len({other for _, other in found} | {text}) == CANDIDATES
    kinds = [kind for kind, _ in found]
    assert kinds[0] not in ("two changes", "other scene")
    assert kinds[-1] in ("two changes", "other scene")


def test_training_goes_on_where_it_was_and_ends_in_a_folder_that_open_clip_reads(tmp_path):
    def run(*words):
        result = CliRunner().invoke(app, [*words, "--folder", str(tmp_path / "training")], catch_exceptions=False)
        assert result.exit_code == 0, result.output

    small = ("--scenes", "6", "--batch", "4")
    run("images", "--steps", "1", *small)
    run("images", "--steps", "2", *small)
    curve = (tmp_path / "training" / "images" / "curve.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in curve] == ["step", "1", "2"]
    run("words", "--steps", "1", *small)
    run("captions", "--steps", "1", *small)
    run("export", "--to", str(tmp_path / "weights"))
    tower = ClipTower(tmp_path / "weights")
    features = tower.images(np.zeros((2, 64, 64, 3), np.uint8))
    assert features.shape == tower.texts(["a red star", "a blue heart"]).shape == (2, 192)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
