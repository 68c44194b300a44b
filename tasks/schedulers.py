"""Schedulers of diffusers in place of a model's own: whether one fits, and whether each sample keeps its own noise."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

from skewbench.tasks.generation import SchedulerSpec

if TYPE_CHECKING:
    import torch

NOISE = (
    "DDIMParallelScheduler", "DDIMScheduler", "DDPMParallelScheduler", "DDPMScheduler", "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler", "DPMSolverSDEScheduler", "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "LCMScheduler", "LMSDiscreteScheduler",
    "PNDMScheduler", "SASolverScheduler", "TCDScheduler", "UniPCMultistepScheduler",
)  # fmt: skip
"""Schedulers for models that predict noise (or v, or the sample). They use the model's noise levels."""
FLOW = (
    "DEISMultistepScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
    "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler",
    "UniPCMultistepScheduler",
)  # fmt: skip
"""Schedulers for flow-matching models, which predict a velocity."""
SEEDED = "DPMSolverSDEScheduler"
"""A scheduler that takes a seed for each sample instead of a generator."""
_TWICE = (
    "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", SEEDED,
    "FlowMatchHeunDiscreteScheduler",
)  # fmt: skip
_INSTALL = {"torchsde": "'skewbench[sde]'"}
_FLOW_ARGUMENTS = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
_MU = 1.0
"""A shift of the noise levels, which a pipeline computes from the image's size."""


def is_flow(name: str, config: Mapping[str, Any]) -> bool:
    """Return whether a scheduler takes a model's prediction for a velocity.

    Args:
        name: The scheduler's class.
        config: Its configuration.
    """
    return name.startswith("FlowMatch") or config.get("prediction_type") == "flow_prediction"


def count_calls(name: str, config: Mapping[str, Any], steps: int) -> int:
    """Count the calls of a model in a number of steps, without the scheduler itself.

    Args:
        name: Class of the scheduler.
        config: Its configuration.
        steps: Denoising steps.
    """
    if name in _TWICE:
        return 2 * steps - 1
    if name == "PNDMScheduler":
        return steps + 1 if config.get("skip_prk_steps") else max(steps, 4) + 9
    return steps


def calls_until(scheduler: Any, at: float) -> int:
    """Count the timesteps of a scheduler that come before a refiner's, as diffusers does for `denoising_end`.

    Args:
        scheduler: The scheduler, with its timesteps.
        at: Share of the noise levels after which the refiner takes over.
    """
    levels = scheduler.config.num_train_timesteps
    return int((scheduler.timesteps >= round(levels - at * levels)).sum())


def needs_trial(own: str, config: Mapping[str, Any]) -> bool:
    """Return whether a model's own scheduler may use the global generator, so a trial run must show it.

    Args:
        own: The scheduler's class.
        config: Its configuration.
    """
    if is_flow(own, config):
        return own != "FlowMatchEulerDiscreteScheduler" or bool(config.get("stochastic_sampling"))
    return own not in NOISE or own == SEEDED


def build(spec: SchedulerSpec, own: str, config: Mapping[str, Any]) -> Any:
    """Build a scheduler from the configuration of the model's own. Slow: imports diffusers.

    Args:
        spec: The scheduler.
        own: Class of the model's own scheduler.
        config: The configuration of that.

    Raises:
        ValueError: No such scheduler for this model, or no such argument. The message lists the alternatives.
    """
    return find(spec, own, config).from_config(config, **arguments(spec))


def arguments(spec: SchedulerSpec) -> dict[str, Any]:
    """Return the arguments of a scheduler as diffusers takes them.

    Args:
        spec: The scheduler and its arguments.
    """
    return {name: list(value) if isinstance(value, tuple) else value for name, value in spec.arguments.items()}


def find(spec: SchedulerSpec, own: str | None, config: Mapping[str, Any]) -> Any:
    """Find the class of a scheduler and check the names of its arguments.

    Args:
        spec: The scheduler.
        own: Class of the model's own scheduler; None: it is not known.
        config: The configuration of that.

    Raises:
        ValueError: No such scheduler for this model, or no such argument. The message lists the alternatives.
    """
    import diffusers

    flow = own is not None and is_flow(own, config)
    known = tuple(dict.fromkeys((*NOISE, *FLOW))) if own is None else FLOW if flow else NOISE
    if spec.name not in (*known, own):
        what = "a scheduler for this model" if spec.name in dir(diffusers) else "a scheduler of diffusers"
        raise ValueError(f"{spec.name!r} is not {what}; {_nearest(spec.name, known)}")
    found = getattr(diffusers, spec.name)
    if missing := [name for name in getattr(found, "_backends", ()) if find_spec(name) is None]:
        raise ValueError(
            f"{spec.name} needs the package {missing[0]}: pip install {_INSTALL.get(missing[0], missing[0])}"
        )
    allowed = [name for name in inspect.signature(found.__init__).parameters if name != "self"]
    for name in spec.arguments:
        if name not in allowed:
            raise ValueError(f"{spec.name} has no argument {name!r}; {_nearest(name, allowed)}")
    if flow:
        _check_flow(spec, config, allowed)
    return found


def _check_flow(spec: SchedulerSpec, config: Mapping[str, Any], allowed: Iterable[str]) -> None:
    """Raise `ValueError` for a scheduler that would take a velocity for noise, or drop the model's shift."""
    if not is_flow(spec.name, {**config, **spec.arguments}):
        given = ", ".join(f"{name}: {str(value).lower()}" for name, value in _FLOW_ARGUMENTS.items())
        raise ValueError(f"{spec.name} interprets this model's velocity as noise; set its arguments {given}")
    shift = 1.0 if config.get("use_dynamic_shifting") else config.get("shift", 1.0)
    if shift != 1.0 and "shift" not in allowed and "flow_shift" not in spec.arguments:
        raise ValueError(f"{spec.name} ignores the model's shift; set its argument flow_shift: {shift}")


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}there are {', '.join(known)}"


def give_seeds(scheduler: Any, noise_seeds: Sequence[int]) -> None:
    """Give each sample of a batch its own seed, in a scheduler that makes a generator itself.

    Args:
        scheduler: A scheduler of diffusers. One without such a generator is not changed.
        noise_seeds: Seeds of the samples' noise, in the order of the batch.
    """
    if hasattr(scheduler, "noise_sampler_seed"):
        scheduler.noise_sampler_seed = list(noise_seeds)


def try_out(scheduler: Any, steps: int, gives_sigmas: bool = False) -> None:
    """Run a scheduler's loop on tiny tensors as a pipeline does.

    Args:
        scheduler: The scheduler.
        steps: Denoising steps.
        gives_sigmas: Whether the pipeline gives it noise levels and their shift, as FLUX's does.

    Raises:
        ValueError: It fails, gives values that are not finite, draws from the global generator, or makes a sample
            depend on the others of its batch.
    """
    name = type(scheduler).__name__
    try:
        with catch_warnings():
            simplefilter("ignore")  # some of diffusers' schedulers use what NumPy deprecates
            first = _loop(scheduler, steps, gives_sigmas, seeds=(1, 2), elsewhere=0)
            again = _loop(scheduler, steps, gives_sigmas, seeds=(1, 2), elsewhere=1)
            alone = _loop(scheduler, steps, gives_sigmas, seeds=(2,), elsewhere=2)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"this model's pipeline cannot use {name} with {steps} steps: {type(error).__name__}: {reason[:200]}"
        ) from None
    if not bool(first.isfinite().all()):
        raise ValueError(f"{name} gives non-finite values with {steps} steps")
    if not first.equal(again):
        why = "this pipeline gives its scheduler no generator" if _is_flow(scheduler) else "it takes no generator"
        raise ValueError(
            f"{name} draws noise from the global generator, so the same seed gives a different image each time: {why}"
        )
    if not alone[0].allclose(first[1], rtol=1e-3, atol=1e-3):
        raise ValueError(f"{name} makes a sample depend on the other samples of its batch")


def _is_flow(scheduler: Any) -> bool:
    return is_flow(type(scheduler).__name__, scheduler.config)


def _loop(scheduler: Any, steps: int, gives_sigmas: bool, seeds: tuple[int, ...], elsewhere: int) -> "torch.Tensor":
    """The end of a loop with a made-up model, after seeding the global generator with `elsewhere`."""
    import numpy as np
    import torch

    flow, config = _is_flow(scheduler), scheduler.config
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(elsewhere)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        give_seeds(scheduler, seeds)
        shift = {"mu": _MU} if gives_sigmas or config.get("use_dynamic_shifting") else {}
        levels: dict[str, Any] = {"num_inference_steps": steps}
        if gives_sigmas:
            levels = {"sigmas": np.linspace(1.0, 1 / steps, steps)}
        scheduler.set_timesteps(**levels, device="cpu", **shift)
        x = torch.stack([torch.randn(4, 4, 4, generator=generator) for generator in generators])
        accepted = inspect.signature(scheduler.step).parameters
        given = {} if flow or "generator" not in accepted else {"generator": generators}
        if not flow:
            x = x * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            taken = x if flow else scheduler.scale_model_input(x, timestep)
            predicted = 0.5 * torch.tanh(taken)
            if config.get("variance_type") in ("learned", "learned_range"):
                predicted = torch.cat([predicted, predicted], dim=1)
            x = scheduler.step(predicted, timestep, x, **given, return_dict=False)[0]
    return x
