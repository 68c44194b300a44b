"""Knob and measures on models that something else holds: adapters, offloading, gradient checkpointing."""

from collections.abc import Callable
from typing import Any

import accelerate
import pytest
import torch
from diffusers.hooks import apply_group_offloading
from torch import Tensor, nn

from skewbench.stability import Recorder, Skew, perturb
from skewbench.vocabulary.measures import NAMES as MEASURES
from tests.stability.denoisers import Denoiser, make

NAMES = ("stable-diffusion-1.5", "stable-diffusion-3", "flux", "wan")
KNOB = Skew(1.4, 3.0, "dev", True)
CPU = torch.device("cpu")


class LowRank(nn.Module):
    """A linear layer with an adapter, as PEFT's LoRA wraps one."""

    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base_layer = base
        self.down = nn.Parameter(0.3 * torch.randn(rank, base.in_features), requires_grad=False)
        self.up = nn.Parameter(0.3 * torch.randn(base.out_features, rank), requires_grad=False)

    @property
    def weight(self) -> Tensor:
        return self.base_layer.weight

    @property
    def bias(self) -> Tensor | None:
        return self.base_layer.bias

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.base_layer(x) + x @ self.down.T @ self.up.T
        return found

    def merged(self) -> nn.Linear:
        """The same as one layer."""
        self.base_layer.weight.data += self.up @ self.down
        return self.base_layer


PROJECTIONS = ("to_q", "to_k", "to_v", "add_k_proj")


def _replace(model: nn.Module, kind: type[nn.Module], replacement: Callable[[Any], nn.Module]) -> int:
    """Replace each projection of a class. Returns their number."""
    found = [
        (layer, name, projection)
        for layer in model.modules()
        for name, projection in layer.named_children()
        if name in PROJECTIONS and type(projection) is kind
    ]
    for layer, name, projection in found:
        setattr(layer, name, replacement(projection))
    return len(found)


def _perturbed(denoiser: Denoiser) -> tuple[Tensor, list[dict[str, Any]]]:
    recorder = Recorder(columns=4)
    with perturb(denoiser.model, KNOB, recorder):
        output = denoiser()
    return output, recorder.to_arrow().to_pylist()


def _check_equal(found: tuple[Tensor, list[dict[str, Any]]], expected: tuple[Tensor, list[dict[str, Any]]]) -> None:
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-5)
    for one, other in zip(found[1], expected[1], strict=True):
        measured = [measure for measure in MEASURES if other[measure] is not None]
        assert measured == [measure for measure in MEASURES if one[measure] is not None]
        for measure in measured:
            assert one[measure] == pytest.approx(other[measure], rel=1e-3, abs=1e-4), measure


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_acts_as_if_it_were_merged(name: str) -> None:
    denoiser = make(name)
    bare = _perturbed(denoiser)[0]
    torch.manual_seed(1)
    assert _replace(denoiser.model, nn.Linear, LowRank) > 0
    wrapped = _perturbed(denoiser)
    assert not torch.allclose(wrapped[0], bare, atol=1e-3)
    assert _replace(denoiser.model, LowRank, LowRank.merged) > 0
    _check_equal(wrapped, _perturbed(denoiser))


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_may_be_loaded_within(name: str) -> None:
    denoiser = make(name)
    torch.manual_seed(1)
    with perturb(denoiser.model, KNOB):
        before = denoiser()
        _replace(denoiser.model, nn.Linear, LowRank)
        within = denoiser()
    assert not torch.allclose(within, before, atol=1e-3)
    with perturb(denoiser.model, KNOB):
        assert torch.equal(denoiser(), within)


def _sequential(model: nn.Module) -> None:
    accelerate.cpu_offload(model, execution_device=CPU)


def _whole(model: nn.Module) -> None:
    accelerate.cpu_offload_with_hook(model, execution_device=CPU)


def _groups(model: nn.Module) -> None:
    apply_group_offloading(model, onload_device=CPU, offload_device=CPU, offload_type="leaf_level")


@pytest.mark.parametrize("offload", [_sequential, _whole, _groups])
@pytest.mark.parametrize("name", ["stable-diffusion-1.5", "stable-diffusion-3", "flux"])
def test_an_offloaded_model_gives_the_same(name: str, offload: Callable[[nn.Module], None]) -> None:
    denoiser = make(name)
    expected = _perturbed(denoiser)
    offload(denoiser.model)
    _check_equal(_perturbed(denoiser), expected)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_same_with_checkpointing(name: str) -> None:
    """Backward runs each block a second time, after the model's forward."""
    found = []
    for checkpointed in (False, True):
        denoiser = make(name)
        denoiser.model.train()
        if checkpointed:
            denoiser.model.enable_gradient_checkpointing()  # type: ignore[operator]
        weights = [value.requires_grad_() for key, value in denoiser.model.named_parameters() if "to_q.weight" in key]
        recorder = Recorder()
        with perturb(denoiser.model, KNOB, recorder):
            denoiser.model(**denoiser.given, return_dict=False)[0].square().mean().backward()
        found.append([weight.grad for weight in weights])
        assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in found[-1])
        assert recorder.to_arrow().num_rows > 0
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)
