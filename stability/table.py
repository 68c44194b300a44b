"""Makes one Arrow table from the records of a recorder."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from skewbench.stability.blocks import Block
from skewbench.stability.entries import Entry, on_host
from skewbench.stability.loop import BRANCHES
from skewbench.storage.columns import MEASURE_FIELDS, table_of_rows
from skewbench.vocabulary.measures import CONTROLS, NAMES

SCHEMA = pa.schema(
    [
        pa.field("sample", pa.int32(), nullable=False),  # its index in the batch
        pa.field("block", pa.int16(), nullable=False),
        pa.field("block_name", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("branch", pa.string(), nullable=False),
        *MEASURE_FIELDS,
    ]
)


def table(entries: list[Entry], detail: str) -> pa.Table:
    """Make one row for each sample, block and branch, sorted in this order. Copies from the device once.

    A mean over values of which one is not finite is not finite either. NULL: not measured, or not kept by `detail`.

    Args:
        entries: What the blocks measured, in the order of the calls.
        detail: Which series are kept beside the means: `mean` (none), `steps` or `heads`.
    """
    by_branch: dict[tuple[int, int], list[_Step]] = {}
    for entry, values in zip(entries, on_host(entries), strict=True):
        for number, branch in enumerate(entry.branches):
            own = slice(number * entry.samples, (number + 1) * entry.samples)
            mine = _Step(entry.block, entry.step, branch, {name: value[own] for name, value in values.items()})
            by_branch.setdefault((entry.block.number, BRANCHES.index(branch)), []).append(mine)
    rows = [row for place in sorted(by_branch) for row in _rows(by_branch[place], detail)]
    rows.sort(key=lambda row: row["sample"])  # stable: blocks and branches keep their order
    return table_of_rows(rows, SCHEMA)


class _Step(NamedTuple):
    """The measurements of one block for one branch in one step: measures (samples, H) and controls (samples,)."""

    block: Block
    step: int
    branch: str
    values: dict[str, np.ndarray]


def _rows(measured: list[_Step], detail: str) -> list[dict[str, Any]]:
    """Make the rows of one block and branch, one per sample."""
    measured = sorted(measured, key=lambda each: each.step)
    block, _, branch, first = measured[0]
    columns = _columns([each.values for each in measured], detail)
    steps = np.array([each.step for each in measured], np.int16)
    return [
        {
            "sample": sample,
            "block": block.number,
            "block_name": block.name,
            "stage": block.stage,
            "branch": branch,
            "steps": steps,
            **{name: column[sample] for name, column in columns.items()},
        }
        for sample in range(len(next(iter(first.values()))))
    ]


def _columns(steps: list[dict[str, np.ndarray]], detail: str) -> dict[str, Any]:
    """Compute each measure's and control's mean, and its series; each is indexed by row first."""
    columns: dict[str, Any] = {}
    for name in (*NAMES, *CONTROLS):
        by_step = [step.get(name) for step in steps]
        present = [values for values in by_step if values is not None]
        if not present:
            continue
        series = np.stack(present, axis=1)  # (B, steps) or (B, steps, H)
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, and recorded as such
            over_heads = series.astype(np.float64).reshape(*series.shape[:2], -1).mean(axis=2)
            mean = over_heads.mean(axis=1)
        if len(present) == len(steps):  # else a knob of another kind was on for some steps: no mean
            columns[name] = mean.astype(np.float32)
        if detail != "mean":
            columns[f"{name}_steps"] = _with_gaps(over_heads.astype(np.float32), [v is None for v in by_step])
        if detail == "heads" and name in NAMES:
            columns[f"{name}_heads"] = [list(row) for row in series]
    return columns


def _with_gaps(values: np.ndarray, gaps: list[bool]) -> Any:
    """Insert None into `values` (B, steps with a value) for the steps without one."""
    if not any(gaps):
        return values
    rows = (iter(row.tolist()) for row in values)
    return [[None if gap else next(row) for gap in gaps] for row in rows]
