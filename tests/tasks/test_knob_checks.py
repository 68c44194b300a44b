"""A cell that would be a baseline under another name, or that a model cannot have, is one line in `plan`."""

from pathlib import Path

import pytest

from skewbench.tasks.estimate import estimate
from skewbench.vocabulary.errors import InputError
from tests.families import savers
from tests.tasks.experiments import BASELINE, small

SKEW = {"kind": "skew", "alpha": 1.2}


@pytest.mark.parametrize(
    ("knob", "line"),
    [
        ({"window": [0.95, 1.0]}, "cells.x: window=(0.95, 1.0): covers none of the 12 steps; widen it, or take more"),
        ({"blocks": "sideways"}, "cells.x: blocks='sideways' matches no self-attention; there are: 0 "),
        ({"heads": [0, 7]}, "cells.x: heads=(0, 7): block 0 down_blocks.0.attentions.0.transformer_blocks.0.attn1 has"),
    ],
)
def test_what_does_nothing_is_refused_by_name(knob: dict[str, object], line: str, tmp_path: Path) -> None:
    experiment = small(cells=[BASELINE, {"name": "x", "knob": {**SKEW, **knob}}], generation={"steps": 12})
    with pytest.raises(InputError) as error:
        estimate(experiment, str(tmp_path))
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rule", "generation", "pipeline", "line"),
    [
        ({"kind": "apg"}, {"guidance": 1.0}, "StableDiffusionXLPipeline", "generation.guidance is 1, so the model"),
        ({"kind": "apg"}, {}, "FluxPipeline", "the guidance of flux models is distilled"),
        ({"kind": "fdg", "low": 2.0}, {}, "QwenImagePipeline", "qwen-image models predict no maps of rows and columns"),
        ({"kind": "guidance_rescale", "share": 0.7}, {}, "QwenImagePipeline", "restores the norms of its predictions"),
        ({"kind": "guidance_rescale", "share": 0.7}, {}, "Lumina2Pipeline", "restores the norms of its predictions"),
        ({"kind": "cfg_zero_star", "zero_steps": 1}, {}, "StableDiffusionXLPipeline", "is for flow-matching models"),
        ({"kind": "mag", "damping": 8.0, "window": [0.9, 0.95]}, {}, "StableDiffusionXLPipeline", "covers none of the"),
        ({"kind": "guidance_interval", "start": 0.9, "stop": 0.95}, {}, "StableDiffusionXLPipeline", "guides none of"),
    ],
)
def test_a_rule_that_cannot_guide_is_refused(
    rule: dict[str, object], generation: dict[str, object], pipeline: str, line: str, tmp_path: Path
) -> None:
    folder = savers()[pipeline](tmp_path / "model")
    cells = [BASELINE, {"name": "x", "knob": {"kind": "vanilla"}, "guidance_rule": rule}]
    experiment = small(cells=cells, generation={"steps": 4, **generation}, model={"id": str(folder)})
    with pytest.raises(InputError, match=line) as error:
        estimate(experiment, str(tmp_path / "lake"))
    assert str(error.value).startswith("cells.x")
    assert "\n" not in str(error.value)


def test_a_condition_without_token_embeddings_is_refused(tmp_path: Path) -> None:
    folder = savers()["AudioLDMPipeline"](tmp_path / "model")
    cells = [BASELINE, {"name": "x", "knob": {"kind": "vanilla"}, "condition": {"kind": "cads"}}]
    experiment = small(cells=cells, model={"id": str(folder)}, metrics=[], generation={"steps": 4})
    with pytest.raises(InputError, match=r"^cells\.x\.condition cads: audioldm models read the text as one vector"):
        estimate(experiment, str(tmp_path / "lake"))


def test_a_knob_on_linear_attention_is_refused(tmp_path: Path) -> None:
    folder = savers()["SanaPipeline"](tmp_path / "model")
    experiment = small(cells=[BASELINE, {"name": "x", "knob": SKEW}], model={"id": str(folder)})
    with pytest.raises(InputError, match=r"cells\.x: transformer_blocks\.0\.attn1 has linear attention, .*") as error:
        estimate(experiment, str(tmp_path / "lake"))
    assert "\n" not in str(error.value)


def test_a_window_that_covers_the_last_step_is_planned(tmp_path: Path) -> None:
    knob = {**SKEW, "window": [0.95, 1.0], "schedule": "cosine-up", "heads": [0]}
    experiment = small(cells=[BASELINE, {"name": "x", "knob": knob}], generation={"steps": 20})
    assert estimate(experiment, str(tmp_path)).samples == 8
