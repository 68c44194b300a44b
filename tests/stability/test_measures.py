"""The paper's identities, and the promises on dtype, size and honesty."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from skewbench.stability import measure, symmetry_index
from tests.stability.dispatch import Operations

SHAPES = st.tuples(*(st.integers(1, n) for n in (3, 3)), st.integers(2, 12), st.integers(1, 9), st.integers(1, 6))


def drawn(shape: tuple[int, int, int, int, int], seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """xi (B, H, L, C), q and k (B, H, L, d), with means that centring has to deal with."""
    rows, heads, tokens, width, head_width = shape
    generator = torch.Generator().manual_seed(seed)
    widths = (width, head_width, head_width)
    return tuple(torch.randn(rows, heads, tokens, n, generator=generator, dtype=dtype) + 0.5 for n in widths)


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.integers(0, 2**31))
def test_measures_are_their_definitions(shape: tuple[int, int, int, int, int], seed: int) -> None:
    xi, q, k = drawn(shape, seed)
    m = q @ k.mT
    m_sym = (m + m.mT) / 2
    s = xi - xi.mean(-2, keepdim=True)
    s = s / s.norm(dim=-2, keepdim=True).clamp(min=1e-8)
    f = m_sym @ s
    f = f - f.mean(-2, keepdim=True)
    ours = measure(xi, q, k)
    torch.testing.assert_close(ours.energy, -(s * (m_sym @ s)).sum(-2) / 2)
    alignment = (s * f).sum(-2) / f.norm(dim=-2).clamp(min=1e-8)
    torch.testing.assert_close(ours.alignment, alignment, rtol=1e-6, atol=1e-6)
    surely, possibly = ((s * f < bound).double().mean(-2) for bound in (-1e-9, 1e-9))  # signs of zero are rounding
    assert ((surely - 1e-9 <= ours.instability) & (ours.instability <= possibly + 1e-9)).all()


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.integers(0, 2**31))
def test_symmetry_index_is_its_definition(shape: tuple[int, int, int, int, int], seed: int) -> None:
    _, q, k = drawn(shape, seed)
    for center in (False, True):
        if center:
            q, k = q - q.mean(-2, keepdim=True), k - k.mean(-2, keepdim=True)
        m = q @ k.mT
        sym, skew = ((m + sign * m.mT).square().sum((-2, -1)) / 4 for sign in (1, -1))
        eta = symmetry_index(*drawn(shape, seed)[1:], center=center)
        torch.testing.assert_close(eta, (sym - skew) / (sym + skew))
        assert (eta.abs() <= 1 + 1e-9).all()


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.integers(0, 2**31))
def test_alignment_is_twice_the_energy_over_the_field(shape: tuple[int, int, int, int, int], seed: int) -> None:
    """Align = -2 E / |f|, and u' M_skew u = 0: the skew part has no energy."""
    xi, q, k = drawn(shape, seed)
    m = q @ k.mT
    u = xi - xi.mean(-2, keepdim=True)
    scale = (u.mT @ m.abs() @ u).abs().diagonal(dim1=-2, dim2=-1).sum() + 1
    assert ((u * ((m - m.mT) @ u)).sum(-2).abs() <= 1e-10 * scale).all()
    energy, _, alignment = measure(xi, q, k)
    s = u / u.norm(dim=-2, keepdim=True).clamp(min=1e-8)
    f = (m + m.mT) @ s / 2
    f = f - f.mean(-2, keepdim=True)
    torch.testing.assert_close(alignment * f.norm(dim=-2), -2 * energy, rtol=1e-6, atol=1e-6)


def test_a_symmetric_and_a_skew_coupling() -> None:
    _, q, _ = drawn((2, 2, 9, 5, 4), 0)
    torch.testing.assert_close(symmetry_index(q, q), torch.ones(2, 2, dtype=q.dtype))
    turned = torch.cat([-q[..., 2:], q[..., :2]], dim=-1)  # q J q' with J' = -J
    torch.testing.assert_close(symmetry_index(q, turned), -torch.ones(2, 2, dtype=q.dtype))


def test_one_sample_at_a_time_is_the_same() -> None:
    tensors = drawn((4, 3, 20, 7, 5), 1, torch.float32)
    together = measure(*tensors)
    for i in range(4):
        alone = measure(*(tensor[i : i + 1] for tensor in tensors))
        for both in zip(alone, together, strict=True):
            torch.testing.assert_close(both[0], both[1][i : i + 1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_in_float32(dtype: torch.dtype) -> None:
    tensors = tuple(tensor.to(dtype) for tensor in drawn((2, 2, 30, 8, 4), 2))
    # large enough that a sum over tokens leaves float16's range
    tensors = (tensors[0], 300 * tensors[1], 300 * tensors[2])
    ours, exact = measure(*tensors), measure(*(tensor.double() for tensor in tensors))
    for mine, theirs in zip(ours, exact, strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine.double(), theirs, rtol=1e-4, atol=1e-5)
    assert symmetry_index(*tensors[1:]).dtype == torch.float32
    torch.testing.assert_close(
        symmetry_index(*tensors[1:]).double(),
        symmetry_index(*(tensor.double() for tensor in tensors[1:])),
        rtol=1e-4,
        atol=1e-5,
    )


def test_constant_columns_are_finite() -> None:
    xi, q, k = drawn((1, 2, 16, 4, 3), 3, torch.float32)
    xi[..., 1] = 7.0
    for values in measure(xi, q, k):
        assert values.isfinite().all()
    assert (measure(xi, q, k).energy[..., 1].abs() < 1e-6).all()
    assert symmetry_index(torch.zeros_like(q), k).eq(0).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["xi", "q", "k"])
def test_what_is_not_finite_stays_so(where: str, value: float) -> None:
    tensors = dict(zip(("xi", "q", "k"), drawn((2, 2, 16, 4, 3), 4, torch.float32), strict=True))
    tensors[where][0, 1, 5, 2] = value
    column = 2 if where == "xi" else slice(None)
    for values in measure(**tensors):
        assert not values[0, 1, column].isfinite().any()
        assert values[1].isfinite().all()
        assert values[0, 0].isfinite().all()
    if where != "xi":
        eta = symmetry_index(tensors["q"], tensors["k"])
        assert not eta[0, 1].isfinite()
        assert eta[1].isfinite().all()


def test_overflow_is_not_taken_for_rest() -> None:
    """|u|^2 leaves float32's range: u / inf would be 0, a column of no energy."""
    xi, q, k = drawn((1, 1, 16, 4, 3), 5, torch.float32)
    for values in measure(1e25 * xi, q, k):
        assert not values.isfinite().any()


def test_no_matrix_of_tokens_or_features() -> None:
    tokens, width = 97, 89
    tensors = drawn((2, 3, tokens, width, 5), 6, torch.float32)
    with Operations() as operations:
        measure(*tensors)
        symmetry_index(*tensors[1:], center=True)
    for shape in operations.shapes:
        assert shape[-2:] not in [(tokens, tokens), (width, width)]
    assert operations.largest == 2 * 3 * tokens * width
