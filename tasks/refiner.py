"""The second stage of a cell: which refiner it is, and whether it fits the model. Nothing is loaded."""

from typing import Any

from skewbench.tasks.experiment import Experiment, RefinerModel
from skewbench.tasks.generation import RefinerSpec
from skewbench.tasks.hub_models import ModelNotHereError, is_hub_id
from skewbench.tasks.models import ModelSource, check_model, part_config, resolve_model
from skewbench.vocabulary.errors import InputError

_ALIKE = (("unet", "in_channels"), ("vae", "block_out_channels"))
"""Settings that determine the shape of latents."""


def with_refiners(experiment: Experiment, download: bool) -> Experiment:
    """Add the revisions of an experiment's refiners. A refiner that is not on this machine is left unchanged.

    Args:
        experiment: The experiment.
        download: Whether to download a refiner; one that cannot be had is an error then.

    Raises:
        InputError: No such refiner, or its folder has other files than the experiment's revision says.
    """
    known: dict[RefinerSpec, RefinerSpec] = {}  # the files of one are digested once

    def resolved(settings: Any) -> Any:
        spec = settings.refiner
        if spec is None:
            return settings
        if spec not in known:
            known[spec] = _with_revision(spec, experiment.model.dtype, download)
        return settings.model_copy(update={"refiner": known[spec]})

    cells = tuple(cell.model_copy(update={"generation": resolved(cell.generation)}) for cell in experiment.cells)
    return experiment.model_copy(update={"cells": cells, "generation": resolved(experiment.generation)})


def _with_revision(spec: RefinerSpec, dtype: Any, download: bool) -> RefinerSpec:
    try:
        return spec.model_copy(update={"revision": find_refiner(spec, dtype, download).revision})
    except ModelNotHereError:
        if download:
            raise
        return spec


def find_refiner(spec: RefinerSpec, dtype: Any, download: bool = False) -> ModelSource:
    """Find a refiner's files and check them; no weights are loaded.

    Args:
        spec: The refiner of a cell.
        dtype: The precision of the experiment's model.
        download: Whether to download a hub model.

    Raises:
        ModelNotHereError: Its files are not on this machine.
        InputError: No such refiner, a model of another class, or a folder with other files than `spec.revision` says.
    """
    source = resolve_model(_model(spec, dtype), download)
    if not is_hub_id(spec.id) and spec.revision not in (None, source.revision):
        raise InputError(f"generation.refiner.revision {spec.revision!r}: {source.folder} has {source.revision!r}")
    return source


def _model(spec: RefinerSpec, dtype: Any) -> RefinerModel:
    return RefinerModel(id=spec.id, revision=spec.revision, variant=spec.variant, dtype=dtype)


def _here(spec: RefinerSpec, dtype: Any) -> ModelSource | None:
    """The refiner without a digest of its files; None: it is not on this machine."""
    model = _model(spec, dtype)
    if folder := check_model(model):
        return ModelSource(model, folder, spec.revision or "")
    try:
        return resolve_model(model)
    except ModelNotHereError:
        return None


def refiners_of(experiment: Experiment) -> list[ModelSource]:
    """List the refiners of an experiment's cells that are on this machine, each once.

    Args:
        experiment: The experiment.
    """
    specs = [experiment.generation_of(cell).refiner for cell in experiment.cells]
    found = [_here(spec, experiment.model.dtype) for spec in dict.fromkeys(specs) if spec is not None]
    return list({source.folder: source for source in found if source is not None}.values())


def check_refiner(spec: RefinerSpec, source: ModelSource) -> None:
    """Check that a refiner takes a model's latents.

    Args:
        spec: The refiner.
        source: The model.

    Raises:
        InputError: It is no refiner, or its latents have another shape.
    """
    refiner = _here(spec, source.spec.dtype)
    if refiner is None:
        return
    for part, name in _ALIKE:
        theirs, own = (part_config(one, part).get(name) for one in (refiner, source))
        if _size(theirs) != _size(own):
            raise InputError(
                f"generation.refiner.id {spec.id!r}: its {part} has {name} {theirs!r}, the model's {own!r}; it cannot "
                "take over the model's latents"
            )


def _size(value: Any) -> Any:
    """Return the length of a list, the number of levels, or the value itself."""
    return len(value) if isinstance(value, list) else value
