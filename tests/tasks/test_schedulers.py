"""All schedulers of diffusers: which a model can use, whether a seed decides the noise, how often they call."""

import sys
import types
from collections.abc import Iterator
from typing import Any

import diffusers
import pytest
import torch

from skewbench.tasks.generation import SchedulerSpec
from skewbench.tasks.schedulers import FLOW, NOISE, SEEDED, build, count_calls, find, needs_trial, try_out

OWN = "EulerDiscreteScheduler"
CONFIG = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
OWN_FLOW = "FlowMatchEulerDiscreteScheduler"
CONFIG_FLOW = {"shift": 3.0, "num_train_timesteps": 1000}
VELOCITY = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
EXPORTED = sorted(name for name in dir(diffusers) if name.endswith("Scheduler"))
WITHOUT_SIGMAS = set(FLOW) - {"FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler", "UniPCMultistepScheduler"}

pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")  # diffusers' own


def _spec(name: str, **arguments: Any) -> SchedulerSpec:
    return SchedulerSpec(name=name, arguments=arguments)


def _of_flow(name: str) -> SchedulerSpec:
    return _spec(name) if name.startswith("FlowMatch") else _spec(name, **VELOCITY)


@pytest.fixture
def torchsde(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stand-in for the package: noise of a seed and an interval, by which diffusers' own class is tried."""

    class BrownianInterval:
        def __init__(self, *, size: torch.Size, entropy: int, **_: Any) -> None:
            self.size, self.entropy = size, entropy

        def __call__(self, t0: torch.Tensor, t1: torch.Tensor) -> torch.Tensor:
            seed = hash((self.entropy, round(float(t0), 6), round(float(t1), 6)))
            return torch.randn(self.size, generator=torch.Generator().manual_seed(seed)) * (t1 - t0).abs().sqrt()

    package = types.ModuleType("torchsde")
    package.BrownianInterval = BrownianInterval  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchsde", package)
    from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler

    monkeypatch.setattr(diffusers, SEEDED, DPMSolverSDEScheduler)
    yield
    sys.modules.pop("diffusers.schedulers.scheduling_dpmsolver_sde", None)


@pytest.mark.parametrize("name", EXPORTED)
def test_a_scheduler_is_offered_or_refused_by_name(name: str) -> None:
    """A scheduler that a new version of diffusers brings is refused until somebody has looked at it."""
    for own, config, known in ((OWN, CONFIG, NOISE), (OWN_FLOW, CONFIG_FLOW, FLOW)):
        if name not in known:
            with pytest.raises(ValueError, match=f"'{name}' is not a scheduler for this model; (did you|there are)"):
                find(_spec(name), own, config)
    assert (name in (*NOISE, *FLOW)) or name not in (OWN, OWN_FLOW)
    assert {*NOISE, *FLOW} <= set(EXPORTED)


@pytest.mark.parametrize("name", sorted({*NOISE} - {SEEDED}))
def test_noise_is_each_samples_own(name: str) -> None:
    """For models that predict noise, at several numbers of steps; the calls are as many as the plan counts."""
    for steps in (4, 7):
        scheduler = build(_spec(name), OWN, CONFIG)
        try_out(scheduler, steps)
        assert len(scheduler.timesteps) == count_calls(name, scheduler.config, steps)
    assert not needs_trial(name, CONFIG)


@pytest.mark.parametrize("name", FLOW)
@pytest.mark.parametrize("gives_sigmas", [False, True])
def test_noise_of_flow_matching_is_each_samples_own(name: str, gives_sigmas: bool) -> None:
    scheduler = build(_of_flow(name), OWN_FLOW, CONFIG_FLOW)
    if gives_sigmas and name in WITHOUT_SIGMAS:
        with pytest.raises(ValueError, match=f"pipeline cannot use {name} with 4 steps: TypeError.*sigmas"):
            try_out(scheduler, 4, gives_sigmas)
        return
    if name == "FlowMatchLCMScheduler":  # these pipelines give their scheduler no generator
        with pytest.raises(ValueError, match=r"from the global generator.*gives its scheduler no generator"):
            try_out(scheduler, 4, gives_sigmas)
        return
    try_out(scheduler, 4, gives_sigmas)
    assert len(scheduler.timesteps) == count_calls(name, scheduler.config, 4)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        (
            "EulerAncestralScheduler",
            {},
            "'EulerAncestralScheduler' is not a scheduler of diffusers; did you mean",
        ),
        ("EulerDiscreteScheduler", {"karras": True}, "has no argument 'karras'; .*there are num_train_timesteps"),
        ("DDIMScheduler", {"use_karras_sigma": True}, "DDIMScheduler has no argument 'use_karras_sigma'"),
        ("EulerDiscreteScheduler", {"use_karras_sigma": True}, "did you mean 'use_karras_sigmas'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(_spec(name, **arguments), OWN, CONFIG)


def test_a_models_velocity_is_not_taken_for_noise() -> None:
    said = (
        "interprets this model's velocity as noise; set its arguments prediction_type: flow_prediction, use_flow_sigmas"
    )
    with pytest.raises(ValueError, match=said):
        find(_spec("UniPCMultistepScheduler"), OWN_FLOW, CONFIG_FLOW)


def test_noise_from_the_global_generator_is_found() -> None:
    """As `stochastic_sampling` of FLUX's own scheduler makes it, and a scheduler without generators."""
    with pytest.raises(ValueError, match="FlowMatchEulerDiscreteScheduler draws noise from the global generator"):
        try_out(build(_spec(OWN_FLOW, stochastic_sampling=True), OWN_FLOW, CONFIG_FLOW), 4)
    assert needs_trial(OWN_FLOW, {"stochastic_sampling": True})
    assert not needs_trial(OWN_FLOW, CONFIG_FLOW)

    class Shared(diffusers.EulerAncestralDiscreteScheduler):
        def step(self, model_output: Any, timestep: Any, sample: Any, return_dict: bool = True) -> Any:
            return super().step(model_output, timestep, sample, None, return_dict)

    with pytest.raises(ValueError, match=r"Shared draws noise from the global generator, .*: it takes no generator"):
        try_out(Shared.from_config(CONFIG), 4)


def test_a_sample_that_depends_on_its_neighbours_is_found() -> None:
    class Mixing(diffusers.EulerDiscreteScheduler):
        def step(self, model_output: Any, timestep: Any, sample: Any, **given: Any) -> Any:
            return super().step(model_output - model_output.mean(), timestep, sample, **given)

    with pytest.raises(ValueError, match="Mixing makes a sample depend on the other samples of its batch"):
        try_out(Mixing.from_config(CONFIG), 4)


def test_values_that_are_not_finite_are_found() -> None:
    class Diverging(diffusers.EulerDiscreteScheduler):
        def step(self, model_output: Any, timestep: Any, sample: Any, **given: Any) -> Any:
            return super().step(model_output / 0, timestep, sample, **given)

    with pytest.raises(ValueError, match="Diverging gives non-finite values with 4 steps"):
        try_out(Diverging.from_config(CONFIG), 4)


def test_a_models_shift_is_not_dropped() -> None:
    velocity = {name: value for name, value in VELOCITY.items() if name != "flow_shift"}
    with pytest.raises(ValueError, match="ignores the model's shift; set its argument flow_shift: 3"):
        find(_spec("UniPCMultistepScheduler", **velocity), OWN_FLOW, CONFIG_FLOW)
    find(_spec("UniPCMultistepScheduler", **velocity), OWN_FLOW, {**CONFIG_FLOW, "use_dynamic_shifting": True})


@pytest.mark.usefixtures("torchsde")
def test_dpm_sde_gets_a_seed_for_each_sample() -> None:
    scheduler = build(_spec(SEEDED), OWN, CONFIG)
    try_out(scheduler, 4)
    assert len(scheduler.timesteps) == count_calls(SEEDED, scheduler.config, 4)
    assert needs_trial(SEEDED, CONFIG)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr(
        "skewbench.tasks.schedulers.find_spec", lambda name: None if name == "torchsde" else find_spec(name)
    )
    placeholder = type(SEEDED, (), {"_backends": ["torch", "torchsde"]})  # as diffusers has it without the package
    monkeypatch.setattr(diffusers, SEEDED, placeholder)
    with pytest.raises(ValueError, match=rf"{SEEDED} needs the package torchsde: pip install 'skewbench\[sde\]'"):
        find(_spec(SEEDED), OWN, CONFIG)
