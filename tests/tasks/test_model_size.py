"""The memory of a model's weights is that of its parameters."""

from pathlib import Path

import pytest

from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.model_size import weight_bytes
from skewbench.tasks.models import load_pipeline, resolve_model


@pytest.mark.parametrize(("dtype", "each"), [("float32", 4), ("bfloat16", 2)])
def test_it_is_that_of_the_parameters(tiny_sdxl: Path, dtype: str, each: int) -> None:
    source = resolve_model(ModelSpec(id=str(tiny_sdxl), dtype=dtype))  # type: ignore[arg-type]
    parts = [part for part in load_pipeline(source, "cpu").components.values() if hasattr(part, "parameters")]
    assert weight_bytes(source) == each * sum(weight.numel() for part in parts for weight in part.parameters())


def test_another_variant_counts_once(tiny_sdxl: Path, tmp_path: Path) -> None:
    source = resolve_model(ModelSpec(id=str(tiny_sdxl)))
    load_pipeline(source, "cpu").save_pretrained(tmp_path / "both")
    load_pipeline(source, "cpu").save_pretrained(tmp_path / "both", variant="fp16")
    for variant in (None, "fp16"):
        both = resolve_model(ModelSpec(id=str(tmp_path / "both"), variant=variant))
        assert weight_bytes(both) == weight_bytes(source)
