"""The base of skewbench's families: a diffusers pipeline that takes prompts and generators, and returns samples."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from skewbench.tasks.families.contract import Config, Family, Request
from skewbench.vocabulary.errors import RunError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from skewbench.stability import Block

OPTIONAL = ("negative_prompt", "guidance_rescale", "clip_skip")
"""Fields of a request that are given only where they are set."""


def generators(request: Request) -> "list[torch.Generator]":
    """Make the generator of each sample's noise, on the CPU.

    Args:
        request: What is generated.
    """
    import torch

    return [torch.Generator().manual_seed(seed) for seed in request.noise_seeds]


class PipelineFamily(Family):
    """A family whose pipeline is called as `pipeline(prompt, generator=..., **arguments).<output>`."""

    output: ClassVar[str]
    """Attribute of what the pipeline returns that holds the samples."""

    loading: ClassVar[Mapping[str, Any]] = {}
    """Further arguments of `from_pretrained`."""

    def loading_of(self, folder: Path) -> Mapping[str, Any]:
        """Return the further arguments of `from_pretrained`.

        Args:
            folder: The model's folder; a hub id is no folder.
        """
        return self.loading

    def left_out(self, folder: Path) -> Collection[str]:
        """Return the parts that are given to `from_pretrained` as None."""
        return {name for name, value in self.loading_of(folder).items() if value is None}

    def size_arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments for the size of the samples, as literals.

        Args:
            request: The request.
        """
        return request.size.chosen

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return the pipeline's arguments for one sample, without prompts and generators, as literals.

        Args:
            request: The request.
        """
        given = {name: getattr(request, name) for name in OPTIONAL if getattr(request, name) is not None}
        steps, guidance = request.steps, request.guidance
        return {"num_inference_steps": steps, "guidance_scale": guidance, **self.size_arguments(request), **given}

    def blocks(self, config: Config) -> "list[Block]":
        """List the denoiser's self-attentions; it is built without memory for its weights."""
        import diffusers
        import torch

        from skewbench.stability import self_attention_blocks

        settings = dict(config(self.denoiser))
        with torch.device("meta"):
            return self_attention_blocks(getattr(diffusers, settings["_class_name"]).from_config(settings))

    def load(self, folder: Path, dtype: "torch.dtype", variant: str | None) -> Any:
        """Load by the pipeline's own class."""
        import diffusers

        options = {"use_safetensors": True, "local_files_only": True, **self.loading_of(folder)}
        return getattr(diffusers, self.pipelines[0]).from_pretrained(
            str(folder), dtype=dtype, variant=variant, **options
        )

    def load_file(self, file: Path, folder: Path, dtype: "torch.dtype") -> Any:
        """Load by the pipeline's own class, which would leave weights that it does not find without values."""
        import diffusers
        import torch

        options = {"config": str(folder), "local_files_only": True, **self.loading_of(folder)}
        pipeline = getattr(diffusers, self.pipelines[0]).from_single_file(str(file), dtype=dtype, **options)
        for name, part in pipeline.components.items():
            weights = part.named_parameters() if isinstance(part, torch.nn.Module) else ()
            if missing := [weight for weight, value in weights if value.is_meta]:
                raise RunError(f"{file}: diffusers found no weights for {name}.{missing[0]}")
        return pipeline

    def model_calls(self, pipeline: Any, request: Request) -> int:
        """Count the scheduler's timesteps: more than steps where a step is of second order, as Heun's.

        Flow matching whose shift depends on the image's size has timesteps only when the pipeline is called.
        """
        if pipeline.scheduler.config.get("use_dynamic_shifting"):
            return request.steps * int(pipeline.scheduler.order)
        pipeline.scheduler.set_timesteps(request.steps)
        return len(pipeline.scheduler.timesteps)

    def generate(self, pipeline: Any, request: Request) -> "np.ndarray":
        """Call the pipeline once for the whole request."""
        return self.called(pipeline, request, generators(request), output_type="np")

    def called(self, pipeline: Any, request: Request, noise: "list[torch.Generator]", **more: Any) -> Any:
        """Call a pipeline, with the family's arguments and more.

        Args:
            pipeline: The loaded pipeline.
            request: What it generates.
            noise: A generator for each sample.
            more: Further arguments of the pipeline.

        Returns:
            What it returns under the name of `output`.
        """
        arguments = {**self.arguments(request), **more}
        if "negative_prompt" in arguments:  # pipelines differ in whether one text stands for all
            arguments["negative_prompt"] = [arguments["negative_prompt"]] * len(request.prompts)
        return getattr(pipeline(list(request.prompts), generator=noise, **arguments), self.output)

    def replay_imports(self) -> str:
        """Write the import of the pipeline's class."""
        return f"from diffusers import {self.pipelines[0]}"

    def replay_load(self, model: str, options: Mapping[str, str]) -> str:
        """Write the pipeline's `from_pretrained`."""
        own = {"use_safetensors": "True", **{name: repr(value) for name, value in self.loading_of(Path(model)).items()}}
        given = "".join(f", {name}={value}" for name, value in {**options, **own}.items())
        return f"{self.pipelines[0]}.from_pretrained(\n    {model!r}{given}\n)"

    def replay_load_file(self, file: str, config: str, options: Mapping[str, str]) -> str:
        """Write the pipeline's `from_single_file`."""
        own = {"config": repr(config), **{name: repr(value) for name, value in self.loading_of(Path(config)).items()}}
        given = "".join(f", {name}={value}" for name, value in {**options, **own}.items())
        return f"{self.pipelines[0]}.from_single_file(\n    {file!r}{given}\n)"

    def replay_call(self, request: Request) -> str:
        """Write the pipeline's call."""
        (prompt,), (noise_seed,) = request.prompts, request.noise_seeds
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments(request).items())
        return (
            "pipeline(\n"
            f"        {prompt!r},\n"
            f"        generator=torch.Generator().manual_seed({noise_seed}),\n"
            f"        {arguments},\n"
            f"    ).{self.output}[0]"
        )
