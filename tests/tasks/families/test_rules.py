"""A rule of guidance in whole pipelines: guiding by a scale is what the pipeline does when it is given that scale."""

from pathlib import Path

import numpy as np
import pytest

from skewbench.stability.knobs import Guidance, Knob, Vanilla
from skewbench.tasks.experiment import GenerationSpec, ModelSpec
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.models import load_pipeline, resolve_model
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.size import Size
from tests.families import savers

SAMPLES = [Sample(str(seed), "", Prompt(str(seed), "a red circle"), seed, 7 + seed) for seed in range(2)]


@pytest.mark.parametrize(
    "name", ["StableDiffusionXLPipeline", "QwenImagePipeline", "IFPipeline", "Lumina2Pipeline", "SanaPipeline"]
)
def test_a_scale_of_its_own_is_the_pipelines_scale(name: str, tmp_path: Path) -> None:
    pipeline = load_pipeline(resolve_model(ModelSpec(id=str(savers()[name](tmp_path / "model")))), "cpu")

    def images(knob: Knob, guidance: float) -> np.ndarray:
        generation = GenerationSpec(steps=3, guidance=guidance)
        return generate_batch(pipeline, SAMPLES, knob, generation, Size(32, 32))

    own, stronger = images(Vanilla(), 3.0), images(Vanilla(), 9.0)
    assert np.abs(own - stronger).max() > 1e-3
    np.testing.assert_allclose(images(Guidance(), 3.0), own, atol=1e-4)
    np.testing.assert_allclose(images(Guidance(scale=9.0), 3.0), stronger, atol=1e-4)
