"""Against the released code's outputs: 1e-4 relative in float32. `pytest --device cuda` runs it on a GPU."""

import pytest
import torch
from torch import Tensor

from skewbench.stability import Knob, Recorder, Skew, Temperature, Vanilla, measure, perturb, symmetry_index
from skewbench.stability.retrieval import retrieval
from skewbench.stability.softmax import SoftmaxCall
from tests.stability.models import golden, heads_of

LAYERS = ("small", "wide")
STATIC = [(1.05, 3.0), (1.05, 5.0), (1.2, 5.0), (0.0, 1.0), (0.5, 2.0), (1.0, 5.0)]
KNOBS: dict[str, Knob] = {
    "out_vanilla": Vanilla(),
    **{f"out_skew_a{alpha}_b{beta}": Skew(alpha, beta) for alpha, beta in STATIC},
    **{
        f"out_eta_{rule}_{'ab' if adapt_beta else 'a'}": Skew(1.2, 5.0, adapt_alpha=rule, adapt_beta=adapt_beta)
        for rule in ("dev", "scale")
        for adapt_beta in (True, False)
    },
}


HALVES = (torch.float16, torch.bfloat16)
ROUNDINGS = 8
"""Of half precision, relative to the largest value: weights and inputs are rounded, and beta multiplies it."""


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("measured", [False, True], ids=["unmeasured", "measured"])
@pytest.mark.parametrize("output", KNOBS)
def test_outputs(name: str, output: str, measured: bool, device: str) -> None:
    layer, data = golden(name, device)
    with perturb(layer, KNOBS[output], Recorder() if measured else None):
        assert relative(layer(data["x"]), data[output]) < 1e-4


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("output", KNOBS)
def test_outputs_in_half_precision(name: str, output: str, dtype: torch.dtype, device: str) -> None:
    layer, data = golden(name, device, dtype)
    with perturb(layer, KNOBS[output], Recorder()):
        found = layer(data["x"])
    assert found.dtype == dtype
    assert relative(found.float(), data[output]) < ROUNDINGS * torch.finfo(dtype).eps


@pytest.mark.parametrize("tau", [0.7, 1.5])
def test_a_temperature_is_its_definition(tau: float, device: str) -> None:
    """softmax(q k' / (tau sqrt d)) v, through the output projection."""
    layer, data = golden("small", device)
    q, k = heads_of(layer, data["x"])
    v = layer.to_v(data["x"]).unflatten(-1, (layer.heads, -1)).transpose(1, 2)
    heads = (q @ k.mT * layer.scale / tau).softmax(-1) @ v
    with perturb(layer, Temperature(tau)):
        torch.testing.assert_close(layer(data["x"]), layer.to_out[0](heads.transpose(1, 2).flatten(2)))


@pytest.mark.parametrize("name", LAYERS)
def test_every_golden_output_is_tested(name: str) -> None:
    assert {key for key in golden(name)[1] if key.startswith("out_")} == set(KNOBS)


@pytest.mark.parametrize("name", LAYERS)
def test_retrieval_and_measures(name: str, device: str) -> None:
    layer, data = golden(name, device)
    q, k = heads_of(layer, data["x"])
    xi, ratio, text_mass = retrieval(SoftmaxCall(q, k, data["x"], data["x"], layer.scale))
    assert ratio is None
    assert text_mass is None
    assert relative(xi, data["xi"]) < 1e-4
    measures = measure(data["xi"], q, k)
    assert relative(measures.energy, data["energy"]) < 1e-4
    assert relative(measures.alignment, data["alignment"]) < 1e-4
    torch.testing.assert_close(measures.instability, data["instability"], rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_symmetry(name: str, device: str) -> None:
    layer, data = golden(name, device)
    q, k = heads_of(layer, data["x"])
    assert relative(symmetry_index(q, k), data["eta_raw"]) < 1e-4
    assert relative(symmetry_index(q, k, center=True), data["eta_centered"]) < 1e-4


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_means(name: str, device: str) -> None:
    layer, data = golden(name, device)
    recorder = Recorder(detail="heads")
    with perturb(layer, Vanilla(), recorder):
        layer(data["x"])
    (found,) = recorder.to_numpy()
    data = {key: value.cpu() for key, value in data.items()}
    assert (found["block"], found["step"], found["branches"]) == (0, 0, ("cond",))
    for measure_name in ("energy", "instability", "alignment"):
        per_head = torch.from_numpy(found[measure_name])
        torch.testing.assert_close(per_head, data[measure_name].mean(-1), rtol=1e-4, atol=2e-4)
    for ours, theirs in (("symmetry", "eta_centered"), ("symmetry_raw", "eta_raw")):
        torch.testing.assert_close(torch.from_numpy(found[ours]), data[theirs], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_the_table_of_recorded_means(name: str) -> None:
    pytest.importorskip("pyarrow", reason="a table needs pyarrow")
    layer, data = golden(name)
    recorder = Recorder(detail="heads")
    with perturb(layer, Vanilla(), recorder):
        layer(data["x"])
    table = recorder.to_arrow()
    for measure_name in ("energy", "instability", "alignment"):
        per_head = torch.tensor(table[f"{measure_name}_heads"].to_pylist())[:, 0]
        torch.testing.assert_close(per_head, data[measure_name].mean(-1), rtol=1e-4, atol=2e-4)
        mean = torch.tensor(table[measure_name].to_pylist())
        torch.testing.assert_close(mean, data[measure_name].mean((1, 2)), rtol=1e-4, atol=2e-4)
    for ours, theirs in (("symmetry", "eta_centered"), ("symmetry_raw", "eta_raw")):
        torch.testing.assert_close(torch.tensor(table[ours].to_pylist()), data[theirs].mean(1), rtol=1e-4, atol=1e-6)
