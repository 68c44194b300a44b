"""One self-attention under each state, at SDXL's two shapes and the bundled model's: `python -m tests.bench.layer`."""

from collections.abc import Sequence
from contextlib import ExitStack
from copy import deepcopy

import torch
from diffusers.models.attention_processor import Attention

from tests.bench.rounds import alternate, ratios, spread
from tests.bench.states import PLAIN, STATES, work
from tests.bench.tables import NOT_MEASURED, arguments, show

Shape = tuple[int, int, int, int]
"""Rows B, heads H, tokens L, width C."""

SHAPES: dict[str, Shape] = {
    "SDXL, 1024 px, outer level": (2, 10, 4096, 640),  # of the two rows of guidance a CPU is given one
    "SDXL, 1024 px, inner level": (2, 20, 1024, 1280),
    "shapes-xl, 8 images, outer level": (16, 4, 256, 64),
    "shapes-xl, 8 images, inner level": (16, 6, 64, 96),
}
LONG = 1024
"""Tokens from which a call takes seconds on a CPU."""
TINY: dict[str, Shape] = {"tiny": (2, 2, 16, 8)}


def flops(shape: Shape) -> dict[str, int]:
    """The work of each state."""
    rows, heads, tokens, width = shape
    found = {}
    with torch.device("meta"):
        layer, x = Attention(width, heads=heads, dim_head=width // heads).eval(), torch.empty(rows, tokens, width)
    for name, state in STATES.items():
        with state.on(layer, recorder=state.recorder()):
            found[name] = work(lambda: layer(x))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", default=None, help="float32 on a CPU, float16 on a GPU")
    asked = parser.parse_args(argv)
    dtype = getattr(torch, asked.dtype or ("float32" if asked.device == "cpu" else "float16"))
    missing = asked.device == "cuda" and not torch.cuda.is_available()
    torch.set_num_threads(asked.threads)
    rows, raw = [], {}
    for shape_name, shape in (TINY if asked.tiny else SHAPES).items():
        if asked.device == "cpu" and shape[2] >= LONG:
            shape = (1, *shape[1:])
        floor = flops(shape)
        times = {} if missing else _times(shape, asked.device, dtype, asked.rounds)
        raw[shape_name] = {"shape": shape, "flops": floor, "times": times}
        for name in STATES:
            ratio = ratios(times, name, PLAIN, asked.device) if times else NOT_MEASURED
            median = spread([1e3 * second for second in times[name].seconds]) if times else NOT_MEASURED
            rows.append(
                [shape_name, "x".join(map(str, shape)), name, median, ratio, f"{floor[name] / floor[PLAIN]:.2f}"]
            )
    show(
        f"layer-{asked.device}",
        f"One self-attention layer, {str(dtype).removeprefix('torch.')}",
        ["layer", "B x H x L x C", "state", "milliseconds", "/ plain", "FLOP / plain"],
        rows,
        device="cpu" if missing else asked.device,
        notes=[
            "Medians with quartiles of rounds in which all states take turns; the ratio is of processor time on a CPU. "
            "FLOP counts matrix products alone: a floor without softmax, norms and signs."
        ]
        + (["GPU columns: not measured, there is none here."] if missing else []),
        raw=raw,
        out=asked.out,
    )


@torch.no_grad()
def _times(shape: Shape, device: str, dtype: torch.dtype, rounds: int) -> dict:
    """Each state has a copy of the layer, so that taking turns costs nothing."""
    rows, heads, tokens, width = shape
    torch.manual_seed(0)
    layer = Attention(width, heads=heads, dim_head=width // heads).eval().to(device, dtype)
    x = torch.randn(rows, tokens, width).to(device, dtype)
    with ExitStack() as stack:
        copies = {name: deepcopy(layer) for name in STATES}
        for name, state in STATES.items():
            stack.enter_context(state.on(copies[name], recorder=state.recorder()))
        sides = {name: lambda copy=copy: copy(x) for name, copy in copies.items()}
        return alternate(sides, device, rounds, 0 if tokens == 16 else 5, warm=device == "cpu" and tokens >= LONG)


if __name__ == "__main__":
    main()
