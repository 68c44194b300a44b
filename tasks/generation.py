"""How samples are generated: the settings of an experiment, and the overrides of a cell."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from skewbench.stability.knobs.base import SetStrength

CLASS_NAME = r"^[A-Za-z][A-Za-z0-9]{0,79}$"


class Strict(BaseModel):
    """A group of fields of an experiment: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Finite = Annotated[float, Field(allow_inf_nan=False)]
Steps = Annotated[int, Field(ge=1, le=1000)]
Guidance = Annotated[Finite, Field(ge=1.0, le=50.0)]


class SchedulerSpec(Strict):
    """A diffusers scheduler that replaces the model's own. It starts from the configuration of the model's
    scheduler."""

    name: str = Field(pattern=CLASS_NAME)
    """Its class in diffusers, such as `EulerAncestralDiscreteScheduler`."""
    arguments: dict[str, bool | int | Finite | str | tuple[Finite, ...] | None] = {}
    """Arguments of the class that differ from the model's configuration, such as `use_karras_sigmas: true`."""


class LoraSpec(Strict):
    """Low-rank adapters that are loaded into the model."""

    path: str = Field(min_length=1)
    """A .safetensors file, or a folder that contains one; relative to the working folder."""
    weight: Annotated[Finite, Field(ge=-10.0, le=10.0)] = 1.0
    """Factor of the adapters; 0 gives the unchanged model."""
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{16}$")
    """First 16 hex digits of the file's SHA-256. A run fills it in. If you set it, a file with another digest is
    refused."""


class RefinerSpec(Strict):
    """A second model that performs the last part of denoising."""

    id: str = Field(min_length=1)
    """Hub id or folder of SDXL's refiner, such as `stabilityai/stable-diffusion-xl-refiner-1.0`."""
    at: Annotated[Finite, Field(gt=0, lt=1)] = 0.8
    """Share of the noise levels that the base model denoises before the refiner starts."""
    variant: str | None = None
    """File variant of a hub model, such as `fp16`."""
    revision: str | None = None
    """Branch, tag or commit of a hub model. A run fills in the commit, or a digest of a folder's files. If you set it
    for a folder, a folder with another digest is refused."""


class _Optional(Strict):
    """Settings that some models do not have. None means the pipeline's own default."""

    guidance_rescale: Annotated[Finite, Field(ge=0.0, le=1.0)] | None = None
    """Rescaling of the guided prediction against overexposure (0: none), in pipelines that have it."""
    negative_prompt: str | None = None
    """Text of the unconditional branch of guidance. Default: the pipeline's own, usually an empty text."""
    clip_skip: Annotated[int, Field(ge=1, le=12)] | None = None
    """Number of layers of the CLIP text encoders that are skipped, counted from the last."""
    scheduler: SchedulerSpec | None = None
    """The scheduler. Default: the model's own."""
    lora: LoraSpec | None = None
    """LoRA adapters. Default: none."""
    refiner: RefinerSpec | None = None
    """A refiner as second stage, for SDXL. Default: none."""


OPTIONAL = tuple(_Optional.model_fields)
"""The settings that a family of models must name if its pipelines have them."""


class Overrides(_Optional):
    """Generation settings of a cell. A field that is not set keeps the experiment's value."""

    steps: Steps | None = None
    """Denoising steps."""
    guidance: Guidance | None = None
    """Classifier-free guidance scale; 1 runs only the conditional branch."""


class GenerationSpec(_Optional):
    """How samples are generated."""

    steps: Steps = 30
    """Denoising steps."""
    guidance: Guidance = 5.0
    """Classifier-free guidance scale; 1 runs only the conditional branch."""
    width: int | None = Field(default=None, ge=8, multiple_of=8)
    """Width of an image or of a video's frames, in pixels. Default: the model's native width."""
    height: int | None = Field(default=None, ge=8, multiple_of=8)
    """Height of an image or of a video's frames, in pixels. Default: the model's native height."""
    frames: int | None = Field(default=None, ge=1, le=10_000)
    """Number of frames of a video. Default: the model's native number."""
    duration: Annotated[Finite, Field(gt=0, le=3600)] | None = None
    """Duration of audio, in seconds. Default: the model's native duration."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of a worker. They affect the numbers: sums differ in the last bits."""
    attention_kernel: Literal["torch", "triton"] = "torch"
    """The implementation of attention under a knob and for the measures. `triton` needs a GPU. Sums differ in the last
    bits."""

    def changes(self, overrides: Overrides) -> dict[str, Any]:
        """Return the overrides that differ from these settings, by field, in a fixed order.

        Args:
            overrides: Settings of a cell.
        """
        given = {name: getattr(overrides, name) for name in _ORDER}
        return {name: value for name, value in given.items() if value is not None and value != getattr(self, name)}

    def overridden(self, overrides: Overrides) -> "GenerationSpec":
        """Return the settings of a cell with these overrides.

        Args:
            overrides: Settings of the cell.
        """
        return self.model_copy(update=self.changes(overrides))


_ORDER = ("steps", "guidance", *OPTIONAL)


def strengths(generation: GenerationSpec, changes: dict[str, Any]) -> list[SetStrength]:
    """The changed numbers, as the sliders of the report show them; `plain` is the experiment's own value.

    Args:
        generation: The experiment's settings.
        changes: Overrides of a cell, by field.
    """
    found = [
        SetStrength(name, name.replace("_", " "), _number(getattr(generation, name)), float(value))
        for name, value in changes.items()
        if isinstance(value, int | float)
    ]
    if isinstance(lora := changes.get("lora"), LoraSpec):
        found.append(SetStrength("lora", "LoRA", 0.0 if generation.lora is None else None, lora.weight))
    return found


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def families(changes: dict[str, Any]) -> list[str]:
    """Describe changes in words that are the same if only their numbers differ.

    Args:
        changes: Overrides by field.
    """
    return [_words(name, value, numbers=False) for name, value in changes.items()]


def words(changes: dict[str, Any]) -> list[str]:
    """Describe the overrides of a cell, in a few words each.

    Args:
        changes: Overrides by field.
    """
    return [_words(name, value, numbers=True) for name, value in changes.items()]


def _words(name: str, value: Any, *, numbers: bool) -> str:
    match value:
        case SchedulerSpec():
            arguments = ", ".join(f"{argument}={given!r}" for argument, given in value.arguments.items())
            return f"{value.name}({arguments})" if arguments else value.name
        case LoraSpec():
            title = f"LoRA {value.path.replace(chr(92), '/').rpartition('/')[2]}"
            return f"{title} x {value.weight:g}" if numbers else title
        case RefinerSpec():
            title = f"refiner {value.id.replace(chr(92), '/').rpartition('/')[2]}"
            return f"{title} at {value.at:g}" if numbers else title
        case str():
            return f"{name.replace('_', ' ')} {value!r}"
        case _:
            return f"{name.replace('_', ' ')} {value:g}" if numbers else name.replace("_", " ")
