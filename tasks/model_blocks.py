"""The self-attention blocks of a model, listed from its configuration.

Listing them builds the model without its weights, which imports diffusers and takes seconds. So the list of a bundled
model is shipped, and that of another model is kept in the user's cache folder.
"""

from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.eval.scorers import declaration
from skewbench.stability.blocks import Block
from skewbench.storage import user_cache
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.families.registry import families
from skewbench.tasks.identity import digest
from skewbench.tasks.models import BUNDLED, ModelSource, family_of_source, part_config, pipeline_class
from skewbench.tasks.source import digest_of_source

_BLOCKS = TypeAdapter(list[Block])


def blocks_of(source: ModelSource) -> list[Block]:
    """List the model's self-attention blocks from its configuration; no weights are read.

    Args:
        source: The model.
    """
    shipped = shipped_blocks(source.spec.id)
    if shipped.is_file():
        return _BLOCKS.validate_json(shipped.read_bytes())
    kept = f"blocks/{_key(source)}.json"
    with suppress(ValidationError):  # missing or broken: the list is made again
        return _BLOCKS.validate_json(user_cache.read(kept) or "")
    blocks = list_blocks(source)
    user_cache.write(kept, _BLOCKS.dump_json(blocks).decode())
    return blocks


def list_blocks(source: ModelSource) -> list[Block]:
    """List a model's self-attention blocks by building it without its weights. Slow: imports diffusers.

    Args:
        source: The model.
    """
    define_missing_operators()
    return family_of_source(source).blocks(partial(part_config, source))


def shipped_blocks(model: str) -> Path:
    """Return the file with the blocks of a bundled model.

    Args:
        model: Id of a model.

    Returns:
        The file; for other models, a path that does not exist.
    """
    return BUNDLED[model].parent / "blocks.json" if model in BUNDLED else Path("no blocks of this model are shipped")


def without_effect(experiment: Experiment, source: ModelSource) -> tuple[str, ...]:
    """List the settings of an experiment that have no effect on its model, a line each.

    Args:
        experiment: The experiment.
        source: Its model.
    """
    family = family_of_source(source)
    lines = [
        f"metric {name} has no values: {reason}"
        for name in experiment.metrics
        if (reason := declaration(name).unfit(family.medium))
    ]
    cells = [cell.name for cell in experiment.cells if getattr(cell.knob, "rescale", "off") != "off"]
    if cells and family.joint:
        lines.append(
            f"rescale has no effect in cells {', '.join(cells)}: in this model's joint attention of image and text, "
            "nothing is rescaled"
        )
    return tuple(lines)


def _key(source: ModelSource) -> str:
    """Digest everything that decides the list: the configuration, diffusers, and the code that lists."""
    pipeline = pipeline_class(source)
    configs = {path.parent.name: path.read_text() for path in sorted(source.folder.glob("*/config.json"))}
    code = digest_of_source("skewbench.stability.sites", families.source(pipeline))
    return digest(pipeline, configs, version("diffusers"), code)[:32]
