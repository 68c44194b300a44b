"""Scores in half precision: on tensor cores they give what float64 gives, up to the rounding of P."""

import pytest
import torch
from torch import Tensor

from skewbench.stability import retrieval as retrieval_module
from skewbench.stability import scores as scores_module
from skewbench.stability.retrieval import retrieval
from skewbench.stability.scores import on_tensor_cores, scores
from skewbench.stability.softmax import Blend, SoftmaxCall, Text


@pytest.fixture
def tensor_cores(monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.dtype, ...]]:
    """Take a GPU's way on this CPU, whose `bmm` cannot choose the dtype of its result. Returns the products' dtypes."""
    made, bmm = [], torch.bmm

    def emulated(one: Tensor, two: Tensor, *, out_dtype: torch.dtype) -> Tensor:
        made.append((one.dtype, two.dtype, out_dtype))
        return bmm(one.to(out_dtype), two.to(out_dtype))

    for module in (scores_module, retrieval_module):
        monkeypatch.setattr(module, "on_tensor_cores", lambda q: q.dtype in (torch.float16, torch.bfloat16))
    monkeypatch.setattr(torch, "bmm", emulated)
    return made


def _call(dtype: torch.dtype, *, text: bool, seed: int = 0) -> SoftmaxCall:
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int, size: float = 1.0) -> Tensor:
        return (size * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)

    q, k, v = noise(2, 3, 17, 8, size=12.0), noise(2, 3, 17, 8, size=12.0), noise(2, 3, 17, 8)
    alpha, beta = (torch.tensor(values).reshape(2, 1, 1, 1).double() for values in ([1.05, 1.4], [1.0, 5.0]))
    others = Text(noise(2, 3, 5, 8), noise(2, 3, 5, 8)) if text else None
    blend = Blend(alpha.float(), beta.float(), rescale=not text)
    return SoftmaxCall(q, k, v, noise(2, 17, 24), 8**-0.5, blend=blend, text=others)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("budget", [2**19, 3 * 17])
def test_the_retrieval_on_tensor_cores_is_the_exact_one(
    tensor_cores: list[tuple[torch.dtype, ...]],
    dtype: torch.dtype,
    text: bool,
    budget: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(retrieval_module.BUDGET, "cpu", budget)
    call = _call(dtype, text=text)
    found = retrieval(call)
    assert set(tensor_cores) == {(dtype, dtype, torch.float32)}
    exact = call._replace(
        q=call.q.double(),
        k=call.k.double(),
        x=call.x.double(),
        blend=Blend(call.blend.alpha.double(), call.blend.beta.double(), call.blend.rescale) if call.blend else None,
        text=Text(call.text.k.double(), call.text.v.double()) if call.text else None,
    )
    wanted = retrieval(exact)
    error = (found.xi.double() - wanted.xi).norm() / wanted.xi.norm()
    assert error < 4 * torch.finfo(dtype).eps  # of P, whose product with X is in half precision
    for ours, theirs in ((found.ratio, wanted.ratio), (found.text_mass, wanted.text_mass)):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            torch.testing.assert_close(ours.double(), theirs, rtol=8 * torch.finfo(dtype).eps, atol=1e-5)


def test_a_gpu_can_do_the_product_in_these_dtypes() -> None:
    """Shapes and dtypes only: torch checks them without a GPU on the meta device."""
    for dtype in (torch.float16, torch.bfloat16):
        one = torch.empty(6, 17, 8, dtype=dtype, device="meta")
        assert torch.bmm(one, one.mT, out_dtype=torch.float32).dtype == torch.float32


def test_a_cpu_takes_the_usual_way() -> None:
    q = torch.randn(1, 2, 3, 4).half()
    assert not on_tensor_cores(q)
    assert scores(q, q).dtype == torch.float32
    torch.testing.assert_close(scores(q, q), q.float() @ q.float().mT)
