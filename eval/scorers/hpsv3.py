"""HPSv3: predicted human preference, by its authors' package `hpsv3`, in an environment of its own.

Ma et al., "HPSv3: towards wide-spectrum human preference score", ICCV 2025: Qwen2-VL-7B reads the image and the prompt,
and a small network on the token `<|Reward|>` gives the mean and the deviation of the score. The mean is the score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from skewbench.eval.environments import Environment
from skewbench.eval.scoring.contract import NO_PROMPT, Score, check_batch
from skewbench.eval.scoring.declaration import scorer
from skewbench.eval.weights import BadWeights, path_of
from skewbench.eval.weights.catalogue import Source, Weights
from skewbench.vocabulary.metrics import Metric

if TYPE_CHECKING:
    from skewbench.eval.scoring.images import Images
    from skewbench.eval.scoring.instances import Scorers

ENVIRONMENT = Environment(
    "hpsv3",
    pip=(
        "hpsv3==1.0.0",
        "transformers==4.45.2",
        "tokenizers==0.20.3",
        "huggingface-hub==0.36.2",
        "accelerate==1.0.1",
        # the package imports its training with what it scores with
        "trl==0.11.4",
        "peft==0.13.2",
        "datasets==3.6.0",
        "multiprocess==0.70.16",
        "dill==0.3.8",
        "xxhash",
        "fire==0.7.0",
        "termcolor",
        "omegaconf==2.3.0",
        "antlr4-python3-runtime==4.9.3",
        "tensorboard",
        "absl-py",
        "grpcio",
        "markdown",
        "werkzeug",
        "matplotlib",
        "contourpy",
        "cycler",
        "kiwisolver",
        "pyparsing",
        "fonttools",
        "tyro",
        "docstring-parser",
        "shtab",
        "typeguard",
        "pandas<3",
        "pytz",
        "tzdata",
        "python-dateutil",
        "six",
    ),
    dependencies=False,  # it also requires deepspeed, OpenCV and others that scoring does without
)
_QWEN = (
    "config.json", "preprocessor_config.json", "chat_template.json", "tokenizer.json", "tokenizer_config.json",
    "vocab.json", "merges.txt",
)  # fmt: skip
WEIGHTS = Weights(
    "hpsv3-7b",
    (Source(("HPSv3.safetensors",), "MizzenAI/HPSv3"), Source(_QWEN, "Qwen/Qwen2-VL-7B-Instruct")),
    "MIT; Apache-2.0 (Qwen2-VL)",
    16600,
)


class HPSv3:
    """Score of image and prompt, by the package. An empty prompt has none.

    Args:
        weights: Folder with `HPSv3.safetensors` and the configuration, tokenizer and processor of Qwen2-VL, or a
            function that finds it when it is needed.
        device: Where it computes: in bfloat16 on a GPU, as its authors do, and in float32 on a CPU.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._weights, self._device = weights, device

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch
        from PIL import Image

        check_batch(images, prompts)
        scores = []
        with torch.inference_mode():
            for image, prompt in zip(images, prompts, strict=True):
                if not prompt.strip():
                    scores.append(NO_PROMPT)
                    continue
                rewards = self._inferencer.reward([Image.fromarray(image)], [prompt])  # alone: padding changes rounding
                scores.append(Score(rewards[0, 0].item()))
        return {"hpsv3": scores}

    @cached_property
    def _inferencer(self) -> Any:
        from skewbench.eval.cpu_torchvision import define_missing_operators

        define_missing_operators()
        folder = self._weights() if callable(self._weights) else self._weights
        with TemporaryDirectory() as temporary, _built_from_configuration():
            import hpsv3
            from safetensors import SafetensorError

            settings = Path(temporary) / "hpsv3.yaml"
            settings.write_text(configuration(folder, self._device), encoding="utf-8")
            try:
                return hpsv3.HPSv3RewardInferencer(str(settings), str(folder / "HPSv3.safetensors"), self._device)
            except (RuntimeError, OSError, ValueError, SafetensorError) as error:
                raise BadWeights(f"{folder} is not of HPSv3: {' '.join(str(error).split())[:300]}") from error


def configuration(model: Path, device: str) -> str:
    """Return the package's own configuration as YAML, with the model in a folder.

    Args:
        model: Folder of Qwen2-VL.
        device: Where it computes. The package computes its last layers in float32, which on a CPU needs all of them so.
    """
    import hpsv3
    import yaml

    own = yaml.safe_load((Path(hpsv3.__file__).parent / "config" / "HPSv3_7B.yaml").read_text(encoding="utf-8"))
    own |= {"model_name_or_path": str(model), "report_to": "none"}
    if device == "cpu":
        own |= {"torch_dtype": "float32", "bf16": False, "use_cpu": True}
    return yaml.safe_dump(own)


@contextmanager
def _built_from_configuration() -> Iterator[None]:
    """Within the block, the package builds Qwen2-VL without its base weights: the checkpoint replaces all of them."""
    from hpsv3.model.qwen2vl_trainer import Qwen2VLRewardModelBT
    from transformers import AutoConfig
    from transformers.modeling_utils import no_init_weights

    def build(folder: str, torch_dtype: Any, attn_implementation: str, use_cache: bool, **others: Any) -> Any:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, use_cache=use_cache)
        head = ("output_dim", "reward_token", "special_token_ids", "rm_head_type", "rm_head_kwargs")
        given = {name: others[name] for name in head}
        with no_init_weights():
            return Qwen2VLRewardModelBT._from_config(
                config, torch_dtype=torch_dtype, attn_implementation=attn_implementation, **given
            )

    with patch.object(Qwen2VLRewardModelBT, "from_pretrained", build):
        yield


@scorer(
    name="hpsv3",
    version=1,
    unit="sample",
    medium="image",
    needs=[WEIGHTS],
    environment=ENVIRONMENT,
    metrics=[
        Metric(
            name="hpsv3",
            label="HPSv3",
            meaning="predicted human preference",
            better="higher",
            low=None,
            high=None,
            grows_with_n=False,
        )
    ],
)
def hpsv3_scorer(scorers: Scorers) -> HPSv3:
    """Make the scorer with its authors' weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return HPSv3(partial(path_of, WEIGHTS.name), scorers.device)
