"""Every way to rescale gives what the definition gives, at any shape."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skewbench.stability import Recorder, Skew, perturb, rescaled
from skewbench.stability.rescaled import CHOICES, Choice, Way, by_blocks, by_gram, way_of
from skewbench.stability.retrieval import BUDGET, retrieval
from skewbench.stability.retrieved import stability_and_heads
from skewbench.stability.softmax import Blend, SoftmaxCall
from tests.stability.models import golden
from tests.stability.test_golden import KNOBS, LAYERS, relative
from tests.stability.test_retrieval import drawn

WAYS: tuple[Way, ...] = ("gram", "blocks", "retrieval")
TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every call takes it."""
    taken = [Choice(request.param, device, TYPES, lambda *_: True) for device in ("cpu", "cuda")]
    monkeypatch.setattr(rescaled, "CHOICES", taken)
    return str(request.param)


def called(rows: int, heads: int, tokens: int, width: int, seed: int) -> SoftmaxCall:
    q, k, v, x, alpha, beta = drawn(rows, heads, tokens, width, seed)
    return SoftmaxCall(q, k, v, x, 0.5, blend=Blend(alpha, beta, True))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12), st.sampled_from([1, 7, 130, 300]), st.integers(0, 999))
def test_ratio_columns_and_heads_are_those_of_the_retrieval(
    rows: int, heads: int, tokens: int, width: int, seed: int
) -> None:
    call = called(rows, heads, tokens, width, seed)
    wanted = retrieval(call)
    weight = torch.randn(heads, width, 4, dtype=call.x.dtype)
    some = torch.arange(0, width, 3)
    for columns in (None, slice(None), some):
        for found in (by_gram(call, columns, weight), by_blocks(call, columns)):
            torch.testing.assert_close(found.ratio, wanted.ratio)
            if columns is not None:
                torch.testing.assert_close(found.xi, wanted.xi[..., columns])
            if found.heads is not None:
                torch.testing.assert_close(found.heads, wanted.xi @ weight)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("output", [name for name in KNOBS if name != "out_vanilla"])
def test_golden(way: str, name: str, output: str, device: str) -> None:
    layer, data = golden(name, device)
    with perturb(layer, KNOBS[output], Recorder()):
        assert relative(layer(data["x"]), data[output]) < 1e-4


def test_measuring_changes_no_bit_of_the_output(way: str) -> None:
    layer, data = golden("wide")
    with perturb(layer, Skew(1.2, 5.0)):
        alone = layer(data["x"])
    for columns in ("all", 7):
        with perturb(layer, Skew(1.2, 5.0), Recorder(columns=columns)):
            assert torch.equal(layer(data["x"]), alone)


def test_at_alpha_1_the_ratio_is_1(way: str) -> None:
    call = called(2, 3, 40, 60, 0)
    one = torch.ones(2, 1, 1, 1)
    call = SoftmaxCall(*(each.float() for each in call[:4]), 0.5, blend=Blend(one, 5 * one, True))
    ratio = stability_and_heads(call, call.q, call.k, None).ratio
    torch.testing.assert_close(ratio, torch.ones(2, 3, 40, 1), rtol=1e-4, atol=0)


def test_attention_to_all_tokens_alike(way: str) -> None:
    """The retrieval is the mean, far smaller than the features, and its norm is still exact."""
    call = called(1, 2, 60, 80, 1)
    blend = Blend(torch.full((1, 1, 1, 1), 1.2), torch.full((1, 1, 1, 1), 5.0), True)
    call = SoftmaxCall(0 * call.q.float(), call.k.float(), call.v.float(), call.x.float(), 0.5, blend=blend)
    found = stability_and_heads(call, call.q, call.k, slice(None))
    torch.testing.assert_close(found.ratio, torch.ones(1, 2, 60, 1), rtol=1e-4, atol=0)
    assert found.means is not None
    assert found.means.isfinite().all()


@pytest.mark.parametrize("budget", [200, 1000, 10**6])
def test_tiles_change_nothing(way: str, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    call = called(3, 4, 11, 16, 2)
    weight = torch.randn(4, 16, 4, dtype=call.x.dtype)
    columns = torch.tensor([1, 4, 5])
    once = [stability_and_heads(call, call.q, call.k, columns, each) for each in (None, weight)]
    monkeypatch.setitem(BUDGET, "cpu", budget)
    tiled = [stability_and_heads(call, call.q, call.k, columns, each) for each in (None, weight)]
    for one, other in zip(once, tiled, strict=True):
        for before, after in zip(one, other, strict=True):
            assert (before is None) == (after is None)
            if before is not None:
                torch.testing.assert_close(before, after)


def test_which_way_is_taken_where() -> None:
    assert {choice.way for choice in CHOICES} <= set(WAYS)
    small, large = called(1, 1, 8, 24, 0), called(1, 1, 24, 8, 0)
    assert (way_of(small), way_of(large)) == ("gram", "retrieval")
    assert way_of(small._replace(mask=torch.ones(1, 1, 8, 8, dtype=torch.bool))) == "retrieval"
    assert way_of(small._replace(kernel="triton")) == "gram"  # the kernel is not for float64
    assert way_of(small._replace(kernel="triton", q=small.q.float())) == "kernel"
    assert way_of(small._replace(x=small.x.half())) == "retrieval"
