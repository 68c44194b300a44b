"""`skewbench import`: images from elsewhere become a run, wherever their labels are."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from skewbench.flows.import_images import import_images
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.imports.metadata import labels_of_png
from skewbench.tasks.imports.spec import ImportSpec
from skewbench.vocabulary.errors import InputError
from tests.flows.importing import LABELS, Command, folder_of_images, noise, rows


def test_two_folders_become_a_run_of_paired_cells(command: Command) -> None:
    folders = [folder_of_images(Path(name), first) for name, first in (("a", 0), ("b", 50))]
    before = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
    given = ("import", "--cell", "a=a", "--cell", "b=b", "--pattern", "{prompt}-{seed}")
    done = command(*given)
    assert done.returncode == 0, done.stderr
    assert "8 images of 2 prompts, 8 x 8 pixels, in 2 cells\nb: 4 images, 4 paired with a\n" in done.stdout
    assert {path: path.read_bytes() for folder in folders for path in folder.iterdir()} == before
    samples = rows("SELECT cell, prompt, seed, noise_seed, source, status FROM samples ORDER BY ALL")
    names = [(prompt, place, seed, f"{prompt.replace(' ', '_')}-{seed}.png") for prompt in ("a red cup", "two owls")
             for place, seed in enumerate((7, 11))]  # fmt: skip
    assert samples == [(cell, *labels, "ok") for cell in "ab" for labels in names]
    unknown = "noise_seed IS NULL, steps IS NULL, guidance IS NULL, dtype IS NULL, seconds IS NULL, knob, model"
    assert rows(f"SELECT DISTINCT {unknown} FROM samples") == [(False, True, True, True, True, "imported", "imported")]
    stored = dict(
        rows("SELECT s.source, i.image.bytes FROM samples s JOIN images i USING (sample_id) WHERE s.cell = 'a'")
    )
    assert {name: np.asarray(Image.open(Path("a", name))).tolist() for name in stored} == {
        name: np.asarray(Image.open(io.BytesIO(content))).tolist() for name, content in stored.items()
    }
    again = command(*given)
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True)
    run_id = find_run(LocalStore("lake"), None).run_id
    for done in (command("verify", run_id), command("compact", run_id), command("verify", run_id)):
        assert done.returncode == 0, done.stderr
    assert command("import", "a", "--cell", "a", "--pattern", "{prompt}-{seed}").returncode == 0
    assert len(rows("SELECT * FROM runs")) == 2
    compared = command("compare", run_id, *(run for (run,) in rows("SELECT run_id FROM runs") if run != run_id))
    assert compared.returncode == 0, compared.stderr
    sample = rows("SELECT sample_id FROM samples")[0][0]
    replayed = command("replay", sample)
    assert (replayed.returncode, "was imported" in replayed.stderr) == (2, True)


def _pattern(folder: Path) -> list[str]:
    return ["--pattern", "{prompt}-{seed}"]


def _lines(folder: Path) -> list[str]:
    Path("prompts.txt").write_text("a red cup\ntwo owls\n")
    for prompt, seed in LABELS:
        number = 0 if prompt == "a red cup" else 1
        (folder / f"{number:04d}").mkdir(exist_ok=True)
        (folder / f"{prompt.replace(' ', '_')}-{seed}.png").rename(folder / f"{number:04d}/cfg5-{seed}.png")
    return ["--pattern", "{index}/*-{seed}", "--prompts", "prompts.txt"]


def _table(folder: Path) -> list[dict[str, Any]]:
    return [
        {"file_name": f"{prompt.replace(' ', '_')}-{seed}.png", "prompt": prompt, "seed": seed}
        for prompt, seed in LABELS
    ]


def _csv_beside(folder: Path) -> list[str]:
    with open(folder / "metadata.csv", "w") as file:
        table = csv.DictWriter(file, ["file_name", "prompt", "seed"])
        table.writeheader()
        table.writerows(_table(folder))
    return []


def _jsonl_elsewhere(folder: Path) -> list[str]:
    """Other names of columns, and files named relative to the table."""
    lines = [{"f": f"a/{row['file_name']}", "words": row["prompt"], "n": str(row["seed"])} for row in _table(folder)]
    Path("table.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return ["--table", "table.jsonl", "--file-column", "f", "--prompt-column", "words", "--seed-column", "n"]


def _parquet(folder: Path) -> list[str]:
    """A data set's folder of shards in place of the images."""
    table = [
        {**row, "image": {"bytes": (folder / row["file_name"]).read_bytes(), "path": row["file_name"]}}
        for row in _table(folder)
    ]
    for file in folder.iterdir():
        file.unlink()
    (folder / "data").mkdir()
    for shard in (0, 1):
        pl.DataFrame(table[2 * shard : 2 * shard + 2]).write_parquet(folder / f"data/train-{shard}.parquet")
    return []


@pytest.mark.parametrize("labels", [_pattern, _lines, _csv_beside, _jsonl_elsewhere, _parquet])
def test_prompts_and_seeds_come_from_names_tables_and_columns(
    command: Command, labels: Callable[[Path], list[str]]
) -> None:
    options = labels(folder_of_images(Path("a")))
    done = command("import", "a", "--cell", "a", *options)
    assert (done.returncode, done.stdout.count("4 images of 2 prompts")) == (0, 1), done.stderr
    assert "note" not in done.stderr
    found = rows("SELECT prompt, noise_seed FROM samples ORDER BY ALL")
    assert found == LABELS
    folder_of_images(Path("b"))  # the run's id is a digest of labels and bytes, wherever they come from
    assert "nothing to do" in command("import", "b", "--cell", "a", *_pattern(Path("b"))).stdout


GRAPH = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red cup", "clip": ["9", 1]}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["9", 1]}},
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 7, "positive": ["1", 0], "negative": ["2", 0], "model": ["9", 0]},
    },
}
FLUX = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red cup"}},
    "2": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["1", 0]}},
    "3": {"class_type": "BasicGuider", "inputs": {"conditioning": ["2", 0]}},
    "4": {"class_type": "RandomNoise", "inputs": {"noise_seed": 7}},
    "5": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["4", 0], "guider": ["3", 0]}},
}
LOOP = {"1": {"inputs": {"text": ["3", 0]}}, "3": {"inputs": {"positive": ["1", 0], "seed": ["3", 0]}}}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ({"parameters": "a red cup\nNegative prompt: ugly\nSteps: 20, Seed: 7, Size: 8x8"}, ("a red cup", "7")),
        ({"parameters": "a red cup\nSteps: 20, Seed: 7"}, ("a red cup", "7")),
        ({"prompt": json.dumps(GRAPH)}, ("a red cup", "7")),
        ({"prompt": json.dumps(FLUX)}, ("a red cup", "7")),
        ({"prompt": json.dumps({**GRAPH, "4": {"inputs": {"seed": 8, "positive": ["1", 0]}}})}, ("a red cup", None)),
        ({"prompt": json.dumps(LOOP)}, (None, None)),
        ({"invokeai_metadata": json.dumps({"positive_prompt": "a red cup", "seed": 7})}, ("a red cup", "7")),
        ({"Prompt": "a red cup", "seed": "7"}, ("a red cup", "7")),
        ({"prompt": "[" * 10_000}, ("[" * 10_000, None)),
        ({}, (None, None)),
    ],
)
def test_labels_in_the_metadata_of_a_png(text: dict[str, str], labels: tuple[str | None, str | None]) -> None:
    assert labels_of_png(text) == labels


def test_a_folder_of_another_program(command: Command) -> None:
    """Metadata name prompt and seed; a seed of 64 bits, unsigned, is kept as PyTorch takes it."""
    Path("a").mkdir()
    for number, seed in enumerate((7, 2**64 - 1)):
        info = PngInfo()
        info.add_text("parameters", f"a red cup\nSteps: 20, Seed: {seed}")
        noise(number).save(f"a/{number}.png", pnginfo=info)
    assert command("import", "a", "--cell", "a").returncode == 0
    assert rows("SELECT prompt, noise_seed FROM samples ORDER BY source") == [("a red cup", 7), ("a red cup", -1)]


def test_the_flow_does_what_the_command_does(command: Command) -> None:
    folder_of_images(Path("a"))
    spec = ImportSpec.model_validate({"cells": [{"name": "a", "source": "a"}], "pattern": "{prompt}-{seed}"})
    with pytest.raises(InputError, match="no cell"):
        import_images.fn(lake="lake")
    run_id = import_images.fn(spec, "lake")
    assert run_id in command("import", "a", "--cell", "a", "--pattern", "{prompt}-{seed}").stdout
