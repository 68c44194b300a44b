"""What every registered family promises, from its declaration alone; each family's own test runs a model of it."""

import ast
import inspect
from typing import Any

import pytest

from skewbench.tasks.families.contract import Family, Request
from skewbench.tasks.families.pipeline import OPTIONAL
from skewbench.tasks.families.registry import BEFORE_FAMILIES, families, register
from skewbench.tasks.size import Size


@pytest.fixture(params=families.names())
def family(request: pytest.FixtureRequest) -> Family:
    return families.get(request.param)


def test_the_family_of_old_runs_is_registered() -> None:
    assert BEFORE_FAMILIES in families.names()


def test_declarations_are_complete(family: Family) -> None:
    assert family.name
    assert family.pipelines
    assert family.example.count("/") == 1
    assert family.denoiser in family.parts
    assert "cond" in family.branches
    assert family.medium in ("image", "audio", "video")
    assert set(family.settings) <= {*OPTIONAL, "lora", "refiner"}


def test_a_replay_script_is_python_that_holds_texts_as_texts(family: Family) -> None:
    prompt = "a cat''' + __import__('os').abort() + '''\n\"\"\""
    size = {"image": Size(64, 32), "audio": Size(duration=2.5, sampling_rate=16000), "video": Size(64, 32, 9, fps=16.0)}
    request = Request([prompt], [7], 3, 5.0, size[family.medium])
    load = family.replay_load("org/name", {"dtype": "torch.float16"})
    lines = [family.replay_imports(), f"pipeline = {load}", f"image = {family.replay_call(request)}"]
    tree = ast.parse("\n".join(lines))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {prompt, "org/name"} <= texts
    assert "abort" not in {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    numbers = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {7, 3, 5.0, *size[family.medium].chosen.values()} <= numbers


HIDDEN = {("FluxPipeline", "negative_prompt"), ("StableDiffusionPipeline", "clip_skip")}
"""Settings that a pipeline takes and cannot use: FLUX's has no unconditional branch while `true_cfg_scale` is 1, and
that of Stable Diffusion 1.x asks for a layer that the text encoder of transformers 5 does not have."""


@pytest.mark.parametrize(
    "name", [name for name in families.names() if families.source(name).startswith("skewbench.tasks")]
)
def test_settings_are_those_that_the_pipeline_takes(name: str) -> None:
    """None that it would drop is declared, and none that it has is missing."""
    import diffusers

    pipeline = getattr(diffusers, name)
    taken = {setting for setting in OPTIONAL if setting in inspect.signature(pipeline.__call__).parameters}
    loaders = {"lora"} if hasattr(pipeline, "load_lora_weights") else set()
    ends = {"refiner"} if "denoising_end" in inspect.signature(pipeline.__call__).parameters else set()
    assert set(families.get(name).settings) == {one for one in taken | loaders | ends if (name, one) not in HIDDEN}


def test_a_pipeline_class_has_one_family() -> None:
    class Other(type(families.get(BEFORE_FAMILIES))):  # type: ignore[misc]
        name = "other"

    with pytest.raises(ValueError, match=f"'{BEFORE_FAMILIES}'.*the name is taken"):
        register(Other)


@pytest.mark.parametrize("field", ["name", "example", "denoiser", "branches", "parts"])
def test_a_family_without_a_field_is_refused(field: str) -> None:
    changes: dict[str, Any] = {"pipelines": ("SomeOtherPipeline",), field: ()}
    incomplete = type("Incomplete", (type(families.get(BEFORE_FAMILIES)),), changes)
    with pytest.raises(ValueError, match=f"declares no {field}"):
        register(incomplete)
    assert "SomeOtherPipeline" not in families.names()
