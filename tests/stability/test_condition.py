"""CADS: its formula, whose rows get it, and where its noise comes from."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from skewbench.stability import Knob, Loop, Skew, Vanilla, perturb
from skewbench.stability.condition import Conditioning
from skewbench.stability.knobs import Cads, Guidance
from skewbench.stability.loop import Position
from tests.stability.denoisers import make
from tests.stability.models import call, tiny_unet
from tests.stability.test_calls import Scheduler

STEPS = 10


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_gamma_anneals_from_noise_to_the_condition() -> None:
    gammas = [Cads(tau1=0.4, tau2=0.8).gamma(step, STEPS) for step in range(STEPS)]
    assert gammas == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1])
    assert {Cads(tau1=1.0).gamma(step, STEPS) for step in range(STEPS)} == {1.0}
    assert [Cads(tau1=0.5, tau2=0.5).gamma(step, 4) for step in range(4)] == [0, 0, 1, 1]


@pytest.mark.parametrize("rescale", [0.0, 0.6, 1.0])
def test_the_formula(rescale: float) -> None:
    y = 3 * torch.randn(2, 5, 8) + 1
    knob = Cads(noise=0.25, tau1=0.4, tau2=0.8, rescale=rescale)
    changed = knob.act(y, 4, STEPS, generators(3, 4))
    for row, seed in enumerate((3, 4)):
        noise = torch.randn(5, 8, generator=torch.Generator().manual_seed(seed))
        noised = 0.5**0.5 * y[row] + 0.25 * 0.5**0.5 * noise
        restored = (noised - noised.mean()) / noised.std() * y[row].std() + y[row].mean()
        torch.testing.assert_close(changed[row], rescale * restored + (1 - rescale) * noised)
    assert knob.act(y, 7, STEPS, generators(3, 4)) is y


class Seen:
    """What a model is given, in each call."""

    def __init__(self, model: nn.Module) -> None:
        self.calls: list[Tensor] = []
        forward = model.forward

        def spied(*inputs: Any, **named: Any) -> Any:
            self.calls.append(named["encoder_hidden_states"])
            return forward(*inputs, **named)

        model.forward = spied  # type: ignore[method-assign]


def test_rows_of_cond_alone_get_it_each_with_its_own_noise_in_each_step() -> None:
    unet = tiny_unet()
    seen = Seen(unet)
    rows = [0, 1, 100, 101]
    call(unet, rows)
    (own,) = seen.calls
    given: dict[str, Any] = {"samples": 2, "steps": 2, "guidance": 5.0}
    weak = Skew(1.5, weak=2.0)
    with perturb(unet, [weak, Guidance(), Cads()], noise_seeds=[7, 8], **given):
        call(unet, rows)
        call(unet, rows)
    _, first, of_weak, second, _ = seen.calls
    assert torch.equal(first[:2], own[:2])
    assert torch.equal(first[2:], of_weak)  # the weak branch is a prediction of the same condition
    noises = [first[2] - own[2], first[3] - own[3], second[2] - own[2]]
    assert all(not torch.allclose(noises[i], noises[j], atol=0.1) for i, j in ((0, 1), (0, 2), (1, 2)))
    with perturb(unet, Cads(), noise_seeds=[8], samples=1, steps=2):
        call(unet, [1, 101])
        call(unet, [1, 101])
    torch.testing.assert_close(seen.calls[-2][1], first[3])
    torch.testing.assert_close(seen.calls[-1][1], second[3])
    latents = torch.randn(own.shape[1:], generator=torch.Generator().manual_seed(7))
    assert abs(torch.corrcoef(torch.stack([noises[0].flatten(), latents.flatten()]))[0, 1]) < 0.4


def test_all_embeddings_of_tokens_get_it_and_a_pooled_vector_does_not() -> None:
    named = {name: torch.randn(2, 3, 8) for name in ("encoder_hidden_states", "encoder_hidden_states_1")}
    given = {**named, "pooled_projections": torch.randn(2, 8)}
    _, changed = Conditioning(Cads(), Position(step=0), [7], steps=2)(None, (), given) or ((), {})
    for name, own in named.items():
        assert torch.equal(changed[name][0], own[0])
        assert not torch.allclose(changed[name][1], own[1], atol=0.1)
    assert changed["pooled_projections"] is given["pooled_projections"]


def test_a_window_and_a_perturb_within() -> None:
    unet = tiny_unet()
    own = call(unet, [0, 100])
    late = Cads(tau1=0.0, tau2=0.9, window=(0.5, 1.0), schedule="linear-up")
    with perturb(unet, late, noise_seeds=[7], samples=1, steps=4):
        assert [torch.equal(call(unet, [0, 100]), own) for _ in range(2)] == [True, True]
        with perturb(unet, Vanilla()):
            assert torch.equal(call(unet, [0, 100]), own)
        changed = call(unet, [0, 100])
    assert torch.equal(changed[0], own[0])
    assert not torch.allclose(changed[1], own[1], rtol=1e-3, atol=1e-3)
    assert not unet._forward_pre_hooks


@pytest.mark.parametrize("name", ["qwen-image", "lumina-2", "flux"])
def test_calls_of_cond_alone_get_it(name: str) -> None:
    denoiser = make(name)
    own = denoiser(0), denoiser(1)
    scheduler = Scheduler()
    branches = ("cond",) if name == "flux" else ("cond", "uncond")
    loop = Loop(scheduler, branches)
    with perturb(denoiser.model, Cads(), noise_seeds=[7], samples=1, steps=1, loop=loop):
        assert not torch.allclose(denoiser(1), own[1], rtol=1e-3, atol=1e-3)
        if len(branches) == 2:
            assert torch.equal(denoiser(0), own[0])


def test_what_it_needs_is_said() -> None:
    unet = tiny_unet()
    cases: list[tuple[Knob, dict[str, Any]]] = [
        (Cads(), {"samples": 1, "steps": 4}),
        (Cads(), {"samples": 2, "steps": 4, "noise_seeds": [1]}),
        (Cads(), {"samples": 1, "noise_seeds": [1]}),
    ]
    for knob, given in cases:
        with pytest.raises(ValueError, match="cads needs `samples`, `steps`, and"), perturb(unet, knob, **given):
            pass
    audio = make("audioldm")
    given = {"samples": 2, "steps": 1, "noise_seeds": [1, 2]}
    with pytest.raises(ValueError, match="UNet2DConditionModel is not given"), perturb(audio.model, Cads(), **given):
        audio()
