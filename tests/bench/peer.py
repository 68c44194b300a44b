"""Against others, in one process and on the same tensors: `python -m tests.bench.peer --released PATH`.

The paper's released code, from a checkout of yours (`git clone` of the address in `tests/bench/released.py`), and
diffusers' PAG pipeline. Without the path the released code's column says so.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from skewbench.stability import Skew, measure, symmetry_index
from tests.bench import released as peer
from tests.bench.rounds import alternate, ratios, spread
from tests.bench.states import PLAIN, STATES, State
from tests.bench.tables import NOT_MEASURED, arguments, show
from tests.bench.workloads import Workload, bundled, load, sdxl_sized
from tests.stability.models import heads_of

STATIC, ADAPTIVE = Skew(1.05, 5.0), Skew(1.2, 5.0, "dev", True, eta_scope="batch")  # as released: eta of the batch


class Pair(NamedTuple):
    """The same work on both sides; `theirs` is None where their code is not here. `difference`: largest, relative."""

    ours: Callable[[], Any]
    theirs: Callable[[], Any] | None
    difference: float | None = None


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--released", type=Path, help="folder of the released code")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--model", type=Path, help="another folder in the hub's layout, on the CPU")
    parser.add_argument("--steps", type=int, default=5, help="of the whole model")
    asked = parser.parse_args(argv)
    torch.set_num_threads(asked.threads)
    if asked.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU here")
    code = peer.load(asked.released) if asked.released else None
    rows: list[list[Any]] = []
    raw: dict[str, Any] = {}
    with torch.no_grad():
        layers = layer_pairs(code, asked.device, asked.tiny)
        models = model_pairs(code, asked.device, 1 if asked.tiny else asked.steps, asked.model)
        for name, pair in (layers | models).items():
            sides = {"ours": pair.ours} | ({"theirs": pair.theirs} if pair.theirs else {})
            times = alternate(sides, asked.device, asked.rounds)
            raw[name] = times
            theirs = (
                [spread(times["theirs"].seconds), ratios(times, "theirs", "ours", asked.device)]
                if pair.theirs
                else None
            )
            difference = NOT_MEASURED if pair.difference is None else f"{pair.difference:.1e}"
            rows.append([name, spread(times["ours"].seconds), *(theirs or [NOT_MEASURED] * 2), difference])
    notes = [
        "Seconds: medians with quartiles of rounds in which both sides take turns; the ratio is of processor time on a "
        "CPU. Their coupling matrices (H, C, C) are given to them, and not counted, in the two rows of measures."
    ]
    if code is None:
        notes.append(
            f"The released code: not measured, no path was given (--released, a checkout of {peer.REPOSITORY})."
        )
    show(
        f"peer-{asked.device}",
        "The released code, and diffusers' PAG, against ours",
        ["work", "ours, s", "theirs, s", "theirs / ours", "largest difference"],
        rows,
        device=asked.device,
        notes=notes,
        raw=raw,
        out=asked.out,
    )


def layer_pairs(code: peer.Released | None, device: str, tiny: bool) -> dict[str, Pair]:
    """One layer of SDXL's inner width: on a CPU at 256 tokens (512 px), on a GPU at 1024 tokens and two rows."""
    width, heads, tokens, rows = (
        (16, 2, 9, 1) if tiny else (1280, 20, 256, 1) if device == "cpu" else (1280, 20, 1024, 2)
    )
    dtype = torch.float32 if device == "cpu" else torch.float16
    torch.manual_seed(0)
    layer = Attention(width, heads=heads, dim_head=width // heads).eval().to(device, dtype)
    x = torch.randn(rows, tokens, width).to(device, dtype)
    where = f"layer, C = {width}, H = {heads}, L = {tokens}: "
    q, k = heads_of(layer, x)
    xi = (layer.scale * q.float() @ k.float().mT).softmax(-1) @ x.float()[:, None]
    both = peer.coupling(layer.float()) if code else None
    layer.to(dtype)

    def measures() -> dict[str, Tensor]:
        found = measure(xi, q, k)
        means = {name: value.mean(1) for name, value in found._asdict().items()}
        return means | {"symmetry": symmetry_index(q, k, center=True).mean(0)}

    pairs = {
        where + "measures and eta": Pair(measures, None),
        where + "eta alone": Pair(lambda: symmetry_index(q, k), None),
    }
    if code and both:
        theirs = code.measures(xi, x, both)
        apart = max(
            _difference(ours, theirs[name].to(device)) for name, ours in measures().items() if name != "instability"
        )
        pairs[where + "measures and eta"] = Pair(measures, lambda: code.measures(xi, x, both), apart)
        eta = code.adaptive.compute_functional_eta
        apart = _difference(symmetry_index(q, k), eta(x, *both))
        pairs[where + "eta alone"] = Pair(lambda: symmetry_index(q, k), lambda: eta(x, *both), apart)
    for name, (state, options) in _KNOBS.items():
        ours, theirs = deepcopy(layer), deepcopy(layer)
        side = _in_state(ours, x, state)
        if code is None:
            pairs[where + name] = Pair(side, None)
        else:
            theirs.set_processor(code.processor(state.knob.alpha, state.knob.beta, **options))
            apart = _difference(side(), theirs(x))
            pairs[where + name] = Pair(side, lambda theirs=theirs: theirs(x), apart)
    return pairs


_ENERGY = ("energy",)
_KNOBS: dict[str, tuple[State, dict[str, bool]]] = {
    "static knob": (State(STATIC), {}),
    "static knob, energies": (State(STATIC, "all", _ENERGY), {"energies": True}),
    "adaptive": (State(ADAPTIVE), {"adaptive": True}),
}
"""Ours, and what the released processor is asked for. Its processors measure the energy alone."""


def _in_state(layer: Attention, x: Tensor, state: State) -> Callable[[], Tensor]:
    def side() -> Tensor:
        with state.on(layer, recorder=state.recorder()):
            return layer(x)

    return side


def model_pairs(code: peer.Released | None, device: str, steps: int, folder: Path | None) -> dict[str, Pair]:
    workload = bundled(4, steps, folder) if device == "cpu" else sdxl_sized(steps, torch.float16)
    pairs = {}
    for name, (state, options) in _KNOBS.items():
        theirs = (
            None
            if code is None
            else _released_side(workload, code.processor(state.knob.alpha, state.knob.beta, **options))
        )
        pairs[f"{workload.name}: {name}"] = Pair(workload.side(state), theirs)
    if device == "cpu":
        for name in (PLAIN, "knob", "measured, all columns"):
            pairs[f"{workload.name}: {name}; theirs: PAG at mid"] = Pair(
                workload.side(STATES[name]), _pag_side(workload, folder)
            )
    return pairs


def _released_side(workload: Workload, processor: Any) -> Callable[[], Any]:
    """Its processor on the self-attentions; diffusers' own on the others, as its cross-attention is diffusers'."""

    def side() -> None:
        before = dict(workload.unet.attn_processors)
        workload.unet.set_attn_processor(
            {name: processor if ".attn1." in name else own for name, own in before.items()}
        )
        try:
            workload.generate()
        finally:
            workload.unet.set_attn_processor(before)

    return side


def _pag_side(workload: Workload, folder: Path | None) -> Callable[[], Any]:
    """Perturbed-attention guidance: a third branch, whose self-attention in the middle is the identity."""
    from diffusers import StableDiffusionXLPAGPipeline

    parts = dict(load(folder).components)
    unet = deepcopy(parts["unet"])  # it sets processors of its own and leaves them there
    pag = StableDiffusionXLPAGPipeline(**parts | {"unet": unet}, pag_applied_layers=["mid"], add_watermarker=False)
    pag.set_progress_bar_config(disable=True)
    return lambda: workload.generate(pag, pag_scale=3.0)


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


if __name__ == "__main__":
    main()
