"""Writes a trained model as float16 safetensors in the layout of a hub repository, and the list of its blocks."""

import filecmp
import json
import os
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from pydantic import TypeAdapter

from skewbench.stability.blocks import Block
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.model_blocks import list_blocks
from skewbench.tasks.models import BUNDLED_MODELS, resolve_model

To = Annotated[Path, typer.Option("--to", help="Where the model goes, in the layout of a hub repository.")]


def save(pipeline: Any, to: Path, twins: Path | None = None) -> None:
    """Write a pipeline as float16 safetensors. In the package, also list its self-attention blocks.

    Args:
        pipeline: A pipeline of diffusers.
        to: Folder of the model.
        twins: Folder of another bundled model. In the package, files that are equal there become links to it.
    """
    pipeline.to(torch.float16).save_pretrained(to, safe_serialization=True)
    for config in to.glob("*/config.json"):
        drop_origin(config)
    if to.resolve().is_relative_to(BUNDLED_MODELS.resolve()):
        if twins is not None:
            link_equal_files(to, twins)
        write_blocks(to)
    own = sum(file.stat().st_size for file in to.rglob("*.safetensors") if not file.is_symlink())
    typer.echo(f"{to}: {own / 1e6:.1f} MB of weights of its own")


def drop_origin(config: Path) -> None:
    """Drop the folder that a part was loaded from: diffusers writes this path of the machine into the configuration.

    Args:
        config: Configuration of a part.
    """
    fields = json.loads(config.read_text(encoding="utf-8"))
    if fields.pop("_name_or_path", None) is not None:
        config.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_blocks(model: Path) -> None:
    """List the self-attention blocks of a bundled model in a file, so that no command has to build it for that.

    Args:
        model: Folder of the model; the list goes beside it.
    """
    blocks = list_blocks(resolve_model(ModelSpec(id=str(model))))
    rows = TypeAdapter(list[Block]).dump_python(blocks, exclude_defaults=True)
    lines = ",\n".join(map(json.dumps, rows))
    (model.parent / "blocks.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def link_equal_files(folder: Path, source: Path) -> None:
    """Replace each file that `source` holds at the same path with the same bytes by a relative link to it.

    Files are linked, not folders: a folder may hold other files beside them.

    Args:
        folder: Folder whose files are replaced.
        source: Folder that the links point into.
    """
    for file in [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]:
        twin = source / file.relative_to(folder)
        if twin.is_file() and filecmp.cmp(file, twin, shallow=False):
            file.unlink()
            file.symlink_to(os.path.relpath(twin.resolve(), file.parent.resolve()))
