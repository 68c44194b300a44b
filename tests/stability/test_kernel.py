"""The Triton kernel against torch, in Triton's interpreter: on any machine that has Triton, and slowly."""

import pytest
import torch
from torch import Tensor

from skewbench.stability import Knob, Recorder, Skew, Vanilla, perturb
from skewbench.stability import fused as triton_path
from skewbench.stability.softmax import Kernel
from tests.stability.models import golden
from tests.stability.test_golden import KNOBS, relative

pytest.importorskip("triton", reason="the kernel's tests want Triton's interpreter: pip install triton")


def drawn(rows: int, heads: int, tokens: int, width: int, columns: int, size: float = 1.0) -> tuple[Tensor, ...]:
    """q and k (B, H, L, d) with the heads next to each other in memory, as projections have them; values; alpha."""
    generator = torch.Generator().manual_seed(tokens)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    q, k = (size * noise(rows, tokens, heads, width).transpose(1, 2) for _ in range(2))
    return q, k, noise(rows, heads, tokens, columns), 2 * noise(rows, 1, 1, 1).abs()


def wanted(q: Tensor, k: Tensor, values: Tensor, alpha: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """By the definition, in float64."""
    q, k, values, alpha = (tensor.double() for tensor in (q, k, values, alpha))
    m = q @ k.mT
    skewed = (m + m.mT) / 2 + alpha * (m - m.mT) / 2
    return (scale * m).softmax(-1) @ values, (scale * skewed).softmax(-1) @ values


def check(q: Tensor, k: Tensor, values: Tensor, alpha: Tensor, tolerance: float = 1e-5) -> None:
    scale = q.shape[-1] ** -0.5
    ours, theirs = triton_path.pair(q, k, values, alpha, scale), wanted(q, k, values, alpha, scale)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=tolerance)


# the tiles are of 32 tokens, 32 keys and up to 64 columns in float32
@pytest.mark.parametrize("tokens", [1, 2, 31, 32, 33, 65])
@pytest.mark.parametrize("width", [8, 24])
def test_tokens_that_are_no_multiple_of_the_tile(tokens: int, width: int) -> None:
    check(*drawn(2, 2, tokens, width, 5))


def test_columns_of_several_blocks_that_all_heads_share() -> None:
    q, k, values, alpha = drawn(2, 3, 40, 16, 70)
    check(q, k, values[:, :1].expand(-1, 3, -1, -1), alpha)


@pytest.mark.parametrize("size", [30.0, 1000.0])
def test_large_scores(size: float) -> None:
    """Of thousands and millions, which a softmax without running maxima would not survive."""
    q, k, values, alpha = drawn(1, 2, 40, 16, 8, size)
    q, k = q.round(), k.round()  # so that float32 holds the scores to the last digit
    alpha = torch.full_like(alpha, 1.25)
    check(q, k, values, alpha, tolerance=1e-3)


def test_scores_that_grow_and_shrink_from_tile_to_tile() -> None:
    q, k, values, alpha = drawn(1, 1, 96, 16, 8)
    for start, size in ((0, 0.01), (32, 50.0), (64, 1.0)):
        k[:, :, start : start + 32] *= size
    check(q, k, values, alpha, tolerance=1e-4)


def test_half_precision() -> None:
    q, k, values, alpha = drawn(2, 2, 70, 16, 20)
    check(q.half(), k.half(), values.half(), alpha, tolerance=2e-3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, which the interpreter computes with
def test_what_is_not_finite_stays_where_it_is() -> None:
    q, k, values, alpha = drawn(2, 2, 40, 16, 8)
    q[1, 0, 3, 2] = float("nan")
    plain, skew = triton_path.pair(q, k, values, alpha, 0.25)
    nonfinite = torch.zeros(2, 2, 40, dtype=torch.bool)
    nonfinite[1, 0, 3] = True
    assert torch.equal(plain.isnan().any(-1), nonfinite)  # q' k: a query's own row
    nonfinite[1, 0] = True
    assert torch.equal(skew.isnan().any(-1), nonfinite)  # k' q as well: every row of its head


def test_plain_alone() -> None:
    q, k, values, alpha = drawn(2, 2, 40, 16, 8)
    plain, again = triton_path.pair(q, k, values, None, 0.25)
    assert plain is again
    assert torch.equal(plain, triton_path.pair(q, k, values, alpha, 0.25)[0])


@pytest.mark.parametrize("output", ["out_vanilla", "out_skew_a1.2_b5.0", "out_eta_dev_ab"])
def test_golden(output: str) -> None:
    layer, data = golden("small")
    with perturb(layer, KNOBS[output], Recorder(), kernel="triton"):
        assert relative(layer(data["x"]), data[output]) < 1e-4


@pytest.mark.parametrize("knob", [Vanilla(), Skew(0.5, 2.0), Skew(0.5, 2.0, rescale="off")])
def test_a_layer_measured_with_and_without(knob: Knob) -> None:
    layer, data = golden("small")
    found = []
    kernels: tuple[Kernel, ...] = ("triton", "torch")
    for kernel in kernels:
        recorder = Recorder()
        with perturb(layer, knob, recorder, kernel=kernel):
            found.append((layer(data["x"]), recorder.to_arrow()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    for name in ("energy", "instability", "alignment"):
        one, other = (torch.tensor(table[name].to_pylist()) for _, table in found)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_where_the_kernel_is_not_for(monkeypatch: pytest.MonkeyPatch) -> None:
    q = torch.zeros(1, 1, 4, 16)
    assert not triton_path.usable(q, "torch")
    assert triton_path.usable(q, "triton")
    assert not triton_path.usable(q.double(), "triton")
    assert not triton_path.usable(torch.zeros(1, 1, 4, 160), "triton")
    assert not triton_path.usable(q.to("meta"), "triton")
    monkeypatch.delenv("TRITON_INTERPRET")
    assert not triton_path.usable(q, "triton")
    monkeypatch.setattr(triton_path, "find_spec", lambda name: None)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert not triton_path.usable(q, "triton")


def test_a_kernel_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET")
    layer, _ = golden("small")
    with (
        pytest.raises(ValueError, match="kernel 'triton' needs a GPU and the package triton; the model is on cpu"),
        perturb(layer, Skew(1.1), kernel="triton"),
    ):
        pass
