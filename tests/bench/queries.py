"""How long answers take on large runs, as a table: `python -m tests.bench.queries` (the work is `tests.scale`'s)."""

from collections.abc import Sequence

from tests import scale
from tests.bench.tables import arguments, show


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000])
    asked = parser.parse_args(argv)
    found = scale.main([80] if asked.tiny else asked.samples, 8, apart=not asked.tiny)
    show(
        "queries",
        "Answers over large runs: 4 cells, 70 blocks x 2 branches a sample",
        ["samples", "answer", "seconds", "processor seconds", "peak memory, GB"],
        [
            [
                f"{row['samples']:,}",
                row["answer"],
                *(f"{row[name]:.2f}" for name in ("seconds", "processor", "gigabytes")),
            ]
            for row in found
        ],
        device="cpu",
        notes=["Each in a process of its own, once. `analysis` has 1,000 resamples; `report` is the whole HTML file."],
        raw=found,
        out=asked.out,
    )


if __name__ == "__main__":
    main()
