"""The Triton kernel against torch.

On a CPU it runs in Triton's interpreter, slowly. `pytest --device cuda` runs it on a GPU.
"""

import pytest
import torch
from torch import Tensor

from skewbench.stability import Knob, Recorder, Skew, Vanilla, perturb
from skewbench.stability import fused as triton_path
from skewbench.stability.softmax import Kernel
from tests.stability.models import golden
from tests.stability.test_golden import KNOBS, ROUNDINGS, relative

pytest.importorskip("triton", reason="the kernel's tests want Triton's interpreter: pip install triton")


@pytest.fixture
def interpreted(device: str) -> None:
    """Skip what concerns a machine without a GPU."""
    if device != "cpu":
        pytest.skip("of Triton's interpreter")


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


def check(device: str, given: tuple[Tensor, ...], tolerance: float = 1e-5) -> None:
    q, k, values, alpha = (tensor.to(device) for tensor in given)
    scale = q.shape[-1] ** -0.5
    ours, theirs = triton_path.pair(q, k, values, alpha, scale), wanted(q, k, values, alpha, scale)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=tolerance)


# the tiles are of 32 tokens, 32 keys and up to 64 columns in float32
@pytest.mark.parametrize("tokens", [1, 2, 31, 32, 33, 65])
@pytest.mark.parametrize("width", [8, 24])
def test_tokens_that_are_no_multiple_of_the_tile(tokens: int, width: int, device: str) -> None:
    check(device, drawn(2, 2, tokens, width, 5))


def test_columns_of_several_blocks_that_all_heads_share(device: str) -> None:
    q, k, values, alpha = drawn(2, 3, 40, 16, 70)
    check(device, (q, k, values.to(device)[:, :1].expand(-1, 3, -1, -1), alpha))


@pytest.mark.parametrize("size", [30.0, 1000.0])
def test_large_scores(size: float, device: str) -> None:
    """Of thousands and millions, which a softmax without running maxima would not survive."""
    q, k, values, alpha = drawn(1, 2, 40, 16, 8, size)
    q, k = q.round(), k.round()  # so that float32 holds the scores to the last digit
    alpha = torch.full_like(alpha, 1.25)
    check(device, (q, k, values, alpha), tolerance=1e-3)


def test_scores_that_grow_and_shrink_from_tile_to_tile(device: str) -> None:
    q, k, values, alpha = drawn(1, 1, 96, 16, 8)
    for start, size in ((0, 0.01), (32, 50.0), (64, 1.0)):
        k[:, :, start : start + 32] *= size
    check(device, (q, k, values, alpha), tolerance=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("tokens", "width", "columns"), [(70, 16, 20), (130, 64, 200)])
def test_half_precision(tokens: int, width: int, columns: int, dtype: torch.dtype, device: str) -> None:
    """P is rounded to half precision, which eight bits of bfloat16 show."""
    if device == "cpu" and dtype == torch.bfloat16:
        pytest.skip("the interpreter's products of bfloat16 are wrong")
    q, k, values, alpha = drawn(2, 2, tokens, width, columns)
    given = tuple(tensor.to(dtype) for tensor in (q, k, values))
    check(device, (*given, alpha), tolerance=4 * torch.finfo(dtype).eps)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, which the interpreter computes with
def test_what_is_not_finite_stays_where_it_is(device: str) -> None:
    q, k, values, alpha = (tensor.to(device) for tensor in drawn(2, 2, 40, 16, 8))
    q[1, 0, 3, 2] = float("nan")
    plain, skew = triton_path.pair(q, k, values, alpha, 0.25)
    nonfinite = torch.zeros(2, 2, 40, dtype=torch.bool, device=device)
    nonfinite[1, 0, 3] = True
    assert torch.equal(plain.isnan().any(-1), nonfinite)  # q' k: a query's own row
    nonfinite[1, 0] = True
    assert torch.equal(skew.isnan().any(-1), nonfinite)  # k' q as well: every row of its head


def test_plain_alone(device: str) -> None:
    q, k, values, alpha = (tensor.to(device) for tensor in drawn(2, 2, 40, 16, 8))
    plain, again = triton_path.pair(q, k, values, None, 0.25)
    assert plain is again
    assert torch.equal(plain, triton_path.pair(q, k, values, alpha, 0.25)[0])


@pytest.mark.parametrize("output", ["out_vanilla", "out_skew_a1.2_b5.0", "out_eta_dev_ab"])
def test_golden(output: str, device: str) -> None:
    layer, data = golden("small", device)
    with perturb(layer, KNOBS[output], Recorder(), kernel="triton"):
        assert relative(layer(data["x"]), data[output]) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("output", ["out_vanilla", "out_skew_a1.2_b5.0", "out_eta_dev_ab"])
def test_golden_in_half_precision(output: str, dtype: torch.dtype, device: str) -> None:
    if device == "cpu":
        pytest.skip("the interpreter's products of bfloat16 are wrong, and float16 takes it long")
    layer, data = golden("wide", device, dtype)
    with perturb(layer, KNOBS[output], Recorder(), kernel="triton"):
        assert relative(layer(data["x"]).float(), data[output]) < ROUNDINGS * torch.finfo(dtype).eps


@pytest.mark.parametrize("knob", [Vanilla(), Skew(0.5, 2.0), Skew(0.5, 2.0, rescale="off")])
def test_a_layer_measured_with_and_without(knob: Knob, device: str) -> None:
    layer, data = golden("small", device)
    found = []
    kernels: tuple[Kernel, ...] = ("triton", "torch")
    for kernel in kernels:
        recorder = Recorder()
        with perturb(layer, knob, recorder, kernel=kernel):
            found.append((layer(data["x"]), recorder.to_numpy()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    for name in ("energy", "instability", "alignment"):
        one, other = (torch.from_numpy(each[name]) for _, (each,) in found)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("interpreted")
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


@pytest.mark.usefixtures("interpreted")
def test_a_kernel_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET")
    layer, _ = golden("small")
    with (
        pytest.raises(ValueError, match="kernel 'triton' needs a GPU and the package triton; the model is on cpu"),
        perturb(layer, Skew(1.1), kernel="triton"),
    ):
        pass
