"""The retrieval by its definition, its precision, and how much memory it takes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from skewbench.stability import Recorder, Skew, Vanilla, perturb
from skewbench.stability.retrieval import BUDGET, attend, retrieval, skew_heads, skewed
from skewbench.stability.retrieved import stability_and_heads
from skewbench.stability.softmax import Blend, SoftmaxCall
from tests.stability.dispatch import Operations
from tests.stability.models import heads_of, layer


def drawn(rows: int, heads: int, tokens: int, width: int, seed: int, dtype: torch.dtype = torch.float64) -> tuple:
    """q, k, v (B, H, L, d), x (B, L, C), alpha and beta (B, 1, 1, 1)."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype)

    qkv = (noise(rows, heads, tokens, 4) for _ in range(3))
    return *qkv, noise(rows, tokens, width), noise(rows, 1, 1, 1).abs(), 3 * noise(rows, 1, 1, 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12), st.integers(0, 2**31))
def test_two_products_of_twice_the_width(rows: int, heads: int, tokens: int, seed: int) -> None:
    """M_sym + alpha M_skew = c1 q k' + c2 k q'."""
    q, k, _, _, alpha, _ = drawn(rows, heads, tokens, 5, seed)
    m = q @ k.mT
    wanted = (m + m.mT) / 2 + alpha * (m - m.mT) / 2
    q_skew, k_skew = skewed(q, k, alpha)
    torch.testing.assert_close(q_skew @ k_skew.mT, wanted)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 12), st.booleans(), st.integers(0, 2**31))
def test_retrieval_and_heads_are_their_definitions(
    rows: int, heads: int, tokens: int, rescale: bool, seed: int
) -> None:
    """Xi_out, and Xi_out Wv' + bias through the head width alone."""
    q, k, _, x, alpha, beta = drawn(rows, heads, tokens, 7, seed)
    weight, bias = torch.randn(heads, 7, 4, dtype=q.dtype), torch.randn(heads, 1, 4, dtype=q.dtype)
    v = x[:, None] @ weight + bias
    m = q @ k.mT
    xi = (m / 2).softmax(-1) @ x[:, None]
    xi_alpha = (((m + m.mT) / 2 + alpha * (m - m.mT) / 2) / 2).softmax(-1) @ x[:, None]
    wanted = xi + beta * (xi_alpha - xi)
    if rescale:
        wanted = wanted * (xi_alpha.norm(dim=-1, keepdim=True) / wanted.norm(dim=-1, keepdim=True)).clamp(1 / 4, 4)

    blend = Blend(alpha, beta, rescale)
    call = SoftmaxCall(q, k, v, x, 1 / 2, blend=blend)
    xi_out, ratio, _ = retrieval(call)
    torch.testing.assert_close(xi_out, wanted)
    torch.testing.assert_close(skew_heads(call, ratio, bias), wanted @ weight + bias)
    if rescale:
        heads = stability_and_heads(call, q, k, None, weight).heads
        torch.testing.assert_close(heads, wanted @ weight)


def test_attend_pads_nothing_into_the_result() -> None:
    q, k, v, _, alpha, _ = drawn(2, 3, 10, 5, 0)
    q, k = skewed(q, k, alpha)
    torch.testing.assert_close(attend(SoftmaxCall(q, k, v, v[:, 0], 0.3)), (0.3 * q @ k.mT).softmax(-1) @ v)


@pytest.mark.parametrize("budget", [1, 40, 200, 1000, 10**6])
def test_tiles_change_nothing(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v, x, alpha, beta = drawn(3, 4, 11, 8, 1)
    call = SoftmaxCall(q, k, v, x, 0.5, blend=Blend(alpha, beta, True))
    columns = torch.tensor([1, 4, 5])
    weight = torch.randn(4, 8, 4, dtype=x.dtype)
    once = [stability_and_heads(call, q, k, columns, value) for value in (None, weight)]
    monkeypatch.setitem(BUDGET, "cpu", budget)
    tiled = [stability_and_heads(call, q, k, columns, value) for value in (None, weight)]
    torch.testing.assert_close(tiled[0].means, once[0].means)
    torch.testing.assert_close(tiled[0].ratio, once[0].ratio)
    torch.testing.assert_close(tiled[1].means, once[0].means)
    torch.testing.assert_close(tiled[1].heads, once[1].heads)


@pytest.mark.parametrize("knob", [Skew(1.1, 3.0), Skew(1.1, 3.0, rescale="off")])
def test_no_temporary_beyond_the_budget(knob: Skew, monkeypatch: pytest.MonkeyPatch) -> None:
    """P of all heads would be 4 x 4 x 256 x 256; the budget is a 64th of that."""
    budget = 4 * 4 * 256 * 256 // 64
    monkeypatch.setitem(BUDGET, "cpu", budget)
    attention = layer(width=32, heads=4)
    x = torch.randn(4, 256, 32)
    with perturb(attention, knob, Recorder()), Operations() as operations:
        attention(x)
    activations = 2 * x.numel()  # q* and k* of the value path
    assert operations.largest <= max(budget, activations)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_finite_and_close(dtype: torch.dtype) -> None:
    """Scores of several hundred, which exp would not survive; features of 1e4, whose squares float16 would not."""
    attention = layer(width=32, heads=4, bias=True)
    x = torch.randn(2, 50, 32, generator=torch.Generator().manual_seed(0))
    attention.to_q.weight.mul_(20)
    x[..., 3] *= 30
    half = layer(width=32, heads=4, bias=True).to(dtype)
    half.load_state_dict(attention.state_dict())
    attention.load_state_dict(half.state_dict())  # the same rounded weights
    x = x.to(dtype)
    exact, rounded = Recorder(), Recorder()
    with perturb(attention, Skew(1.05, 5.0), exact):
        wanted = attention(x.float())
    with perturb(half, Skew(1.05, 5.0), rounded):
        output = half(x)
    assert output.dtype == dtype
    assert output.isfinite().all()
    error = (output.float() - wanted).norm() / wanted.norm()
    assert error < 40 * torch.finfo(dtype).eps
    q, _ = heads_of(half, x)
    assert q.abs().max() > 100
    for name in ("energy", "instability", "alignment", "symmetry", "symmetry_raw"):
        ours, theirs = (torch.tensor(recorder.to_arrow()[name].to_pylist()) for recorder in (rounded, exact))
        assert ours.isfinite().all()
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.02)


def test_autocast_does_not_reach_the_measures() -> None:
    attention, recorder = layer(), Recorder()
    x = torch.randn(2, 40, 24)
    q, k = heads_of(attention, x)
    with perturb(attention, Vanilla(), recorder):
        with torch.autocast("cpu", torch.bfloat16):
            own = layer()(x)
            torch.testing.assert_close(attention(x), own)
        cast = recorder.to_arrow()["energy"].to_pylist()
        with torch.autocast("cpu", torch.bfloat16):
            q, k = heads_of(attention, x)
    means = stability_and_heads(SoftmaxCall(q, k, x, x, attention.scale), q, k, slice(None)).means
    assert means is not None
    torch.testing.assert_close(torch.tensor(cast), means[0].mean(1))


def test_float64_stays_float64() -> None:
    attention = layer().double()
    x = torch.randn(2, 9, 24, dtype=torch.float64)
    with perturb(attention, Skew(0.9, 2.0, adapt_alpha="dev"), Recorder()):
        assert attention(x).dtype == torch.float64
