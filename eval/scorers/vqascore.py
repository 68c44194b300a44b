"""VQAScore by its authors' package, in an environment of its own: does the image show the prompt?

Lin et al., "Evaluating text-to-visual generation with image-to-text generation", ECCV 2024: CLIP-FlanT5 is asked
whether the figure shows the prompt. The probability of the answer "Yes" is the score.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

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
    "t2v-metrics",
    pip=(
        "t2v-metrics==3.0",
        "transformers==4.49.0",
        "tokenizers==0.21.4",
        "huggingface-hub==0.36.2",
        "sentencepiece==0.2.0",
    ),
    dependencies=False,  # it also requires what its other models need: torch 2.5, deepspeed, OpenCV, clients of APIs
)
TOWER = "clip-vit-large-patch14-336"
"""Folder of the image encoder within that of the weights."""
WEIGHTS = Weights(
    "clip-flant5-xxl",
    (
        Source(("config.json",), "zhiqiulin/clip-flant5-xxl", sharded=True),
        Source(("spiece.model", "tokenizer_config.json", "special_tokens_map.json"), "google/flan-t5-xxl"),
        Source(("config.json", "preprocessor_config.json", "pytorch_model.bin"), f"openai/{TOWER}", folder=f"{TOWER}/"),
    ),
    "Apache-2.0; MIT (CLIP)",
    24900,  # 11.6 billion parameters in bfloat16, and CLIP in float32
)
_MODELS = "t2v_metrics.models.vqascore_models"


class VQAScore:
    """Score of image and prompt, by the package. An empty prompt has none.

    Args:
        weights: Folder of CLIP-FlanT5 and FlanT5's tokenizer, with CLIP in the folder `TOWER`, or a function that finds
            it when it is needed.
        device: Where it computes: in bfloat16 on a GPU, as its authors do, and in float32 on a CPU.
    """

    def __init__(self, weights: Path | Callable[[], Path], device: str = "cpu") -> None:
        self._weights, self._device = weights, device

    def score(self, images: Images, prompts: Sequence[str]) -> dict[str, list[Score]]:
        import torch
        from PIL import Image

        check_batch(images, prompts)
        scores = []
        with torch.inference_mode(), TemporaryDirectory() as folder:
            path = f"{folder}/image.png"  # the package reads files
            for image, prompt in zip(images, prompts, strict=True):
                if not prompt.strip():
                    scores.append(NO_PROMPT)
                    continue
                Image.fromarray(image).save(path)
                (value,) = self._model.forward([path], [prompt])  # alone: padding changes rounding
                scores.append(Score(value.item()))
        return {"vqascore": scores}

    @cached_property
    def _model(self) -> Any:
        folder = self._weights() if callable(self._weights) else self._weights
        try:
            return load(folder, self._device)
        except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadWeights(f"{folder} is not of CLIP-FlanT5: {' '.join(str(error).split())[:300]}") from error


def load(folder: Path, device: str) -> Any:
    """Load the package's CLIP-FlanT5 from a folder, without its other models.

    Args:
        folder: CLIP-FlanT5 and FlanT5's tokenizer, with CLIP in the folder `TOWER`.
        device: Where it computes.

    Returns:
        The package's `CLIPT5Model`.
    """
    import_one_model()
    from t2v_metrics.models.vqascore_models import clip_t5_model

    config = json.loads((folder / "config.json").read_bytes()) | {"mm_vision_tower": str((folder / TOWER).absolute())}
    with TemporaryDirectory() as temporary:
        for path in folder.iterdir():
            (Path(temporary) / path.name).symlink_to(path.absolute())
        (Path(temporary) / "config.json").unlink()
        (Path(temporary) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        known = clip_t5_model.CLIP_T5_MODELS
        known["skewbench"] = {
            kind: known["clip-flant5-xxl"][kind] | {"path": temporary} for kind in ("tokenizer", "model")
        }
        model = clip_t5_model.CLIPT5Model("skewbench", device=device, cache_dir=temporary)
    if device == "cpu":
        model.model.float()
    return model


def import_one_model() -> None:
    """Make one module of the package importable. Its packages import all models, and check for ffmpeg."""
    from skewbench.eval.cpu_torchvision import define_missing_operators

    define_missing_operators()
    import transformers  # noqa: F401 -- it looks for the real cv2

    sys.modules.setdefault("cv2", ModuleType("cv2"))  # of videos; this process reads none
    spec = find_spec("t2v_metrics")
    if spec is None or spec.origin is None:
        raise OSError("the package t2v_metrics is not in this environment")
    root = Path(spec.origin).parent
    for name in ("t2v_metrics", "t2v_metrics.models", _MODELS):
        package = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules.setdefault(name, package)


@scorer(
    name="vqascore",
    version=1,
    unit="sample",
    medium="image",
    needs=[WEIGHTS],
    environment=ENVIRONMENT,
    metrics=[
        Metric(
            name="vqascore",
            label="VQAScore",
            meaning="probability that the image shows the prompt",
            better="higher",
            low=0.0,
            high=1.0,
            grows_with_n=False,
        )
    ],
)
def vqascore_scorer(scorers: Scorers) -> VQAScore:
    """Make the scorer with its authors' weights.

    Args:
        scorers: The scorers of the process: the device.
    """
    return VQAScore(partial(path_of, WEIGHTS.name), scorers.device)
