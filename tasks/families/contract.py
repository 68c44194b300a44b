"""The declaration of a class of diffusers pipelines, with which skewbench runs, measures and replays it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from skewbench.tasks.size import Size
from skewbench.vocabulary.metrics import Medium

if TYPE_CHECKING:
    import numpy as np
    import torch

    from skewbench.stability import Block
    from skewbench.tasks.generation import GenerationSpec

Config = Callable[[str], Mapping[str, Any]]
"""Reads the configuration of one of the pipeline's parts, by the name of its folder, such as `unet`."""


@dataclass(frozen=True)
class Request:
    """The arguments of one call of a pipeline.

    Args:
        prompts: one per sample.
        noise_seeds: one per sample; `torch.Generator().manual_seed(noise_seed)` generates its noise.
        steps: denoising steps.
        guidance: scale of classifier-free guidance.
        size: of each sample.
        negative_prompt: text of the unconditional branch; None: the pipeline's own.
        guidance_rescale: rescaling of the guided prediction; None: the pipeline's own.
        clip_skip: layers of the CLIP text encoders that are skipped; None: the pipeline's own.
        refine_at: share of the noise levels after which `pipeline.refiner` takes over; None: it does not.
    """

    prompts: Sequence[str]
    noise_seeds: Sequence[int]
    steps: int
    guidance: float
    size: Size
    negative_prompt: str | None = None
    guidance_rescale: float | None = None
    clip_skip: int | None = None
    refine_at: float | None = None


def request_of(generation: "GenerationSpec", prompts: Sequence[str], noise_seeds: Sequence[int], size: Size) -> Request:
    """Make the request for some samples of a cell.

    Args:
        generation: generation settings of the cell.
        prompts: one per sample.
        noise_seeds: one per sample.
        size: of each sample.
    """
    return Request(
        prompts,
        noise_seeds,
        generation.steps,
        generation.guidance,
        size,
        generation.negative_prompt,
        generation.guidance_rescale,
        generation.clip_skip,
        generation.refiner.at if generation.refiner else None,
    )


@dataclass(frozen=True)
class Encoder:
    """The tokens that a text encoder reads of a prompt.

    Args:
        tokenizer: folder of its tokenizer.
        limit: tokens that it reads, those that begin and end a text included; None: as its tokenizer says.
        before: text that the pipeline puts before a prompt, though not before a negative one.
        lower: whether the pipeline writes the prompt in lower case.
    """

    tokenizer: str
    limit: int | None = None
    before: str = ""
    lower: bool = False


@dataclass(frozen=True)
class PromptEncoding:
    """The method of a pipeline that encodes prompts. It is called for one prompt at a time.

    Args:
        method: its name.
        stacked: whether guidance makes it return the rows of negative prompts and those of prompts in one tensor.
        masked: whether its first output is as long as the longest prompt, and its second output the mask of it; None in
            place of the mask says that nothing is padded.
    """

    method: str = "encode_prompt"
    stacked: bool = False
    masked: bool = False


class Family(ABC):
    """One class of pipelines. An instance is registered under its name; it has no state and imports lazily.

    A family is found by the class that `model_index.json` names, so that a folder of another class is an error before
    anything is loaded.
    """

    name: ClassVar[str]
    pipelines: ClassVar[tuple[str, ...]]
    """Class names in `model_index.json` that this family runs."""
    example: ClassVar[str]
    """Hub id of a model of the family, for messages and documentation."""
    denoiser: ClassVar[str]
    """Attribute of the pipeline that holds the model whose self-attention is perturbed and measured."""
    branches: ClassVar[tuple[str, ...]]
    """Predictions of guidance, in the order of a batch's rows."""
    calls: ClassVar[tuple[str, ...]] = ()
    """The branches that a step calls the denoiser for one by one, in this order; empty: one call for all of them."""
    joint: ClassVar[bool] = False
    """Whether text is among the keys of its self-attentions, where knobs rescale nothing."""
    maps: ClassVar[bool] = True
    """Whether predictions are maps (n, channels, rows, columns), not sequences of tokens."""
    restores_norms: ClassVar[bool] = False
    """Whether the pipeline scales a guided prediction to the norms of the one with the prompt."""
    token_embeddings: ClassVar[bool] = True
    """Whether the denoiser reads embeddings of the text's tokens, which knobs on the condition change."""
    medium: ClassVar[Medium] = "image"
    """The medium of its samples, which determines their table, their checks, their display and the scorers."""
    parts: ClassVar[tuple[str, ...]]
    """Folders of the model that must be there."""
    settings: ClassVar[tuple[str, ...]] = ()
    """Which of `negative_prompt`, `guidance_rescale`, `clip_skip`, `lora` and `refiner` the pipeline makes use of.
    Others are refused: a pipeline would drop them."""
    encoders: ClassVar[tuple[Encoder, ...]] = ()
    """Its text encoders, by which prompts that are too long are counted."""
    encoding: ClassVar[PromptEncoding | None] = None
    """The method that encodes prompts, with which a worker encodes each prompt once; None: at each call."""
    gives_sigmas: ClassVar[bool] = False
    """Whether the pipeline gives its scheduler noise levels, as FLUX's does."""

    single_file: ClassVar[bool] = False
    """Whether a model may be one file in the layout of its authors, which `load_file` loads."""

    def left_out(self, folder: Path) -> Collection[str]:
        """Return the parts that `load` leaves out, although `model_index.json` may name them.

        Args:
            folder: The model's folder.
        """
        return ()

    @abstractmethod
    def blocks(self, config: Config) -> "list[Block]":
        """List the self-attention blocks from the configuration alone; no weights are read.

        Args:
            config: Reads the configuration of a part by its name.
        """

    @abstractmethod
    def native_size(self, config: Config) -> Size:
        """Return the size that the model was trained for, with a value for each dimension of its medium.

        Args:
            config: Reads the configuration of a part by its name.
        """

    def size_fault(self, config: Config, size: Size) -> str | None:
        """Return why the model cannot generate samples of a size, and which sizes it can; None if it can.

        Args:
            config: Reads the configuration of a part by its name.
            size: The requested size.
        """
        return None

    def fault(self, index: Mapping[str, Any]) -> str | None:
        """Return why the family cannot run a model of its class; None if it can.

        Args:
            index: Content of the model's `model_index.json`.
        """
        return None

    @abstractmethod
    def load(self, folder: Path, dtype: "torch.dtype", variant: str | None) -> Any:
        """Load a pipeline from safetensors in a folder, onto the CPU. Slow: imports diffusers and reads weights.

        Args:
            folder: The model's folder.
            dtype: Type of the weights.
            variant: Variant of the files of weights, such as `fp16`; None: the plain files.
        """

    def load_file(self, file: Path, folder: Path, dtype: "torch.dtype") -> Any:
        """Load a pipeline from one file onto the CPU, for a family that declares `single_file`.

        Args:
            file: The weights of all parts.
            folder: Of the configurations and tokenizers.
            dtype: Type of the weights.
        """
        raise NotImplementedError

    @abstractmethod
    def model_calls(self, pipeline: Any, request: Request) -> int:
        """Count the calls of the denoiser for a request; a scheduler of second order calls it twice a step.

        Args:
            pipeline: A loaded pipeline.
            request: What is generated.
        """

    @abstractmethod
    def generate(self, pipeline: Any, request: Request) -> "np.ndarray":
        """Generate the samples of a request.

        Args:
            pipeline: A loaded pipeline.
            request: Prompts, noise seeds, size and settings.

        Returns:
            By medium: images in [0, 1] with shape (samples, height, width, 3); waveforms in [-1, 1] with shape
            (samples, time); videos in [0, 1] with shape (samples, frames, height, width, 3). Not rounded.
        """

    @abstractmethod
    def replay_load(self, model: str, options: Mapping[str, str]) -> str:
        """Write the expression of a plain diffusers script that loads the pipeline.

        Args:
            model: hub id or folder.
            options: further keyword arguments and their source text, such as `{"dtype": "torch.float16"}`.
        """

    def replay_load_file(self, file: str, config: str, options: Mapping[str, str]) -> str:
        """Write the expression of a plain diffusers script that loads the pipeline from one file.

        Args:
            file: The weights of all parts.
            config: hub id or folder of the configurations.
            options: further keyword arguments and their source text.
        """
        raise NotImplementedError

    @abstractmethod
    def replay_imports(self) -> str:
        """Write the import lines of that script."""

    @abstractmethod
    def replay_call(self, request: Request) -> str:
        """Write the expression of the replay script that generates one sample from `pipeline`.

        Args:
            request: The request of this one sample.

        Returns:
            Python code. Its value is a PIL image, a waveform, or the frames of a video, as NumPy arrays.
        """
