"""Whole models under each state, seconds and peak memory an image: `python -m tests.bench.model`.

On a CPU the bundled model, 20 steps, guidance 5, 64 x 64, eight images at once; with `--device cuda` SDXL's UNet at
full size with seeded random weights, 30 steps, 1024 px. The work of both is counted on any machine.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from skewbench.tasks.freed_memory import keep_freed_memory
from tests.bench.memory import peak
from tests.bench.rounds import alternate, ratios, spread
from tests.bench.states import PLAIN, STATES
from tests.bench.tables import NOT_MEASURED, arguments, show
from tests.bench.workloads import Workload, bundled, sdxl_sized


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--model", type=Path, help="another folder in the hub's layout, on the CPU")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--images", type=int, default=8, help="at once, on the CPU")
    parser.add_argument("--dtype", default="float16", choices=["float16", "bfloat16"], help="on a GPU")
    asked = parser.parse_args(argv)
    torch.set_num_threads(asked.threads)
    if asked.device == "cpu":
        keep_freed_memory()  # as workers do
        table(
            bundled(asked.images, asked.steps or (2 if asked.tiny else 20), asked.model),
            "cpu",
            asked.rounds,
            asked.out,
        )
    there = torch.cuda.is_available()
    if asked.device == "cuda" or not (there or asked.tiny):
        device = "cuda" if there and asked.device == "cuda" else "meta"
        workload = sdxl_sized(asked.steps or 30, getattr(torch, asked.dtype), device)
        table(workload, device, asked.rounds, asked.out)


def table(workload: Workload, device: str, rounds: int, out: Path | None) -> None:
    """One model's table; on the meta device the work is counted and nothing measured."""
    sides = {name: workload.side(state) for name, state in STATES.items()}
    flops = {name: workload.flops(state) for name, state in STATES.items()}
    peaks = {} if device == "meta" else {name: peak(side, device) for name, side in sides.items()}
    times = {} if device == "meta" else alternate(sides, device, rounds, warm=True)
    rows = []
    for name in STATES:
        seconds = spread([t / workload.images for t in times[name].seconds]) if times else NOT_MEASURED
        worked = spread([t / workload.images for t in times[name].processor]) if times else NOT_MEASURED
        ratio = ratios(times, name, PLAIN, device) if times else NOT_MEASURED
        memory = f"{most / 1e9:.3f}" if (most := peaks.get(name)) else NOT_MEASURED
        rows.append([name, seconds, worked, ratio, memory, f"{flops[name] / flops[PLAIN]:.2f}"])
    notes = [
        "Medians with quartiles of rounds in which all states take turns; the ratio is of processor time on a CPU. "
        "Memory is the process's on a CPU, the allocator's on a GPU, weights included. FLOP counts matrix products and "
        f"convolutions of the UNet (plain: {flops[PLAIN] / 1e12:.3g} TFLOP a call): a floor, without softmax or norms."
    ]
    if not times:
        notes.append("Not measured: there is no GPU here. The work is counted all the same.")
    show(
        f"model-{'cuda' if device == 'meta' else device}",
        f"Whole model: {workload.name}",
        ["state", "seconds an image", "processor seconds", "/ plain", "peak memory, GB", "FLOP / plain"],
        rows,
        device="cpu" if device == "meta" else device,
        notes=notes,
        raw={"times": times, "peaks": peaks, "flops": flops},
        out=out,
    )


if __name__ == "__main__":
    main()
