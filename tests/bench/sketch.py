"""How far estimated norms are from exact ones, by the number of directions: `python -m tests.bench.sketch`.

On the bundled model, under the skew knob. The ratio is the factor of a token in a head, in all blocks and steps of the
same images, which are generated with exact norms. The images are then generated with each number of directions.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skewbench.stability import Knob, Skew, SoftmaxCall, perturb
from skewbench.stability.control import blend_for
from skewbench.stability.knobs import Sketch
from skewbench.stability.retrieval import retrieval
from tests.bench.tables import arguments, show
from tests.bench.workloads import Workload, bundled

KNOB = Skew(1.2, 5.0)
COUNTS = (4, 8, 16, 32, 64, 96)
QUANTILES = (0.5, 0.95, 0.99)


class Observed(Skew):
    """The knob with exact norms, which keeps the relative error of each number of directions."""

    def act(self, call: SoftmaxCall) -> SoftmaxCall:
        exact = super().act(call)
        ratio = retrieval(exact).ratio
        assert ratio is not None
        for count, errors in _ERRORS.items():
            blend = blend_for(replace(KNOB, rescale=Sketch(count)), call)
            own = retrieval(call._replace(x=call.x[..., :1], blend=blend)).ratio
            assert own is not None
            errors.append((own / ratio - 1).abs().flatten())
        return exact


_ERRORS: dict[int, list[torch.Tensor]] = {}


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path, help="another folder in the hub's layout")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--images", type=int, default=4, help="at once")
    asked = parser.parse_args(argv)
    torch.set_num_threads(asked.threads)
    counts = COUNTS[:2] if asked.tiny else COUNTS
    workload = bundled(asked.images, asked.steps, asked.model)
    _ERRORS.clear()
    _ERRORS.update({count: [] for count in counts})
    exact = _images(workload, Observed(KNOB.alpha, KNOB.beta))
    plain, off = _images(workload, None), _images(workload, replace(KNOB, rescale="off"))
    rows: list[list[Any]] = []
    raw: dict[str, Any] = {"plain": _apart(plain, exact), "off": _apart(off, exact)}
    for count in counts:
        errors = torch.cat(_ERRORS[count])
        quantiles = np.quantile(errors.numpy(), QUANTILES)
        apart = _apart(_images(workload, replace(KNOB, rescale=Sketch(count))), exact)
        raw[str(count)] = {"quantiles": list(map(float, quantiles)), "apart": apart, "values": len(errors)}
        rows.append([f"{count}", *(f"{100 * each:.2g}%" for each in quantiles), f"{apart:.2f}"])
    rows.append(["not rescaled", *[""] * len(QUANTILES), f"{raw['off']:.2f}"])
    rows.append(["plain attention", *[""] * len(QUANTILES), f"{raw['plain']:.2f}"])
    widths = sorted({each.width for each in _blocks(workload)})
    show(
        "sketch",
        f"Rescaling by estimated norms: {workload.name}, {KNOB.words}",
        ["directions", *(f"error of the ratio, {100 * q:g}% of tokens below" for q in QUANTILES), "pixel distance"],
        rows,
        device="cpu",
        notes=[
            f"Blocks have {' and '.join(map(str, widths))} features; from as many directions on the norms are exact. "
            "Pixel distance: mean absolute difference from the images with exact norms, of 255."
        ],
        raw=raw,
        out=asked.out,
    )


def _images(workload: Workload, knob: Knob | None) -> np.ndarray:
    if knob is None:
        return np.asarray(workload.generate())
    with perturb(workload.unet, knob, samples=workload.images):
        return np.asarray(workload.generate())


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of pixels, of 255."""
    return float(255 * np.abs(one - other).mean())


def _blocks(workload: Workload) -> list[Any]:
    from skewbench.stability import self_attention_blocks

    return self_attention_blocks(workload.unet)


if __name__ == "__main__":
    main()
