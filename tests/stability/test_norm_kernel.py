"""Blended retrievals by the Triton kernels against their definition in float64.

On a CPU they run in Triton's interpreter, slowly. `pytest --device cuda` runs them on a GPU.
"""

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from skewbench.stability import Recorder, Skew, fused, perturb
from skewbench.stability.rescaled import by_kernel, way_of
from skewbench.stability.retrieval import retrieval
from skewbench.stability.softmax import Blend, SoftmaxCall
from tests.stability.models import golden
from tests.stability.test_kernel import drawn, wanted

pytest.importorskip("triton", reason="the kernels' tests want Triton's interpreter: pip install triton")

BETA = 5.0
HOPPER = {"shared": 227 * 1024, "registers": 255}
"""Bytes of shared memory that a block may have, and registers of a thread."""


def check(
    device: str, given: tuple[Tensor, ...], columns: slice | Tensor | None = None, tolerance: float = 1e-5
) -> None:
    """`given`: q, k, features as values of one head, alpha."""
    q, k, features, alpha = (tensor.to(device) for tensor in given)
    x, beta, scale = features[:, 0], torch.full_like(alpha, BETA), q.shape[-1] ** -0.5
    values = features[..., :3]
    found = fused.blended(q, k, values, x, alpha, beta, scale, columns)
    plain, skew = wanted(q, k, features[:, :1].expand(-1, q.shape[1], -1, -1), alpha, scale)
    blend = plain + BETA * (skew - plain)
    norms = torch.stack(found.squares).sqrt().double()
    expected = torch.stack([each.norm(dim=-1, keepdim=True) for each in (skew, blend)])
    torch.testing.assert_close(norms, expected, rtol=4 * tolerance, atol=4 * tolerance)
    plain, skew = wanted(q, k, values, alpha, scale)
    heads = plain + BETA * (skew - plain)
    torch.testing.assert_close(found.heads.double(), heads, rtol=4 * tolerance, atol=4 * tolerance)
    assert (found.xi is None) == (columns is None)
    if columns is not None:
        xi = blend[..., columns]
        torch.testing.assert_close(found.xi.double(), xi, rtol=4 * tolerance, atol=4 * tolerance)


# the tiles are of 32 tokens, 32 keys and up to 64 columns in float32
@pytest.mark.parametrize("tokens", [1, 31, 32, 64, 65])
@pytest.mark.parametrize("width", [8, 24])
def test_tokens_that_are_no_multiple_of_the_tile(tokens: int, width: int, device: str) -> None:
    check(device, drawn(2, 2, tokens, width, 5))


@pytest.mark.parametrize("columns", [slice(None), torch.arange(1, 150, 7)])
def test_columns_of_several_blocks(columns: slice | Tensor, device: str) -> None:
    check(device, drawn(2, 3, 40, 16, 150), columns if isinstance(columns, slice) else columns.to(device))


@pytest.mark.parametrize("size", [30.0, 1000.0])
def test_large_scores(size: float, device: str) -> None:
    """Of thousands and millions, of which a log-sum-exp in float32 would lose the digits that count."""
    q, k, x, alpha = drawn(1, 2, 40, 16, 8, size)
    check(device, (q.round(), k.round(), x, torch.full_like(alpha, 1.25)), tolerance=1e-3)


def test_scores_that_grow_and_shrink_from_tile_to_tile(device: str) -> None:
    q, k, x, alpha = drawn(1, 1, 96, 16, 8)
    for start, size in ((0, 0.01), (32, 50.0), (64, 1.0)):
        k[:, :, start : start + 32] *= size
    check(device, (q, k, x, alpha), tolerance=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("tokens", "columns"), [(70, 20), (128, 300)])
def test_half_precision(tokens: int, columns: int, dtype: torch.dtype, device: str) -> None:
    if device == "cpu" and dtype == torch.bfloat16:
        pytest.skip("the interpreter's products of bfloat16 are wrong")
    q, k, x, alpha = drawn(1, 2, tokens, 64, columns)
    # a blend with beta 5 has nine times the rounding of P
    check(device, (*(tensor.to(dtype) for tensor in (q, k, x)), alpha), tolerance=9 * torch.finfo(dtype).eps)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, which the interpreter computes with
def test_what_is_not_finite_stays_in_its_head(device: str) -> None:
    q, k, x, alpha = (tensor.to(device) for tensor in drawn(2, 2, 40, 16, 8))
    q[1, 0, 3, 2] = float("nan")
    found = fused.blended(q, k, x, x[:, 0], alpha, torch.full_like(alpha, BETA), 0.25, None)
    nonfinite = torch.zeros(2, 2, 40, dtype=torch.bool, device=device)
    nonfinite[1, 0] = True  # the skewed scores have k' q, of which each row of the head has one
    for square in found.squares:
        assert torch.equal(square[..., 0].isnan(), nonfinite)


@pytest.mark.parametrize("measured", [None, slice(None), torch.tensor([0, 5, 6])])
def test_what_a_layer_gets(measured: slice | Tensor | None, device: str) -> None:
    """Ratio, measured columns and heads are those of the retrieval by torch."""
    q, k, x, alpha = (tensor.to(device) for tensor in drawn(2, 2, 40, 16, 24))
    blend = Blend(alpha, torch.full_like(alpha, BETA), True)
    call = SoftmaxCall(q, k, x[..., :4], x[:, 0], 0.25, blend=blend, kernel="triton")
    assert way_of(call) == "kernel"
    weight = torch.randn(2, 24, 4, device=device)
    found, expected = by_kernel(call, measured, weight), retrieval(call._replace(kernel="torch"))
    torch.testing.assert_close(found.ratio, expected.ratio, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.heads, expected.xi @ weight, rtol=1e-4, atol=1e-4)
    if measured is not None:
        torch.testing.assert_close(found.xi, expected.xi[..., measured], rtol=1e-4, atol=1e-4)
    assert by_kernel(call, measured, None).heads is None


def test_measuring_changes_no_bit_of_the_output(device: str) -> None:
    layer, data = golden("small", device)
    outputs = []
    for recorder in (None, Recorder(), Recorder(columns=7)):
        with perturb(layer, Skew(1.2, 5.0), recorder, kernel="triton"):
            outputs.append(layer(data["x"]))
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


def test_the_kernels_fit_a_hopper_gpu(device: str) -> None:
    """Compiled for one, which needs no GPU: tensor cores, nothing in slow local memory, shared memory within bounds."""
    if device != "cpu":
        pytest.skip("the same on any machine")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "tests.stability.compiled"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["kernel"] for row in rows} == {"_pair_kernel", "_norms_kernel"}
    for row in rows:
        assert row["spilled"] == 0, row
        assert row["shared"] <= HOPPER["shared"], row
        assert row["registers"] <= HOPPER["registers"], row
        assert row["tensor_cores"], row
