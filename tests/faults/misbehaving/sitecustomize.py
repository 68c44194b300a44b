"""Python imports this at its start where this folder is on PYTHONPATH: a model misbehaves, or a clock is wrong.

`MISBEHAVIOUR`: JSON of `prompt`, `how` (`raise`, `cuda`, `nan`, `hang`) and `once`, a file that is made the first
time, after which the model behaves; null: it never does. `CLOCK_SHIFT`: seconds by which `time.time` is ahead. Nothing
of the product knows of it.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any


class Misbehaving:
    """A pipeline that does something bad when it is given the prompt."""

    def __init__(self, pipeline: Any, prompt: str, how: str, once: str | None) -> None:
        self._pipeline, self._prompt, self._how, self._once = pipeline, prompt, how, once
        self._device_is_lost = False

    @property
    def __class__(self) -> type:  # the product finds a pipeline's family by the name of its class
        return type(self._pipeline)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    def __call__(self, prompts: list[str], **settings: Any) -> Any:
        bad = self._prompt in prompts and not self._is_over()
        if self._device_is_lost or (bad and self._how == "cuda"):
            self._device_is_lost = True  # as in CUDA: every call of the process fails from now on
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if bad and self._how == "raise":
            raise ValueError("this prompt cannot be drawn")
        if bad and self._how == "hang":
            time.sleep(1e6)
        made = self._pipeline(prompts, **settings)
        if bad and self._how == "nan":
            made.images[prompts.index(self._prompt)] = float("nan")
        return made

    def _is_over(self) -> bool:
        if self._once is None:
            return False
        try:
            Path(self._once).touch(exist_ok=False)
        except FileExistsError:
            return True
        return False


def _misbehave(models: ModuleType) -> None:
    load = models.load_pipeline
    settings = json.loads(os.environ["MISBEHAVIOUR"])
    models.load_pipeline = lambda *given: Misbehaving(load(*given), **settings)


class _AfterImport(importlib.abc.MetaPathFinder):
    """Changes `skewbench.tasks.models` as soon as it is imported."""

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != "skewbench.tasks.models":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            _misbehave(module)

        spec.loader.exec_module = execute_and_change
        return spec


if "MISBEHAVIOUR" in os.environ:
    sys.meta_path.insert(0, _AfterImport())
if "CLOCK_SHIFT" in os.environ:
    _true, _shift = time.time, float(os.environ["CLOCK_SHIFT"])
    time.time = lambda: _true() + _shift
