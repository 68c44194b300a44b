"""The training loop: a resumed training equals an uninterrupted one, in each precision and with each optimizer."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skewbench.training.loop import fit, load_average
from skewbench.training.precision import Precision, computed_in


def _model() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"net": nn.Sequential(nn.Embedding(8, 16), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 4))})


def _train(folder: Path, steps: int, stop: int | None, precision: Precision, *, muon: bool) -> nn.ModuleDict:
    model = _model()

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        if step == stop:
            raise KeyboardInterrupt
        chosen = torch.randint(8, (32,), generator=generator)
        return F.cross_entropy(model["net"](chosen).float(), chosen % 4)

    fit(model, loss_of, folder, steps, 1e-2, 0, precision=precision, muon=muon)
    load_average(model, folder)
    return model


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("muon", [False, True])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path, precision: Precision, muon: bool) -> None:
    whole = _train(tmp_path / "whole", 400, None, precision, muon=muon)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "parts", 400, 250, precision, muon=muon)
    resumed = _train(tmp_path / "parts", 400, None, precision, muon=muon)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    curve = (tmp_path / "whole" / "curve.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in curve] == ["step", "200", "400"]
    assert float(curve[2].split(",")[1]) < 0.5 * float(curve[1].split(",")[1])


def test_muon_trains_other_weights_than_adamw(tmp_path: Path) -> None:
    adamw, muon = (_train(tmp_path / name, 200, None, "float32", muon=name == "muon") for name in ("adamw", "muon"))
    assert not torch.equal(adamw.state_dict()["net.1.weight"], muon.state_dict()["net.1.weight"])


def test_bfloat16_spares_attention_and_weights() -> None:
    layer, given = nn.Linear(8, 8), torch.randn(2, 4, 8)
    with computed_in("bfloat16", torch.device("cpu")):
        made = layer(given)
        attended = F.scaled_dot_product_attention(made, made, made)
    assert (made.dtype, attended.dtype, layer.weight.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    with computed_in("float32", torch.device("cpu")):
        assert layer(given).dtype == torch.float32
