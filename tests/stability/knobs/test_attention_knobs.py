"""Each knob on attention against a direct computation of its formula, with full matrices."""

import math
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from skewbench.stability import AttentionKnob, Recorder, Skew, Temperature, measure, perturb
from skewbench.stability.blur import blur
from skewbench.stability.entmax import entmax, sparsemax
from skewbench.stability.grid import at_level, sides
from skewbench.stability.knobs import Pag, Pladis, Seg, SkewGuided
from skewbench.vocabulary.measures import NAMES
from tests.stability.denoisers import make
from tests.stability.models import call, heads_of, layer, tiny_unet
from tests.stability.test_denoisers import BLOCKS, IMAGE, JOINT, _spied

GRID = (3, 5)


def under(knob: AttentionKnob, x: Tensor, **options: object) -> tuple[Tensor, Recorder]:
    """The output of a layer without its last projection, on tokens of a 3 x 5 image."""
    attention, recorder = layer(**options), Recorder(detail="heads")
    attention.to_out[0] = torch.nn.Identity()
    image = x.mT.unflatten(2, GRID)
    with perturb(attention, knob, recorder):
        output: Tensor = attention(image)
    return output.flatten(2).mT, recorder


def direct(x: Tensor, weights: object) -> tuple[Tensor, Tensor]:
    """The same with full matrices, and its retrieval. `weights`: q, k and scaled logits -> the weights of the keys."""
    attention = layer()
    q, k = heads_of(attention, x)
    p = weights(q, k, q @ k.mT * attention.scale)  # type: ignore[operator]
    v = attention.to_v(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
    return (p @ v).transpose(1, 2).flatten(2), p @ x[:, None]


def mirrored_blur(q: Tensor, sigma: float) -> Tensor:
    """An ordinary convolution with a sampled Gaussian, of the image mirrored often enough."""
    rows, columns = GRID
    image = q.unflatten(2, GRID)
    double = torch.cat([image, image.flip(2)], dim=2)
    double = torch.cat([double, double.flip(3)], dim=3)
    many = double.repeat(1, 1, 7, 7, 1)[:, :, : 13 * rows, : 13 * columns]  # an odd number: the middle is no mirror
    kernel = torch.exp(-torch.arange(-6 * rows, 6 * rows + 1).double().square() / (2 * sigma**2))
    wide = torch.exp(-torch.arange(-6 * columns, 6 * columns + 1).double().square() / (2 * sigma**2))
    weight = (kernel[:, None] * wide / (kernel.sum() * wide.sum()))[None, None]
    channels = many.movedim(-1, 2).flatten(0, 2)[:, None].double()
    found = F.conv2d(channels, weight)[:, 0].to(q.dtype)
    return found.unflatten(0, (*q.shape[:2], -1)).movedim(2, -1).flatten(2, 3)


def _symmetric(q: Tensor, k: Tensor, logits: Tensor) -> Tensor:
    return ((logits + logits.mT) / 2).softmax(-1)


def _gamma(q: Tensor, k: Tensor, logits: Tensor) -> Tensor:
    return ((logits + logits.mT) / 2 + 0.4 * (logits - logits.mT) / 2).softmax(-1)


def _identity(q: Tensor, k: Tensor, logits: Tensor) -> Tensor:
    return 0.3 * logits.softmax(-1) + 0.7 * torch.eye(logits.shape[-1])


def _blurred(q: Tensor, k: Tensor, logits: Tensor) -> Tensor:
    return (mirrored_blur(q, 2.0) @ k.mT * layer().scale).softmax(-1)


def _mean(q: Tensor, k: Tensor, logits: Tensor) -> Tensor:
    return logits.mean(dim=-2, keepdim=True).softmax(-1).expand_as(logits)


def _sparse(q: Tensor, k: Tensor, logits: Tensor) -> Tensor:
    return 2 * bisected(logits, 1.5) - logits.softmax(-1)


FORMULAS = {
    "symmetric": (Skew(0.0, 1.0, rescale="off"), _symmetric),
    "gamma": (Skew(0.4, 1.0, rescale="off"), _gamma),
    "pag": (Pag(0.7), _identity),
    "seg": (Seg(2.0), _blurred),
    "seg of the mean": (Seg(1000.0), _mean),
    "pladis": (Pladis(2.0), _sparse),
}


def bisected(logits: Tensor, alpha: float) -> Tensor:
    """alpha-entmax by bisection for tau, in float64."""
    z = (alpha - 1) * logits.double()
    low, high = z.amax(-1, keepdim=True) - 1, z.amax(-1, keepdim=True)
    for _ in range(80):
        tau = (low + high) / 2
        total = (z - tau).clamp(min=0).pow(1 / (alpha - 1)).sum(-1, keepdim=True)
        low, high = torch.where(total > 1, tau, low), torch.where(total > 1, high, tau)
    return (z - low).clamp(min=0).pow(1 / (alpha - 1)).to(logits.dtype)


@pytest.mark.parametrize("name", FORMULAS)
def test_output_and_measures_are_those_of_the_formula(name: str) -> None:
    """The measures are of the retrieval that leaves the layer, softmax or not, under the layer's own coupling."""
    knob, weights = FORMULAS[name]
    x = torch.randn(2, 15, 24)
    output, recorder = under(knob, x)
    wanted, xi = direct(x, weights)
    torch.testing.assert_close(output, wanted, rtol=1e-4, atol=1e-5)
    measured = measure(xi, *heads_of(layer(), x))
    rows = recorder.to_arrow()
    if name == "seg of the mean":  # all tokens retrieve the same, so that no column has a direction
        assert rows["energy"].null_count == rows["instability"].null_count == rows["alignment"].null_count == 2
        assert rows["symmetry"].null_count == 0
        return
    for column in ("energy", "alignment"):
        got = torch.tensor(rows[f"{column}_heads"].to_pylist())[:, 0]
        torch.testing.assert_close(got, getattr(measured, column).mean(-1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("knob", [Skew(1.7, 2.0), Skew(1.7, 2.0, "dev"), Pag(1.0), Pladis(2.0), Seg(1.5)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_selection_of_heads_leaves_the_others_alone(knob: AttentionKnob, bias: bool) -> None:
    x = torch.randn(2, 15, 24)
    chosen = type(knob)(**{**knob.setting, "heads": (3, 1)})
    adaptive = getattr(knob, "adapt_alpha", "off") != "off"  # eta is then the chosen heads' mean
    options = {"heads": 4, "bias": bias}
    every, some, none = (under(each, x, **options) for each in (knob, chosen, Temperature(1.0)))
    for head in range(4):
        part = slice(6 * head, 6 * head + 6)
        same, other = (every, none) if head in (1, 3) else (none, every)
        if not (adaptive and head in (1, 3)):
            torch.testing.assert_close(some[0][..., part], same[0][..., part], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(some[0][..., part], other[0][..., part], rtol=1e-3, atol=1e-3)
        if adaptive:
            continue
        for column in ("energy_heads", "symmetry_heads"):
            mine, wanted = ([row[0][head] for row in each[1].to_arrow()[column].to_pylist()] for each in (some, same))
            assert mine == pytest.approx(wanted, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("rescale", ["norm", "off"])
def test_the_guard_amplifies_unstable_samples_alone(rescale: Literal["norm", "off"]) -> None:
    """Each sample is as under `Skew` with the alpha of its own alignment; from `stable` on it is the layer's own."""
    x = torch.randn(12, 15, 24)
    plain, measured = under(Temperature(1.0), x)
    alignment = measured.to_arrow()["alignment"].to_pylist()
    low, middle, stable = sorted(value for value in alignment if value > 0)[-3:]
    assert stable - low > 1e-3
    knob = SkewGuided(2.5, 3.0, stable=middle, rescale=rescale)
    output, recorder = under(knob, x)
    alphas = [1 + 1.5 * min(max(1 - value / middle, 0), 1) for value in alignment]
    assert recorder.to_arrow()["alpha_eff"].to_pylist() == pytest.approx(alphas, rel=1e-4)
    for row, alpha in enumerate(alphas):
        wanted = plain[row] if alpha == 1 else under(Skew(alpha, 3.0, rescale=rescale), x)[0][row]
        torch.testing.assert_close(output[row], wanted, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(under(knob, x[row : row + 1])[0][0], output[row], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(output[alignment.index(low)], plain[alignment.index(low)], rtol=1e-3, atol=1e-3)


def test_heads_must_exist_in_every_chosen_block() -> None:
    unet = tiny_unet()
    knob = Skew(1.5, 2.0, heads=(0, 3))
    with (
        pytest.raises(ValueError, match=r"heads=\(0, 3\): block \d+ \S+ has 2 heads, from 0 to 1"),
        perturb(unet, knob),
    ):
        pass
    with perturb(unet, Skew(1.5, 2.0, heads=(0, 3), blocks="mid"), Recorder(), samples=1):
        call(unet)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.floats(0.1, 30), st.integers(0, 2**31))
def test_sparse_weights_are_exact(keys: int, sharpness: float, seed: int) -> None:
    logits = sharpness * torch.randn(3, keys, generator=torch.Generator().manual_seed(seed))
    for function, alpha in ((entmax, 1.5), (sparsemax, 2.0)):
        torch.testing.assert_close(function(logits), bisected(logits, alpha), rtol=1e-3, atol=2e-5)


def test_sparse_weights_of_ties_of_large_logits_and_of_hidden_keys() -> None:
    logits = torch.tensor([[0.0, 0, 0, 0], [1e4, 1e4, 0, -1e4], [0.3, -torch.inf, 0.1, -torch.inf]])
    for function in (entmax, sparsemax):
        p = function(logits)
        torch.testing.assert_close(p.sum(-1), torch.ones(3))
        torch.testing.assert_close(p[:2], torch.tensor([[0.25] * 4, [0.5, 0.5, 0, 0]]))
        assert p[2, [1, 3]].tolist() == [0, 0]


@pytest.mark.parametrize("grid", [(4, 4), (2, 7), (1, 6)])
def test_the_blur_grows_with_sigma_up_to_the_mean(grid: tuple[int, int]) -> None:
    x = torch.randn(2, 3, math.prod(grid), 5, dtype=torch.float64)
    mean = x.mean(dim=2, keepdim=True)
    distances = [(blur(x, grid, sigma) - mean).norm().item() for sigma in (0, 0.3, 1, 2, 4)]
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == len(distances)
    torch.testing.assert_close(blur(x, grid, 0.0), x)
    torch.testing.assert_close(blur(x, grid, 1.7).mean(dim=2, keepdim=True), mean)
    torch.testing.assert_close(blur(x, grid, math.inf), mean.expand_as(x))
    torch.testing.assert_close(blur(x, grid, 1000.0), mean.expand_as(x))


def test_frames_are_blurred_one_by_one() -> None:
    frames = torch.randn(1, 2, 3, 8, 4)
    together = blur(frames.flatten(2, 3), (2, 4), 1.0).unflatten(2, (3, 8))
    for frame in range(3):
        torch.testing.assert_close(together[:, :, frame], blur(frames[:, :, frame], (2, 4), 1.0))


def test_grids() -> None:
    """Wide, tall and odd images, in a UNet's levels and in transformers' patches."""
    assert sides({"sample": torch.empty(1, 4, 96, 160)}) == (96, 160)
    assert at_level((96, 160), 24 * 40) == (24, 40)
    assert at_level((9, 5), 5 * 3) == (5, 3)
    assert sides({"hidden_states": torch.empty(1, 4, 12, 20), "patch_size": 2}) == (6, 10)
    assert at_level((6, 10), 60) == (6, 10)
    assert sides({"hidden_states": torch.empty(1, 4, 3, 12, 20), "patch_size": (1, 2, 2)}) == (6, 10)
    assert at_level((6, 10), 180) == (6, 10)
    assert sides({"hidden_states": torch.empty(1, 60, 4)}) is None
    with pytest.raises(ValueError, match="77 tokens do not form an image of 16 x 16 tokens"):
        at_level((16, 16), 77)
    attention = layer()
    with perturb(attention, Seg(1.0)), pytest.raises(ValueError, match="do not determine the number of token rows"):
        attention(torch.randn(1, 16, 24))


@pytest.mark.parametrize("name", sorted(BLOCKS))
@pytest.mark.parametrize("knob", [Pag(0.0), Seg(0.0), Pladis(0.0)], ids=lambda knob: knob.kind)
def test_every_denoiser_under_the_neutral_setting(name: str, knob: AttentionKnob) -> None:
    denoiser, recorder = make(name), Recorder()
    own = denoiser()
    with perturb(denoiser.model, knob, recorder):
        torch.testing.assert_close(denoiser(), own, rtol=1e-4, atol=1e-4)
    stronger = type(knob).example()
    with perturb(denoiser.model, stronger, recorder):
        together = denoiser()
    rows = recorder.to_arrow().to_pylist()
    assert all(math.isfinite(row[column]) for row in rows for column in NAMES if row[column] is not None)
    assert all(row["energy"] is not None and row["symmetry"] is not None for row in rows)
    with perturb(denoiser.model, stronger):
        torch.testing.assert_close(denoiser(1)[0], together[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["pag", "seg", "pladis"])
@pytest.mark.parametrize("joint", sorted(JOINT - {"deepfloyd-if"}))
def test_text_tokens_are_untouched_in_joint_attention(joint: str, kind: str) -> None:
    """Image queries by the formula over text and image; the output of text queries is the model's own."""
    denoiser = make(joint)
    block = BLOCKS[joint][{"lumina-2": 1}.get(joint, 0)]
    layer_ = denoiser.model.get_submodule(block)
    own = _spied(denoiser, layer_)
    image = list(IMAGE[joint][0])
    q, k, v = (own[key][0] for key in ("query", "key", "value"))
    scale = own.get("scale") or q.shape[-1] ** -0.5
    text = [token for token in range(5 + 16) if token not in image][:5]
    knob = {"pag": Pag(1.0), "seg": Seg(1.2), "pladis": Pladis(2.0)}[kind]
    logits = scale * q[:, image] @ k[:, text + image].mT
    if kind == "pag":
        block_of_image = logits[..., 5:].masked_fill(~torch.eye(16, dtype=torch.bool), -torch.inf)
        p = torch.cat([logits[..., :5], block_of_image], dim=-1).softmax(-1)
    elif kind == "seg":
        blurred = blur(q[None, :, image], (4, 4), 1.2)[0]
        p = torch.cat([logits[..., :5], scale * blurred @ k[:, image].mT], dim=-1).softmax(-1)
    else:
        p = 2 * bisected(logits, 1.5) - logits.softmax(-1)
    every = text + image
    wanted = torch.cat([(scale * q[:, text] @ k[:, every].mT).softmax(-1) @ v[:, every], p @ v[:, every]], dim=1)
    heads: dict[str, Tensor] = {}
    import skewbench.stability.attention as module

    plain = module.SelfAttention.__call__

    def spy(self: object, softmax: object) -> Tensor:
        found = plain(self, softmax)  # type: ignore[arg-type]
        heads.setdefault(self.block.name, found)  # type: ignore[attr-defined]
        return found

    module.SelfAttention.__call__ = spy  # type: ignore[method-assign]
    try:
        with perturb(denoiser.model, type(knob)(**{**knob.setting, "blocks": block.replace(".", r"\.") + "$"})):
            denoiser()
    finally:
        module.SelfAttention.__call__ = plain  # type: ignore[method-assign]
    got = heads[block][0][:, text + image]
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-4)
