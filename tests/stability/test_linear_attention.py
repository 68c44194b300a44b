"""Linear attention, as Sana has it: measured by its definition, never perturbed."""

import pytest
import torch
from diffusers import SanaTransformer2DModel
from torch import Tensor

from skewbench.stability import Recorder, Skew, Temperature, Vanilla, measure, perturb, self_attention_blocks
from skewbench.stability.measures import symmetry_index
from skewbench.vocabulary.measures import RETRIEVAL_MEASURES


@pytest.fixture
def model() -> SanaTransformer2DModel:
    torch.manual_seed(0)
    made = SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8, num_layers=3,
        num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=12,
        sample_size=6,
    )  # fmt: skip
    return made.eval().requires_grad_(False)


def _predict(model: SanaTransformer2DModel, rows: slice = slice(None)) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    noise, text = (torch.randn(shape, generator=generator) for shape in ((2, 4, 6, 6), (2, 5, 12)))
    return model(noise[rows], text[rows], torch.tensor([500.0, 500.0])[rows], return_dict=False)[0]


def _values(recorder: Recorder, block: int, row: int) -> dict[str, float]:
    table = recorder.to_arrow().to_pylist()
    return next(line for line in table if (line["block"], line["sample"]) == (block, row))


def test_it_is_measured_by_its_definition_and_left_as_it_is(model: SanaTransformer2DModel) -> None:
    blocks, seen = self_attention_blocks(model), []
    layers = dict(model.named_modules())
    hooks = [
        layers[block.name].register_forward_pre_hook(lambda layer, inputs: seen.append((layer, inputs[0])))
        for block in blocks
    ]
    plain = _predict(model)
    for hook in hooks:
        hook.remove()
    recorder = Recorder(detail="mean")
    with perturb(model, Vanilla(), recorder):
        assert torch.equal(_predict(model), plain)
    assert [block.stage for block in blocks] == ["early", "middle", "late"]
    for block, (layer, x) in zip(blocks, seen, strict=True):
        q, k = (part(x).unflatten(-1, (layer.heads, -1)).transpose(1, 2).relu() for part in (layer.to_q, layer.to_k))
        weights = q @ k.mT
        xi = weights / (weights.sum(dim=-1, keepdim=True) + 1e-15) @ x[:, None]
        for row in range(2):
            found = _values(recorder, block.number, row)
            for name, values in zip(RETRIEVAL_MEASURES, measure(xi, q, k), strict=True):
                assert found[name] == pytest.approx(values[row].mean().item(), rel=2e-4, abs=2e-4), name
            eta = symmetry_index(q, k, center=True)[row].mean().item()
            assert found["symmetry"] == pytest.approx(eta, abs=1e-5)


def test_a_row_alone_has_the_same_measures(model: SanaTransformer2DModel) -> None:
    together, alone = Recorder(detail="mean"), Recorder(detail="mean")
    with perturb(model, Vanilla(), together):
        _predict(model)
    with perturb(model, Vanilla(), alone):
        _predict(model, slice(1, 2))
    for block in range(3):
        assert _values(alone, block, 0)["energy"] == pytest.approx(_values(together, block, 1)["energy"], rel=1e-4)


@pytest.mark.parametrize("knob", [Skew(1.5, 5.0), Temperature(0.8)])
def test_a_knob_is_refused_by_name(model: SanaTransformer2DModel, knob: Skew | Temperature) -> None:
    plain = _predict(model)
    refused = pytest.raises(ValueError, match=r"transformer_blocks\.0\.attn1 has linear attention")
    with refused, perturb(model, knob):
        pass
    assert torch.equal(_predict(model), plain)


def test_an_inner_perturb_measures_in_place_of_the_outer_one(model: SanaTransformer2DModel) -> None:
    outer, inner = Recorder(detail="mean"), Recorder(detail="mean")
    with perturb(model, Vanilla(), outer), perturb(model, Vanilla(), inner):
        _predict(model)
    assert inner.to_arrow().num_rows == 6
    with pytest.raises(ValueError, match="nothing was recorded"):
        outer.to_arrow()
