"""Ids: digests of what a thing is, so that the same thing has the same id on every worker, machine and day."""

import json
import os
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from skewbench.tasks.experiment import Experiment
from skewbench.tasks.prompts import Prompt

_GENERATING = ("generate.py", "models.py", "identity.py")
"""What of `tasks` makes the numbers, beside all of `stability`. (Prompts are digested themselves.)"""


def digest(*parts: object) -> str:
    """Hex digest of JSON-like parts, whatever their order of keys."""
    return sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def noise_seed(prompt_id: str, seed: int, shared: bool) -> int:
    """Seed of a sample's noise: `torch.Generator().manual_seed(it)` in plain diffusers gives the picture back.

    63 bits, so that it fits the lake's signed column. `shared`: the same for all prompts, as in the paper.
    """
    return int(digest("noise", "" if shared else prompt_id, seed)[:16], 16) >> 1


def pair_id(prompt_id: str, noise_seed: int, width: int, height: int) -> str:
    """The same for baseline and perturbed samples, and for two builds: prompt, noise seed and size alone."""
    return digest("pair", prompt_id, noise_seed, width, height)[:16]


def sample_id(run_id: str, pair: str, cell: str) -> str:
    """One sample of one run."""
    return digest("sample", run_id, pair, cell)[:16]


def shard_id(sample_ids: list[str]) -> str:
    """A shard, by what is in it."""
    return digest("shard", sample_ids)[:12]


_DECIDE_NOTHING = {"description", "metrics", "required", "reference", "max_unusable", "workers", "prompts", "nightly"}
"""(Prompts are digested themselves.)"""


def settings_that_decide(experiment: Experiment) -> dict[str, Any]:
    """The experiment without what decides no numbers: description, scorers, and how the work is cut and placed."""
    settings = experiment.model_dump(mode="json", exclude=_DECIDE_NOTHING)
    if any(getattr(cell.knob, "eta_scope", "sample") == "batch" for cell in experiment.cells):
        settings["batch"] = experiment.workers.batch  # there a sample's result depends on its neighbours
        settings["shard"] = experiment.workers.shard
    return settings


@cache
def source_digest() -> str:
    """Digest of the source that makes the numbers, and says which pictures are blank."""
    ours = [Path(__file__).with_name(name) for name in _GENERATING]
    files = [*sorted(_folder("stability").glob("*.py")), *ours, _folder("eval") / "scoring" / "images.py"]
    return digest([(f"{file.parent.name}/{file.name}", file.read_text(encoding="utf-8")) for file in files])


def _folder(package: str) -> Path:
    """Without importing it. Packages that a driver ships do not lie side by side."""
    (place,) = find_spec(f"skewbench.{package}").submodule_search_locations  # type: ignore[union-attr, misc]
    return Path(place)


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that make the numbers, and ours."""
    return {name: version(name) for name in ("torch", "diffusers", "skewbench")}


def build() -> dict[str, str]:
    """What makes the numbers on this machine. A library's builds for CPUs ("2.13.0+cpu") and for GPUs count as one."""
    libraries = {name: number.split("+")[0] for name, number in versions().items()}
    return {"the source": source_digest()[:8], **libraries, "the attention's kernel": _kernel()}


def _kernel() -> str:
    """By `skewbench.stability.fused.SWITCH`; the sums of the two differ in the last bits."""
    return "triton" if os.environ.get("SKEWBENCH_TRITON") == "1" else "torch"


def run_id(experiment: Experiment, prompts: list[Prompt], revision: str) -> str:
    """`<name>-<8 hex>` of all that decides a run's numbers. A resumed run never spans a change of them."""
    libraries = {name: v for name, v in versions().items() if name != "skewbench"}
    if _kernel() != "torch":
        libraries["attention"] = _kernel()
    texts = [(prompt.id, prompt.text) for prompt in prompts]
    whole = digest(settings_that_decide(experiment), texts, revision, source_digest(), libraries)
    return f"{experiment.name}-{whole[:8]}"
