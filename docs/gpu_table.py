"""Fill the GPU's tables of docs/performance-gpu.md from docs/benchmarks/gpu.json: `python docs/gpu_table.py`.

`make bench-gpu` writes such a file as build/bench/gpu.json. Without one each cell says `not measured`.
"""

import json
import re
from pathlib import Path
from typing import Any

from tests.bench.gpu_rows import JOINT, KERNEL, WAYS
from tests.bench.states import PLAIN, STATES

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "benchmarks/gpu.json"
BLOCK = re.compile(r"(<!-- gpu: [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_MEASURED = "not measured"
TIMES = ("layer, outer", "layer, inner", "SDXL", "SD3 medium", "FLUX.1-dev")
CALLS = ("SDXL", "SD3 medium", "FLUX.1-dev")


def tables(results: dict[str, Any] | None) -> str:
    """All tables of a result, or of none, as Markdown.

    Raises:
        ValueError: The result is a rehearsal's.
    """
    if results is not None and results["rehearsal"]:
        raise ValueError("a rehearsal measures nothing: give the gpu.json of a GPU")
    rows = {} if results is None else results["rows"]
    where = NOT_MEASURED
    if results is not None:
        versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
        where = (
            f"{results['device']}; {versions}; SDXL in {results['dtype']}, SD3 and FLUX in bfloat16; {results['made']}"
        )
    states = [*STATES, *WAYS, *KERNEL]
    parts = [
        f"Device: {where}.",
        "Milliseconds, and in brackets the ratio to plain, medians of rounds in which all states take turns:",
        _table(["state", *TIMES], [[state, *(_time(rows, row, state) for row in TIMES)] for state in states]),
        "Peak memory of a call in GB, weights included, and synchronisations of host and device in it:",
        _table(["state", *CALLS], [[state, *(_call(rows, row, state) for row in CALLS)] for state in STATES]),
        _table(["check", "result"], [[name, _checked(rows, name)] for name in ("golden tests", "kernel tests")]),
        _released(rows),
    ]
    return "\n\n".join(parts) + "\n"


def _of(rows: dict[str, Any], row: str, state: str) -> dict[str, Any] | str:
    """Return what is known of a state, or why nothing is."""
    if row.startswith("layer") and state in KERNEL:
        row = f"{row}, kernel"
    elif row.startswith("layer") and state in WAYS:
        row = f"{row}, ways"
    elif state in (*KERNEL, *WAYS) or (row in CALLS[1:] and state not in JOINT):
        return ""
    found = rows.get(row)
    if found is None:
        return NOT_MEASURED
    values = found["states"].get(state)
    return found["status"] if values is None else values.get("failed", "").partition(":")[0] or values


def _time(rows: dict[str, Any], row: str, state: str) -> str:
    found = _of(rows, row, state)
    if isinstance(found, str):
        return found
    if "ms" not in found:
        return str(rows[row]["status"])
    ratio = "" if state == PLAIN else f" ({found['ratio'][0]:.2f})"
    return f"{found['ms'][0]:.3g}{ratio}"


def _call(rows: dict[str, Any], row: str, state: str) -> str:
    found = _of(rows, row, state)
    return found if isinstance(found, str) else f"{found['peak_bytes'] / 1e9:.2f}; {found['synchronisations']}"


def _checked(rows: dict[str, Any], name: str) -> str:
    found = rows.get(name)
    if found is None:
        return NOT_MEASURED
    tests = found["states"].get("tests")
    if tests is None:
        return str(found["status"])
    failures = tests["failures"]
    return f"{tests['passed']} passed, {tests['skipped']} skipped, {len(failures)} failed" + "".join(
        f"; `{failure}`" for failure in failures
    )


def _released(rows: dict[str, Any]) -> str:
    """The paper's released code against ours."""
    found = rows.get("released code")
    header = ["against the released code", "ours, ms", "theirs, ms", "theirs / ours", "largest difference"]
    if found is None or not found["states"]:
        return _table(header, [["all rows", *[NOT_MEASURED if found is None else found["status"]] * 4]])
    lines = []
    for name, values in found["states"].items():
        theirs = values.get("theirs ms")
        cells = [f"{theirs[0]:.3g}", f"{values['ratio'][0]:.2f}"] if theirs else [NOT_MEASURED] * 2
        apart = NOT_MEASURED if values["difference"] is None else f"{values['difference']:.1e}"
        lines.append([name, f"{values['ours ms'][0]:.3g}", *cells, apart])
    return _table(header, lines)


def _table(header: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def filled(page: str) -> str:
    """The page with its block filled."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else None
    text, count = BLOCK.subn(lambda block: f"{block[1]}{tables(results)}{block[2]}", page)
    if count != 1:
        raise ValueError(f"docs/performance-gpu.md has {count} blocks `<!-- gpu: ... -->`; it must have one")
    return text


if __name__ == "__main__":
    PAGE = FOLDER / "performance-gpu.md"
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
