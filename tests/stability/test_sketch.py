"""Rescaling by estimated norms: unbiased, exact where it must be, and the same for a sample in any batch."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from skewbench.stability import Recorder, Skew, Vanilla, perturb
from skewbench.stability.knobs import Sketch
from skewbench.stability.retrieval import norm_ratio, retrieval
from skewbench.stability.sketch import directions
from skewbench.stability.softmax import Blend, SoftmaxCall
from skewbench.tasks.cells import knob_columns
from skewbench.tasks.experiment import Cell
from tests.stability.models import call, golden, heads_of, layer, tiny_unet
from tests.stability.test_golden import HALVES, KNOBS, LAYERS, ROUNDINGS, relative

CPU = torch.device("cpu")
RESCALED: dict[str, Any] = {name: knob for name, knob in KNOBS.items() if name != "out_vanilla"}


def under(knob: Any, x: torch.Tensor, recorder: Recorder | None = None) -> torch.Tensor:
    """What a layer of 24 features makes of x."""
    attention = layer(bias=True)
    with perturb(attention, knob, recorder):
        found: torch.Tensor = attention(x)
    return found


def test_directions_are_orthonormal_and_depend_on_the_block_alone() -> None:
    drawn = directions(3, 40, 7, CPU)
    torch.testing.assert_close(drawn.T @ drawn, torch.eye(7))
    assert torch.equal(drawn, directions(3, 40, 7, CPU))
    assert not torch.equal(drawn, directions(4, 40, 7, CPU))
    assert directions(3, 40, 64, CPU).shape == (40, 40)


def test_the_estimate_of_a_squared_norm_is_unbiased() -> None:
    """The mean over blocks is within four standard errors of the norm."""
    x = torch.randn(24, generator=torch.Generator().manual_seed(0))
    for count in (1, 4, 12):
        estimates = torch.stack([(x @ directions(b, 24, count, CPU)).square().sum() * 24 / count for b in range(600)])
        assert (estimates.mean() - x.square().sum()).abs() < 4 * estimates.std() / 600**0.5
        assert estimates.std() > 0


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("output", RESCALED)
def test_as_many_directions_as_features_give_the_golden_outputs(name: str, output: str, device: str) -> None:
    layer, data = golden(name, device)
    with perturb(layer, replace(RESCALED[output], rescale=Sketch(data["x"].shape[-1])), Recorder()):
        assert relative(layer(data["x"]), data[output]) < 1e-4


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision(dtype: torch.dtype, device: str) -> None:
    layer, data = golden("wide", device, dtype)
    with perturb(layer, Skew(1.2, 5.0, rescale=Sketch(80))):
        found = layer(data["x"])
    assert found.dtype == dtype
    assert relative(found.float(), data["out_skew_a1.2_b5.0"]) < ROUNDINGS * torch.finfo(dtype).eps


def test_at_alpha_1_it_is_the_models_own_output() -> None:
    x = torch.randn(2, 30, 24)
    torch.testing.assert_close(under(Skew(1.0, 5.0, rescale=Sketch(1)), x), under(Vanilla(), x))


def test_the_error_falls_with_the_number_of_directions() -> None:
    x = torch.randn(2, 60, 24)
    exact, off = under(Skew(1.3, 5.0), x), under(Skew(1.3, 5.0, rescale="off"), x)
    errors = [(under(Skew(1.3, 5.0, rescale=Sketch(m)), x) - exact).norm() for m in (2, 6, 12, 20)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0
    assert errors[-1] < (off - exact).norm() / 2


def test_the_ratio_is_that_of_the_sketched_retrievals() -> None:
    attention, x = layer(), torch.randn(2, 20, 24)
    q, k = heads_of(attention, x)
    one = torch.ones(2, 1, 1, 1)
    sketch = x @ directions(0, 24, 5, CPU)
    given = SoftmaxCall(q, k, q, x, 0.3, blend=Blend(1.4 * one, 3 * one, True, sketch))
    m = q @ k.mT
    plain, skew = (0.3 * m).softmax(-1), (0.3 * ((m + m.mT) / 2 + 1.4 * (m - m.mT) / 2)).softmax(-1)
    blended = plain + 3 * (skew - plain)
    ratio = norm_ratio(skew @ sketch[:, None], blended @ sketch[:, None])
    for columns in (slice(None), slice(2, 9)):
        found = retrieval(given._replace(x=x[..., columns]))
        torch.testing.assert_close(found.ratio, ratio)
        torch.testing.assert_close(found.xi, ratio * (blended @ x[:, None, :, columns]))


@pytest.mark.parametrize("columns", ["all", 6])
def test_measuring_changes_no_bit_and_measures_what_leaves_the_layer(columns: Any) -> None:
    x = torch.randn(2, 30, 24)
    recorder, exact = Recorder(columns=columns), Recorder(columns=columns)
    knob = Skew(1.3, 5.0, rescale=Sketch(5))
    assert torch.equal(under(knob, x, recorder), under(knob, x))
    under(Skew(1.3, 5.0, rescale=Sketch(24)), x, recorder)
    under(Skew(1.3, 5.0), x, exact)
    (one,), (other,) = recorder.to_numpy(), exact.to_numpy()
    for name in ("energy", "instability", "alignment"):
        torch.testing.assert_close(torch.from_numpy(one[name]), torch.from_numpy(other[name]), rtol=1e-3, atol=1e-4)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    unet = tiny_unet()
    with perturb(unet, Skew(1.3, 5.0, rescale=Sketch(3))):
        together, alone = call(unet, [5, 6, 7]), call(unet, [6])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_experiments_and_the_lake_know_it() -> None:
    cell = Cell.model_validate({"name": "x", "knob": {"kind": "skew", "alpha": 1.2, "rescale": {"sketch": 64}}})
    assert cell.knob == Skew(1.2, rescale=Sketch(64))
    assert knob_columns(cell)["rescale"] == '{"sketch": 64}'
    assert cell.knob.family == "static, rescale by 64 directions"
    assert cell.knob.setting["rescale"] == {"sketch": 64}
