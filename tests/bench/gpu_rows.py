"""What `tests.bench.gpu` measures, the most important first. Each row runs in a process of its own."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import Attention

from tests.bench.denoisers import SIZES, TINY, Denoiser
from tests.bench.layer import SHAPES
from tests.bench.layer import TINY as TINY_SHAPES
from tests.bench.memory import peak
from tests.bench.rounds import Times, alternate, ratios, spread
from tests.bench.states import PLAIN, STATES, State
from tests.bench.synchronisations import synchronisations

Put = Callable[[str, Mapping[str, Any]], None]
"""Keeps what was found of one state."""

KERNEL: dict[str, State] = {
    f"{name}, kernel": replace(STATES[name], kernel="triton")
    for name in ("measured, all columns", "knob, no rescale", "knob", "knob, measured, 64 columns")
}
WAYS: dict[str, State] = {
    f"knob, by {way}": replace(STATES["knob"], way=way) for way in ("retrieval", "blocks", "gram")
}
"""The ways of `skewbench.stability.rescaled`, of which `knob` takes one by itself."""
JOINT = (PLAIN, "measured, 64 columns", "measured, all columns", "knob, no rescale")
"""The states where image and text share a softmax. Nothing is rescaled there, and no kernel is for it."""
CHECKS = {
    "golden tests": ("tests/stability/test_golden.py",),
    "kernel tests": ("tests/stability/test_kernel.py", "tests/stability/test_norm_kernel.py"),
}


@dataclass(frozen=True)
class Setting:
    """Where the rows run: at full size on a GPU, or in small on a CPU as a rehearsal."""

    device: str
    tiny: bool
    released: Path | None = None
    rounds: int = 3

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32 if self.device == "cpu" else torch.float16


@dataclass(frozen=True)
class Row:
    """One row: its name, the most seconds that it may take, and what it does."""

    name: str
    seconds: float
    run: Callable[[Setting, Put], None]


class NotHere(Exception):
    """Something that a row needs is not on this machine."""


def check(name: str) -> Callable[[Setting, Put], None]:
    """Make a row of a file of tests, on the device."""

    def run(setting: Setting, put: Put) -> None:
        import pytest

        counts = _Counts()
        options = ["-q", "-W", "default", "--device", setting.device, *CHECKS[name]]
        options += ["--disable-plugin-autoload", "-p", "pytest_timeout", "-p", "no:cacheprovider"]
        if setting.tiny:  # a rehearsal checks that the command works; the suite has run the tests
            options += ["-k", "test_symmetry or test_plain_alone"]
        code = pytest.main(options, plugins=[counts])
        put("tests", asdict(counts))
        if code != pytest.ExitCode.OK:
            raise AssertionError(f"pytest ended with {code!r}; failures: {', '.join(counts.failures) or 'none'}")

    return run


@dataclass
class _Counts:
    """Counts the tests of a pytest session."""

    passed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failures += (f"{report.nodeid} ({report.when})",)
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1


def layer(shape_name: str, states: Mapping[str, State]) -> Callable[[Setting, Put], None]:
    """Make a row of one self-attention layer under some states, all in turn."""

    def run(setting: Setting, put: Put) -> None:
        _kernel_is_here(states)
        rows, heads, tokens, width = TINY_SHAPES["tiny"] if setting.tiny else SHAPES[shape_name]
        torch.manual_seed(0)
        own = Attention(width, heads=heads, dim_head=width // heads).eval().requires_grad_(False)
        own = own.to(setting.device, setting.dtype)
        x = torch.randn(rows, tokens, width).to(setting.device, setting.dtype)
        with ExitStack() as stack, torch.no_grad():
            sides = {}
            for name, state in ({PLAIN: STATES[PLAIN]} | dict(states)).items():
                copy, recorder = deepcopy(own), state.recorder()
                stack.enter_context(state.on(copy, recorder=recorder))
                sides[name] = _in_its_way(state, copy, x)
            _measure(sides, setting, put)

    return run


def _in_its_way(state: State, layer: Attention, x: torch.Tensor) -> Callable[[], torch.Tensor]:
    def once() -> torch.Tensor:
        with state.chosen():
            found: torch.Tensor = layer(x)
        return found

    return once


def denoiser(model: str, states: Mapping[str, State]) -> Callable[[Setting, Put], None]:
    """Make a row of one call of a whole denoiser under some states, one after the other in each round."""

    def run(setting: Setting, put: Put) -> None:
        _kernel_is_here(states)
        size = (TINY if setting.tiny else SIZES)[model]
        # bfloat16: FLUX's activations leave float16's range
        dtype = torch.bfloat16 if setting.device == "cuda" and size.joint else setting.dtype
        called = Denoiser(size, setting.device, dtype)
        samples = 1

        def side(state: State) -> Callable[[], None]:
            def once() -> None:
                recorder = state.recorder()
                with state.on(called.model, samples, recorder):
                    called()
                if recorder is not None:
                    recorder.to_numpy()

            return once

        _measure({name: side(state) for name, state in ({PLAIN: STATES[PLAIN]} | dict(states)).items()}, setting, put)

    return run


def released(setting: Setting, put: Put) -> None:
    """Measure the paper's released code beside ours: one layer, and SDXL's UNet where there is a GPU."""
    from tests.bench import peer
    from tests.bench.released import load

    code = load(setting.released) if setting.released else None
    with torch.no_grad():
        pairs = peer.layer_pairs(code, setting.device, setting.tiny)
        if code is not None and setting.device == "cuda":
            pairs |= peer.model_pairs(code, setting.device, 2, None)
        for name, pair in pairs.items():
            sides = {"ours": pair.ours} | ({"theirs": pair.theirs} if pair.theirs else {})
            times = alternate(sides, setting.device, setting.rounds)
            found = {f"{side} ms": _milliseconds(each) for side, each in times.items()}
            if pair.theirs:
                found |= {"ratio": _three(ratios(times, "theirs", "ours", setting.device))}
            put(name, found | {"difference": pair.difference})
    if code is None:
        raise NotHere("the released code: give its folder by --released; ours alone was measured")


def _measure(sides: Mapping[str, Callable[[], Any]], setting: Setting, put: Put) -> None:
    """Measure memory, synchronisations and time of all sides, and keep what is known after each."""
    found: dict[str, dict[str, Any]] = {}
    for name, side in sides.items():
        try:
            most = peak(side, setting.device)
            found[name] = {"peak_bytes": most, "synchronisations": synchronisations(side, setting.device)}
        except torch.OutOfMemoryError as error:
            put(name, {"failed": f"out of memory: {str(error).splitlines()[0]}"})
            torch.cuda.empty_cache()
            continue
        put(name, found[name])
    times = alternate({name: sides[name] for name in found}, setting.device, setting.rounds)
    for name in found:
        ratio = {"ratio": _three(ratios(times, name, PLAIN, setting.device))} if PLAIN in times else {}
        put(name, found[name] | {"ms": _milliseconds(times[name])} | ratio)


def _milliseconds(times: Times) -> list[float]:
    return _three(spread([1e3 * second for second in times.seconds]))


def _three(found: Any) -> list[float]:
    """A median with its quartiles."""
    return [found.median, found.low, found.high]


def _kernel_is_here(states: Mapping[str, State]) -> None:
    from skewbench.stability.fused import usable

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if any(state.kernel == "triton" for state in states.values()) and not usable(
        torch.zeros(1, 1, 1, 1, device=device), "triton"
    ):
        raise NotHere(f"triton cannot run: device {device}, TRITON_INTERPRET={os.environ.get('TRITON_INTERPRET')}")


_WITHOUT_PLAIN = {name: state for name, state in STATES.items() if name != PLAIN}
_OF_JOINT = {name: STATES[name] for name in JOINT[1:]}

ROWS = (
    Row("golden tests", 35, check("golden tests")),
    Row("layer, outer", 35, layer("SDXL, 1024 px, outer level", _WITHOUT_PLAIN)),
    Row("layer, inner", 30, layer("SDXL, 1024 px, inner level", _WITHOUT_PLAIN)),
    Row("layer, outer, ways", 20, layer("SDXL, 1024 px, outer level", WAYS)),
    Row("layer, inner, ways", 20, layer("SDXL, 1024 px, inner level", WAYS)),
    Row("SDXL", 75, denoiser("SDXL", _WITHOUT_PLAIN)),
    Row("kernel tests", 65, check("kernel tests")),
    Row("layer, outer, kernel", 35, layer("SDXL, 1024 px, outer level", KERNEL)),
    Row("layer, inner, kernel", 30, layer("SDXL, 1024 px, inner level", KERNEL)),
    Row("released code", 40, released),
    Row("SD3 medium", 35, denoiser("SD3 medium", _OF_JOINT)),
    Row("FLUX.1-dev", 50, denoiser("FLUX.1-dev", _OF_JOINT)),
)
"""In the order in which they run. Their seconds add up to less than eight minutes (tested)."""
