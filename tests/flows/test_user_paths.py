"""Paths that a user gives: `~` is the home folder wherever a path may stand, and what is no path is an error line."""

import os
import shutil
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from skewbench import sql
from skewbench.eval import weights
from skewbench.flows import experiments
from skewbench.flows.cli.options import WeightsFolder
from skewbench.flows.parameters import Bundled, choose
from skewbench.flows.serving.launch import place_of
from skewbench.storage.location import locate
from skewbench.storage.store import open_store
from skewbench.storage.user_cache import CACHE
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.model_blocks import blocks_of
from skewbench.tasks.models import ModelSource, check_source, load_pipeline, model_address, resolve_model
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.reference import find_reference
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.user_paths import user_path
from tests.flows.command import SMALL, run_in_process


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder beside the working folder, in which nothing may appear."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def test_lakes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, read, served and looked at, by option and by variable."""
    open_store("~/lake").put("a/b", b"c")
    assert (home / "lake/a/b").read_bytes() == b"c"
    assert locate("~/lake").lake == open_store("~/lake").lake == place_of("~/lake") == str(home / "lake")
    found = run_in_process(monkeypatch, "doctor", "--lake=~/lake").stdout
    assert f"{home}/lake is writable" in found
    monkeypatch.setenv("SKEWBENCH_LAKE", "~/lake")
    assert "it has no runs" in run_in_process(monkeypatch, "report").stderr
    assert list(Path.cwd().iterdir()) == []


def test_a_run_whose_paths_all_begin_at_home(home: Path, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the replay of its images."""
    shutil.copytree(tiny_sdxl, home / "model")
    (home / "prompts.txt").write_text("a cat\n")
    changes = {"model": {"id": "~/model"}, "prompts": {"source": "file", "path": "~/prompts.txt"}, "metrics": []}
    (home / "small.yaml").write_text(yaml.safe_dump({**SMALL, **changes, "seeds": 1, "generation": {"steps": 1}}))
    done = run_in_process(monkeypatch, "run", "~/small.yaml", "--local", "--lake=~/lake", "--prompts=~/prompts.txt")
    assert done.returncode == 0, done.stderr
    with sql.connect("~/lake") as connection:
        sample, *_ = connection.execute("SELECT sample_id FROM samples").fetchone() or ()
    assert f"{str(home / 'model')!r}" in run_in_process(monkeypatch, "replay", sample, "--lake=~/lake").stdout
    figure = run_in_process(monkeypatch, "query", "speed", "--lake=~/lake", "--figure=~/speed.png")
    assert "'speed' has no figure" in figure.stderr
    assert list(Path.cwd().iterdir()) == []


def test_models_on_a_node(home: Path, tiny_sdxl: Path) -> None:
    """The driver's folder counts. One that begins at home is never asked of the hub."""
    shutil.copytree(tiny_sdxl, home / "model")
    source = resolve_model(ModelSpec(id="~/model"))
    assert source.folder == home / "model"
    check_source(source)
    assert model_address("~/model") == str(home / "model")
    with pytest.raises(InputError, match="has no pipeline class"):
        load_pipeline(ModelSource(ModelSpec(id="~/gone"), home / "gone", "0123"), "cpu")


def test_prompts_references_weights_caches_and_forms(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "captions.json").write_text('{"annotations": [{"image_id": 1, "id": 2, "caption": "a cat"}]}')
    (home / "parti.tsv").write_text("Prompt\tCategory\tChallenge\na cat\tAnimals\tBasic\n")
    base = experiments.load("demo").prompts
    for source, name in (("coco", "captions.json"), ("parti", "parti.tsv")):
        spec = base.model_copy(update={"source": source, "path": f"~/{name}", "count": None})
        assert [prompt.text for prompt in load_prompts(spec)] == ["a cat"]
    (home / "prompts.txt").write_text("a dog\n")
    chosen = choose(Bundled(prompts_file="~/prompts.txt"))
    assert [prompt.text for prompt in load_prompts(chosen.prompts)] == ["a dog"]
    (home / "real").mkdir()
    with pytest.raises(InputError, match=f"reference '{home}/real': no images"):
        find_reference(open_store("lake"), "~/real")
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", "~/weights")
    assert weights.folder() == home / "weights"
    monkeypatch.setenv(weights.WEIGHTS["alexnet"].variable, "~/prompts.txt")
    assert weights.find("alexnet") == home / "prompts.txt"
    app = typer.Typer()

    @app.command()
    def scores(weights: WeightsFolder = None) -> None:
        typer.echo(os.environ["SKEWBENCH_WEIGHTS"])

    assert CliRunner().invoke(app, ["--weights=~/mine"]).stdout.strip() == str(home / "mine")


def test_caches(home: Path, tiny_sdxl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, "~/lists")
    blocks_of(resolve_model(ModelSpec(id=str(tiny_sdxl))))
    assert list((home / "lists/blocks").glob("*.json"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "lake '': is empty; name a file or a folder"),
        (" ", "lake ' ': is empty"),
        ("a\0b", r"lake 'a\\x00b': contains a NUL character"),
        ("\udcff", r"lake '\\udcff': is not UTF-8 text"),
        ("~no-such-user/lake", "lake '~no-such-user/lake': there is no home folder of this user"),
    ],
)
def test_what_is_no_path(given: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        user_path(given, "lake")


def test_a_folder_whose_name_is_a_tilde(home: Path) -> None:
    """It can be named from the working folder."""
    assert user_path("./~/lake", "lake").absolute() == Path.cwd() / "~" / "lake"
