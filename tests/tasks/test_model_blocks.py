"""Lists of self-attention blocks: what is shipped and kept is what the model has."""

from pathlib import Path

import pytest

from skewbench.stability.blocks import Block
from skewbench.storage.user_cache import CACHE
from skewbench.tasks import model_blocks
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.model_blocks import blocks_of, list_blocks, shipped_blocks
from skewbench.tasks.models import BUNDLED, ModelSource, resolve_model


@pytest.mark.parametrize("model", BUNDLED)
def test_the_shipped_list_is_the_models(model: str) -> None:
    source = resolve_model(ModelSpec(id=model))
    assert shipped_blocks(model).is_file()
    assert blocks_of(source) == list_blocks(source)


def test_another_models_list_is_kept_until_something_changes(
    tiny_sdxl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    source, built = resolve_model(ModelSpec(id=str(tiny_sdxl))), []

    def counted(source: ModelSource) -> list[Block]:
        built.append(source)
        return list_blocks(source)

    monkeypatch.setattr(model_blocks, "list_blocks", counted)
    first = blocks_of(source)
    assert (blocks_of(source), len(built)) == (first, 1)
    (kept,) = (tmp_path / "blocks").iterdir()
    kept.write_text("[{")
    assert (blocks_of(source), len(built)) == (first, 2)
    monkeypatch.setattr(model_blocks, "version", lambda _: "another diffusers")
    assert (blocks_of(source), len(built)) == (first, 3)
    monkeypatch.setenv(CACHE, "/proc/nowhere")
    assert (blocks_of(source), len(built)) == (first, 4)
