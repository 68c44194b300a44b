"""Rules of guidance: their formulas, and what a pipeline makes of a model under them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d
from torch import Tensor

from skewbench.stability import Loop, Recorder, Rule, Skew, Vanilla, perturb
from skewbench.stability.knobs import (
    KNOBS,
    Apg,
    CfgZeroStar,
    Fdg,
    Guidance,
    GuidanceInterval,
    GuidanceRescale,
    Mag,
    Tcfg,
    Temperature,
)  # fmt: skip
from skewbench.stability.predictions import Predictions
from tests.stability.denoisers import Denoiser, make
from tests.stability.models import call, tiny_unet
from tests.stability.test_calls import Scheduler

G = 5.0
RULES = [KNOBS.get(kind) for kind in KNOBS.names() if KNOBS.get(kind).place == "predictions"]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2, 3), keepdim=True)


def _rescaled(c: Tensor, u: Tensor) -> Tensor:
    d = u + G * (c - u)
    return torch.stack([0.3 * own + 0.7 * own * (one.std() / own.std()) for own, one in zip(d, c, strict=True)])


def _projected(c: Tensor, u: Tensor) -> Tensor:
    d = c - u
    d = d * (3 / _dot(d, d).sqrt()).clamp(max=1)
    parallel = _dot(d, c) / _dot(c, c) * c
    return c + (G - 1) * (d - parallel + 0.25 * parallel)


def _zero_star(c: Tensor, u: Tensor) -> Tensor:
    s = _dot(c, u) / _dot(u, u)
    return s * u + G * (c - s * u)


def _magnitude(c: Tensor, u: Tensor) -> Tensor:
    d = c - u
    w = 1 + (G - 1) * torch.exp(-2 * (_dot(d, d) / _dot(u, u)).sqrt())
    return u + w * d


def _tangential(c: Tensor, u: Tensor) -> Tensor:
    from diffusers.guiders import TangentialClassifierFreeGuidance

    guided: Tensor = TangentialClassifierFreeGuidance(guidance_scale=G).forward(c, u).pred
    return guided


def _frequencies(c: Tensor, u: Tensor) -> Tensor:
    """With numpy and scipy: the pyramid of even sides, where bilinear halving is the mean of 2 x 2."""
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    blur = lambda x: convolve1d(convolve1d(x, kernel, -1, mode="mirror"), kernel, -2, mode="mirror")  # noqa: E731
    blurred = blur((c - u).double().numpy())
    half = blurred.reshape(*blurred.shape[:2], blurred.shape[2] // 2, 2, blurred.shape[3] // 2, 2).mean((3, 5))

    def doubled(x: Any, axis: int) -> Any:
        wide = np.pad(np.moveaxis(x, axis, -1), [(0, 0)] * (x.ndim - 1) + [(1, 1)], mode="edge")
        middle, before, after = wide[..., 1:-1], wide[..., :-2], wide[..., 2:]
        pairs = np.stack([0.75 * middle + 0.25 * before, 0.75 * middle + 0.25 * after], axis=-1)
        return np.moveaxis(pairs.reshape(*pairs.shape[:-2], -1), -1, axis)

    low = torch.from_numpy(blur(doubled(doubled(half, 2), 3))).to(c.dtype)
    return u + 8 * (c - u - low) + 2 * low


FORMULAS = {
    "guidance": (Guidance(scale=3.0), lambda c, u: u + 3 * (c - u)),
    "guidance_interval": (GuidanceInterval(start=0.5), lambda c, u: c),  # the first of two steps
    "guidance_rescale": (GuidanceRescale(0.7), _rescaled),
    "apg": (Apg(eta=0.25, norm=3.0), _projected),
    "cfg_zero_star": (CfgZeroStar(), _zero_star),
    "cfg_zero_star at the start": (CfgZeroStar(zero_steps=1), lambda c, u: 0 * c),
    "mag": (Mag(2.0), _magnitude),
    "tcfg": (Tcfg(), _tangential),
    "fdg": (Fdg(low=2.0, high=8.0), _frequencies),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_rule_is_its_formula(name: str) -> None:
    rule, formula = FORMULAS[name]
    c, u = torch.randn(2, 3, 4, 8, 6)
    torch.testing.assert_close(rule.act(Predictions(c, u, G), 0, 2), formula(c, u), rtol=1e-4, atol=1e-5)


def test_every_rule_has_a_formula() -> None:
    own = {rule.kind for rule in RULES if rule.__module__.startswith("skewbench.")}
    assert {name.split()[0] for name in FORMULAS} == own


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@pytest.mark.parametrize("name", ["pixart", "qwen-image", "lumina-2", "deepfloyd-if", "stable-diffusion-3"])
def test_a_pipeline_guides_by_the_rule(name: str, rule: type[Rule]) -> None:
    """Rows of one call, or a call for each branch; with a predicted variance, or without."""
    if rule.needs_maps and name == "qwen-image":
        return
    denoiser, steps = make(name), 4
    in_calls = name in ("qwen-image", "lumina-2")
    uncond, cond, variance = _predictions(denoiser, in_calls, Vanilla(), steps)[0]
    for setting in (rule.neutral(), rule.example()):
        for step, (new_uncond, new_cond, kept) in enumerate(_predictions(denoiser, in_calls, setting, steps)):
            wanted = setting.guided(Predictions(cond, uncond, G), step, steps)
            torch.testing.assert_close(new_uncond + G * (new_cond - new_uncond), wanted, rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(kept, variance)
            if in_calls:
                torch.testing.assert_close(new_cond, cond)


def _predictions(denoiser: Denoiser, in_calls: bool, rule: Any, steps: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """uncond, cond and the variance that a pipeline sees in each step."""
    scheduler = Scheduler()
    loop = Loop(scheduler, ("cond", "uncond")) if in_calls else None
    given = next(denoiser.given[key] for key in ("sample", "hidden_states") if key in denoiser.given)
    channels = given.shape[1] if denoiser().ndim == 4 else None
    found = []
    with perturb(denoiser.model, rule, samples=1, steps=steps, loop=loop, guidance=G):
        for _ in range(steps):
            if in_calls:
                cond, uncond = denoiser(1), denoiser(0)
            else:
                uncond, cond = denoiser().chunk(2)
            scheduler.step()
            found.append((uncond[:, :channels], cond[:, :channels], cond[:, channels:] if channels else cond[:, :0]))
    return found


def test_a_rule_within_its_window_and_by_its_schedule() -> None:
    unet = tiny_unet()
    uncond, cond = call(unet).chunk(2)
    rule = Guidance(scale=9.0, window=(0.25, 1.0), schedule="linear-up")
    with perturb(unet, rule, samples=1, steps=4, guidance=G):
        outputs = [call(unet)[1:] for _ in range(4)]
    for output, scale in zip(outputs, (5, 5 + 4 / 3, 5 + 8 / 3, 9), strict=True):
        torch.testing.assert_close(output, uncond + scale * (cond - uncond), rtol=1e-4, atol=1e-5)


def test_knobs_of_two_places_act_together() -> None:
    unet, recorder = tiny_unet(), Recorder()
    skew, rule = Skew(0.5, 2.0), Apg()
    with perturb(unet, skew, recorder, samples=1):
        uncond, cond = call(unet).chunk(2)
    rows = recorder.to_arrow()
    with perturb(unet, [rule, skew, Vanilla()], recorder, samples=1, guidance=G):
        output = call(unet)
    wanted = rule.act(Predictions(cond, uncond, G), 0, None)
    torch.testing.assert_close(output, torch.cat([wanted, wanted]), rtol=1e-4, atol=1e-5)
    assert recorder.to_arrow() == rows
    with (
        pytest.raises(ValueError, match="skew and temperature both act on attention; use one knob for each place"),
        perturb(unet, [skew, rule, Temperature(1.2)], samples=1, guidance=G),
    ):
        pass


def test_a_perturb_within_another_takes_the_rules_place() -> None:
    unet = tiny_unet()
    own = call(unet)
    with perturb(unet, Mag(8.0), samples=1, guidance=G):
        outer = call(unet)
        with perturb(unet, Vanilla()):
            assert torch.equal(call(unet), own)
        with perturb(unet, Guidance(scale=1.0), samples=1, guidance=G):
            torch.testing.assert_close(call(unet)[:1], own[1:])
        assert torch.equal(call(unet), outer)
    assert torch.equal(call(unet), own)
    assert not unet._forward_hooks


def test_what_a_rule_needs_is_said() -> None:
    unet, rule = tiny_unet(), Apg()
    for given, line in (
        ({"samples": 1}, "apg needs `guidance`, the pipeline's own guidance scale, and `samples`"),
        ({"guidance": 5.0}, "apg needs `guidance`"),
        (
            {"samples": 1, "guidance": 1.0},
            "apg with guidance=1: the pipeline applies guidance only with a scale above 1",
        ),
    ):
        arguments: Any = given
        with pytest.raises(ValueError, match=line), perturb(unet, rule, **arguments):
            pass
    with pytest.raises(ValueError, match="the rows have 1 branches"), perturb(unet, rule, samples=2, guidance=5.0):
        call(unet, rows=2)
    denoiser, loop = make("qwen-image"), Loop(Scheduler(), ("cond", "uncond"))
    with (
        pytest.raises(RuntimeError, match="one branch only, so no guidance was applied"),
        perturb(denoiser.model, rule, samples=1, guidance=5.0, loop=loop),
    ):
        denoiser(0)
    both = pytest.raises(ValueError, match=r"fdg needs predictions of shape \(n, channels, rows, columns\)")
    with both, perturb(denoiser.model, Fdg(low=2.0), samples=1, guidance=5.0, loop=loop):
        denoiser(1)
        denoiser(0)
    with pytest.raises(ValueError, match=r"start=0.9, stop=0.95: guides none of the 4 steps"):
        replace(GuidanceInterval(), start=0.9, stop=0.95).check_steps(4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_both_ways(dtype: torch.dtype) -> None:
    """Rounding of what the model returns is multiplied by g - 1, so it stays small."""
    unet = tiny_unet().to(dtype)
    uncond, cond = call(unet).float().chunk(2)
    with perturb(unet, Guidance(scale=7.0), samples=1, guidance=G):
        output = call(unet)
    assert output.dtype == dtype
    torch.testing.assert_close(output[:1].float(), uncond + 7 * (cond - uncond), rtol=0.01, atol=0.01)
