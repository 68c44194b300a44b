"""Models on a cluster: a node that lacks a hub model's files fetches them at the driver's revision, and only then."""

import shutil
from pathlib import Path

import pytest

from skewbench.tasks import models
from skewbench.tasks.estimate import estimate
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.models import ModelSource, check_source, load_pipeline, resolve_model
from skewbench.vocabulary.errors import InputError, RunError
from tests.tasks.experiments import small
from tests.tiny import save_refiner_layout


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch, tiny_sdxl: Path) -> list[tuple[str, str | None, bool]]:
    """What is asked of the hub, which gives a tiny SDXL."""
    asked: list[tuple[str, str | None, bool]] = []

    def snapshot(spec: ModelSpec, download: bool, _left_out: object) -> Path:
        asked.append((spec.id, spec.revision, download))
        return tiny_sdxl

    monkeypatch.setattr(models, "hub_snapshot", snapshot)
    return asked


def test_a_node_fetches_what_the_driver_found(fetched: list[tuple[str, str | None, bool]]) -> None:
    source = ModelSource(ModelSpec(id="someone/sdxl"), Path("/drivers/cache/0123abcd"), "0123abcd")
    assert load_pipeline(source, "cpu").unet is not None
    assert fetched == [("someone/sdxl", "0123abcd", True)]


def test_files_that_are_there_are_used(fetched: list[tuple[str, str | None, bool]], tiny_sdxl: Path) -> None:
    load_pipeline(ModelSource(ModelSpec(id="someone/sdxl"), tiny_sdxl, "0123abcd"), "cpu")
    load_pipeline(resolve_model(ModelSpec(id=str(tiny_sdxl))), "cpu")
    assert fetched == []


def test_the_bundled_model_is_where_a_node_has_the_package(fetched: list[tuple[str, str | None, bool]]) -> None:
    load_pipeline(ModelSource(ModelSpec(id="shapes-xl"), Path("/drivers/site-packages/weights"), "0123"), "cpu")
    assert fetched == []


def test_a_folder_is_never_asked_of_the_hub(fetched: list[tuple[str, str | None, bool]]) -> None:
    with pytest.raises(InputError, match=r"/models/gone/model_index\.json has no pipeline class"):
        load_pipeline(ModelSource(ModelSpec(id="/models/gone"), Path("/models/gone"), "0123"), "cpu")
    assert fetched == []


def test_a_node_with_other_files_of_a_model_says_so(tiny_sdxl: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_sdxl, folder)
    source = resolve_model(ModelSpec(id=str(folder)))
    check_source(source)
    check_source(ModelSource(ModelSpec(id="org/name"), Path("/elsewhere/snapshots/c0ffee"), "c0ffee"))
    with (folder / "unet" / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(RunError, match=f"has a different {folder} than the driver: .*, the driver's {source.revision}"):
        check_source(source)
    shutil.rmtree(folder)
    with pytest.raises(RunError, match="is none, the driver's"):
        check_source(source)


def test_a_hub_model_of_another_class_is_refused_where_it_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`plan` takes a hub model that is not here on trust, and this one it can look at."""
    folder = save_refiner_layout(tmp_path / "0123abcd")
    monkeypatch.setattr(models, "hub_snapshot", lambda spec, download, _left_out: folder)
    with pytest.raises(InputError, match="class is 'StableDiffusionXLImg2ImgPipeline'"):
        estimate(small(model={"id": "someone/refiner"}), str(tmp_path / "lake"))
    (folder / "model_index.json").write_text("[]")
    with pytest.raises(InputError, match=r"model_index.json has no pipeline class \(TypeError\)"):
        resolve_model(ModelSpec(id=str(folder)))
