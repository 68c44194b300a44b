"""Ids: digests of contents, so equal contents have the same id on every worker and machine, at any time."""

import json
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from skewbench.stability.knobs import KNOBS
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.families.registry import families
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.size import Size
from skewbench.tasks.source import ROOTS, digest_of_source

_AS_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def digest(*parts: object) -> str:
    """Compute a hex digest. The order of keys does not matter.

    Args:
        *parts: Values that JSON can hold.
    """
    return sha256(_AS_JSON.encode(parts).encode()).hexdigest()


def noise_seed(prompt_id: str, seed: int, shared: bool) -> int:
    """Derive the seed of a sample's noise: `torch.Generator().manual_seed(it)` in plain diffusers reproduces the image.

    It has 63 bits, so that it fits the lake's signed column.

    Args:
        prompt_id: The prompt.
        seed: The seed in the experiment.
        shared: Whether all prompts share the noise, as in the paper.
    """
    return int(digest("noise", "" if shared else prompt_id, seed)[:16], 16) >> 1


def pair_id(prompt_id: str, noise_seed: int, size: Size) -> str:
    """Derive the id that baseline and perturbed samples share, also across builds.

    It depends only on the prompt, the noise seed and the size.

    Args:
        prompt_id: The prompt.
        noise_seed: Seed of the noise.
        size: Size of the sample. Width, height, frames and duration count, because they decide the noise; fps does not.
    """
    return digest("pair", prompt_id, noise_seed, *size.chosen.values())[:16]


def sample_id(run_id: str, pair: str, cell: str) -> str:
    """Derive the id of one sample of one run.

    Args:
        run_id: The run.
        pair: The sample's `pair_id`.
        cell: Name of its cell.
    """
    return digest("sample", run_id, pair, cell)[:16]


def shard_id(sample_ids: list[str]) -> str:
    """Derive the id of a shard from its contents.

    Args:
        sample_ids: Ids of its samples, in order.
    """
    return digest("shard", sample_ids)[:12]


_DECIDE_NOTHING = {"description", "metrics", "required", "reference", "max_unusable", "workers", "prompts", "nightly"}
"""(Prompts are digested themselves.)"""


def settings_that_decide(experiment: Experiment) -> dict[str, Any]:
    """Return the settings of an experiment that decide its numbers.

    The description, the scorers, and the division and placement of the work are excluded. Adapters count by their
    contents, wherever their file is.

    Args:
        experiment: The experiment, with digests of its adapters.
    """
    settings = experiment.model_dump(mode="json", exclude=_DECIDE_NOTHING)
    for generation in (settings["generation"], *(cell["generation"] for cell in settings["cells"])):
        if (lora := generation["lora"]) and lora["digest"]:
            del lora["path"]
    if any(knob.depends_on_batch for cell in experiment.cells for knob in cell.knobs):
        settings["batch"] = experiment.workers.batch  # the result of a sample then depends on its batch
        settings["shard"] = experiment.workers.shard
    return settings


def source_digest(experiment: Experiment, pipeline: str) -> str:
    """Digest the code that makes a run's numbers: what generation imports, its knobs and its family of models.

    Args:
        experiment: The experiment.
        pipeline: The pipeline class of its model.
    """
    knobs = {type(knob).__module__ for cell in experiment.cells for knob in cell.knobs}
    return digest_of_source(*ROOTS, *sorted({*knobs, families.source(pipeline)}))


@cache
def versions() -> dict[str, str]:
    """Return the versions of skewbench and of the libraries that make the numbers."""
    return {name: version(name) for name in ("torch", "diffusers", "skewbench")}


def build() -> dict[str, str]:
    """Describe the code that makes the numbers on this machine. CPU and GPU builds of a library ("2.13.0+cpu") count as
    one."""
    libraries = {name: number.split("+")[0] for name, number in versions().items()}
    ours, others = list(ROOTS), {}
    for registry in (KNOBS, families):
        for name in registry.names():
            module = registry.source(name)
            if module.startswith("skewbench."):
                ours.append(module)
            else:
                others[f"the source of {registry.kind} {name}"] = digest_of_source(module)[:8]
    return {"the source": digest_of_source(*sorted(set(ours)))[:8], **others, **libraries}


def run_id(experiment: Experiment, prompts: list[Prompt], revision: str, source: str) -> str:
    """Name a run by a digest of all that decides its numbers. A resumed run never spans a change of them.

    Args:
        experiment: The experiment.
        prompts: Its prompts.
        revision: The revision of its model.
        source: The digest of the code (`source_digest`).

    Returns:
        `<name>-<8 hex>`.
    """
    libraries = {name: v for name, v in versions().items() if name != "skewbench"}
    texts = [(prompt.id, prompt.text) for prompt in prompts]
    whole = digest(settings_that_decide(experiment), texts, revision, source, libraries)
    return f"{experiment.name}-{whole[:8]}"
