"""A knob as the weak branch of guidance: D + s (cond - weak), in every way that pipelines guide."""

from typing import Any

import pytest
import torch
from torch import Tensor

from skewbench.stability import AttentionKnob, Knob, Loop, Recorder, Skew, Vanilla, perturb
from skewbench.stability.knobs import KNOBS, Apg, Pag, Seg, Temperature
from skewbench.stability.predictions import Predictions
from tests.stability.denoisers import Denoiser, make
from tests.stability.models import call, tiny_unet
from tests.stability.test_calls import Scheduler

G, S = 5.0, 2.0


def as_weak(knob: AttentionKnob, scale: float = S, **more: Any) -> AttentionKnob:
    """The same knob as weak branch."""
    return type(knob)(**{**knob.setting, "weak": scale, **more})


def seen(denoiser: Denoiser, knobs: Any, in_calls: bool, steps: int = 1) -> tuple[Tensor, Tensor]:
    """uncond and cond as the pipeline sees them in a step; row 1 is cond."""
    scheduler = Scheduler()
    loop = Loop(scheduler, ("cond", "uncond")) if in_calls else None
    with perturb(denoiser.model, knobs, samples=1, steps=steps, loop=loop, guidance=G):
        if in_calls:
            cond, uncond = denoiser(1), denoiser(0)
            return uncond, cond
        uncond, cond = denoiser().chunk(2)
        return uncond, cond


@pytest.mark.parametrize("knob", [Pag(1.0), Skew(1.6, 1.0), Seg(1.0)], ids=lambda knob: knob.kind)
@pytest.mark.parametrize(
    "name",
    ["stable-diffusion-1.5", "stable-diffusion-3", "pixart", "hunyuan-dit", "deepfloyd-if", "qwen-image", "lumina-2"],
)
def test_a_pipeline_guides_away_from_the_weak_branch(name: str, knob: AttentionKnob) -> None:
    denoiser, in_calls = make(name), name in ("qwen-image", "lumina-2")
    uncond, cond = seen(denoiser, Vanilla(), in_calls)
    with perturb(denoiser.model, knob):
        weak = denoiser(1)
    wanted = uncond + G * (cond - uncond) + S * (cond - weak)
    channels = _channels(denoiser, cond)
    for setting, expected in ((as_weak(knob), wanted), (as_weak(knob, 0.0), uncond + G * (cond - uncond))):
        new_uncond, new_cond = seen(denoiser, setting, in_calls)
        guided = new_uncond + G * (new_cond - new_uncond)
        torch.testing.assert_close(guided[:, channels], expected[:, channels], rtol=1e-3, atol=2e-4)
        torch.testing.assert_close(new_cond[:, channels.stop :], cond[:, channels.stop :])
        if in_calls:
            torch.testing.assert_close(new_cond, cond)  # by whose norm these pipelines go on
    assert not torch.allclose(wanted[:, channels], (uncond + G * (cond - uncond))[:, channels], rtol=1e-2, atol=1e-3)


def _channels(denoiser: Denoiser, predicted: Tensor) -> slice:
    """Those of the prediction, without a variance."""
    given = next(denoiser.given[key] for key in ("sample", "hidden_states") if key in denoiser.given)
    return slice(0, given.shape[1] if given.ndim == 4 else predicted.shape[1])


def test_every_knob_on_attention_can_be_the_weak_branch() -> None:
    """Neutral settings of the knob and of the scale give the model's own output."""
    unet = tiny_unet()
    own = call(unet)
    for kind in KNOBS.names():
        knob = KNOBS.get(kind)
        if not issubclass(knob, AttentionKnob):
            continue
        for setting, same in (
            (as_weak(knob.neutral()), True), (as_weak(knob.example(), 0.0), True), (as_weak(knob.example()), False)
        ):  # fmt: skip
            with perturb(unet, setting, samples=1, steps=1):
                assert torch.allclose(call(unet), own, rtol=1e-4, atol=1e-5) == same, setting


def test_with_a_rule_and_without_guidance() -> None:
    unet, knob, rule = tiny_unet(), Skew(1.5, 1.0), Apg()
    uncond, cond = call(unet, [0, 100]).chunk(2)
    with perturb(unet, knob):
        weak = call(unet, [100])
    with perturb(unet, [as_weak(knob), rule], samples=1, guidance=G):
        both = call(unet, [0, 100])
    guided = rule.act(Predictions(cond, uncond, G), 0, None) + S * (cond - weak)
    torch.testing.assert_close(both, torch.cat([guided, guided]), rtol=1e-4, atol=1e-4)
    with perturb(unet, as_weak(knob), samples=1, guidance=1.0):
        alone = call(unet, [100])
    torch.testing.assert_close(alone, cond + S * (cond - weak), rtol=1e-4, atol=1e-4)


def test_a_model_with_distilled_guidance_has_a_weak_branch_too() -> None:
    denoiser, knob = make("flux"), Pag(1.0)
    own = denoiser()
    with perturb(denoiser.model, knob):
        weak = denoiser()
    loop = Loop(Scheduler(), ("cond",))
    with perturb(denoiser.model, as_weak(knob), samples=2, guidance=3.5, loop=loop):
        torch.testing.assert_close(denoiser(), own + S * (own - weak), rtol=1e-3, atol=1e-4)


def test_it_costs_a_call_in_the_steps_where_it_acts_and_the_schedule_moves_its_scale_alone() -> None:
    unet = tiny_unet()
    uncond, cond = call(unet, [0, 100]).chunk(2)
    with perturb(unet, Skew(1.5, 1.0)):
        weak = call(unet, [100])
    calls: list[int] = []
    forward = unet.forward
    unet.forward = lambda *inputs, **named: calls.append(len(inputs[0])) or forward(*inputs, **named)  # type: ignore
    knob = as_weak(Skew(1.5, 1.0), window=(0.0, 0.5), schedule="linear-up")
    with perturb(unet, knob, samples=1, steps=4):
        outputs = [call(unet, [0, 100]) for _ in range(4)]
    assert calls == [2, 1, 2, 1, 2, 2]
    for output, scale in zip(outputs, (1, 2, 0, 0), strict=True):
        offset = scale * (cond - weak)
        torch.testing.assert_close(output, torch.cat([uncond + offset, cond + offset]), rtol=1e-4, atol=1e-4)


def test_the_weak_branch_is_measured_under_its_own_name() -> None:
    unet, knob = tiny_unet(), Skew(1.5, 2.0, blocks="mid")
    tables = {}
    for name, setting in (("plain", Vanilla()), ("direct", knob), ("weak", as_weak(knob))):
        recorder = Recorder()
        with perturb(unet, setting, recorder, samples=2):
            call(unet, [0, 1, 100, 101])
        tables[name] = recorder.to_arrow().to_pylist()
    weak = [row for row in tables["weak"] if row["branch"] == "weak"]
    others = [row for row in tables["weak"] if row["branch"] != "weak"]
    assert others == tables["plain"]
    direct = [row for row in tables["direct"] if row["branch"] == "cond"]
    assert [(row["sample"], row["block"]) for row in weak] == [(row["sample"], row["block"]) for row in direct]
    for mine, wanted in zip(weak, direct, strict=True):
        for column in ("energy", "alignment", "alpha_eff", "beta_eff"):
            assert mine[column] == pytest.approx(wanted[column], rel=1e-3, abs=1e-4)


def test_neighbours_do_not_matter() -> None:
    unet, knob = tiny_unet(), as_weak(Pag(1.0))
    with perturb(unet, knob, samples=3):
        together = call(unet, [0, 1, 2, 100, 101, 102])
    with perturb(unet, knob, samples=1):
        alone = call(unet, [1, 101])
    torch.testing.assert_close(together[[1, 4]], alone, rtol=1e-3, atol=1e-4)


def test_what_it_needs_and_its_words() -> None:
    denoiser, knob = make("qwen-image"), as_weak(Temperature(1.5))
    loop = Loop(Scheduler(), ("cond", "uncond"))
    cases: list[tuple[Knob, dict[str, Any]]] = [(knob, {"guidance": G}), (knob, {"samples": 1, "loop": loop})]
    for setting, given in cases:
        with (
            pytest.raises(ValueError, match="temperature as weak branch needs `guidance`"),
            perturb(denoiser.model, setting, **given),
        ):
            pass
    assert knob.words == "temperature, s 2, τ 1.5, as weak branch (one more evaluation of cond a step)"
    assert knob.family == "temperature, as weak branch (one more evaluation of cond a step)"
    assert as_weak(Skew(1.5)).family == "static, as weak branch (one more evaluation of cond a step)"
