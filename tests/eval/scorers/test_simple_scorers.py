"""Sharpness, contrast, diversity, and the decoding of images."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from skewbench.eval.scenes.render import render
from skewbench.eval.scenes.scene import sample_scene
from skewbench.eval.scorers import make
from skewbench.eval.scoring.images import CorruptSample, decode, is_blank


@pytest.fixture(scope="module")
def rendered():
    rng = np.random.default_rng(0)
    return np.stack([np.asarray(render(sample_scene(rng, 2))) for _ in range(6)])


def values(name, images):
    return [score.value for score in make(name).score(images, [""] * len(images))[name]]


def diversity(images):
    return make("msssim_diversity").score_group(images, "a prompt")["msssim_diversity"]


def test_blur_takes_sharpness(rendered):
    blurred = np.stack([ndimage.gaussian_filter(p, (1, 1, 0)) for p in rendered])
    assert all(a > 2 * b for a, b in zip(values("sharpness", rendered), values("sharpness", blurred), strict=True))


def test_sharpness_of_a_known_image():
    dot = np.zeros((1, 9, 9, 3), np.uint8)
    dot[0, 4, 4] = 255
    laplacian = np.array([-4 * 255] + [255] * 4 + [0] * 76)
    assert values("sharpness", dot) == pytest.approx([laplacian.var()])


def test_contrast_of_known_images():
    halves = np.zeros((2, 8, 8, 3), np.uint8)
    halves[0, :4] = 255
    assert values("contrast", halves) == pytest.approx([0.5, 0.0])


def test_a_blank_image_wins_nothing(rendered):
    black = np.zeros_like(rendered)
    assert max(values("sharpness", black)) == max(values("contrast", black)) == 0
    assert diversity(black).value is None
    assert "not blank" in diversity(black).reason


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_images_are_blank(level):
    assert is_blank(np.full((64, 64, 3), level, np.uint8))


def test_images_are_not_blank(rendered):
    assert not any(is_blank(image) for image in rendered)


def test_diversity_is_nought_for_copies_and_grows_with_difference(rendered):
    copies = np.repeat(rendered[:1], 4, axis=0)
    noisy = (copies + np.random.default_rng(0).normal(0, 6, copies.shape)).round().clip(0, 255).astype(np.uint8)
    assert diversity(copies).value == pytest.approx(0, abs=1e-6)
    assert 0 < diversity(noisy).value < 0.1 < diversity(rendered).value < 1


def test_diversity_is_of_unordered_pairs(rendered):
    assert diversity(rendered[::-1]).value == pytest.approx(diversity(rendered).value, abs=1e-6)
    assert diversity(rendered).n == len(rendered)


def test_diversity_leaves_blank_images_out(rendered):
    with_blank = np.concatenate([rendered, np.zeros_like(rendered[:2])])
    assert diversity(with_blank) == diversity(rendered)


@pytest.mark.parametrize(("side", "scored"), [(32, False), (33, True), (64, True), (160, True), (161, True)])
def test_diversity_by_size(side, scored):
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    score = diversity(images)
    assert (score.value is not None) == scored
    assert score.n == 2


def test_diversity_needs_two(rendered):
    assert diversity(rendered[:1]).value is None
    assert diversity(rendered[:1]).n == 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_decoding_gives_rgb(mode):
    stream = BytesIO()
    Image.new(mode, (5, 4)).save(stream, "PNG")
    assert decode(stream.getvalue()).shape == (4, 5, 3)


def test_decoding_gives_the_pixels_back(rendered):
    stream = BytesIO()
    Image.fromarray(rendered[0]).save(stream, "PNG")
    assert np.array_equal(decode(stream.getvalue()), rendered[0])


def test_corrupt_bytes_are_a_clear_error(rendered):
    stream = BytesIO()
    Image.fromarray(rendered[0]).save(stream, "PNG")
    png = stream.getvalue()
    for data in (b"", b"no image", png[: len(png) // 2], png[:-30]):
        with pytest.raises(CorruptSample, match=f"{len(data)} bytes are not a readable image"):
            decode(data)
