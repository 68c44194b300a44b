"""Everything that needs a GPU, in one command of under eight minutes: `python -m tests.bench.gpu --out FOLDER`.

It runs the golden tests and the kernel's tests on the device in float32, float16 and bfloat16. It measures one layer of
SDXL at both of its shapes, and the denoisers of SDXL, SD3 and FLUX at full size with random weights. Each row runs in a
process of its own, so that a fault in one leaves the others alone. What is known is written into FOLDER/gpu.json after
each row. A row that no longer fits is `not reached`.

A machine with torch and Triton needs the packages of `tests/bench/gpu-kit.txt` besides. `make bench-gpu-kit` downloads
them into a folder, and `make bench-gpu` installs them from there. Nothing else is needed, and no network.

--rehearse runs all of it in small on a CPU. Its numbers mean nothing.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LIMIT = 470.0
"""Seconds for all rows, on a machine that is lent for eight minutes."""
DONE, FAILED, STOPPED, NOT_REACHED, NOT_HERE = "done", "failed", "stopped", "not reached", "not here"


def main(argv: Sequence[str] | None = None) -> int:
    """Run all rows.

    Returns:
        0 if all are done, 1 if some failed or were not reached, 2 if there is no GPU.
    """
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder for gpu.json")
    parser.add_argument("--released", type=Path, help="folder of the paper's released code")
    parser.add_argument("--seconds", type=float, default=LIMIT, help="for all rows")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="some of the rows, by name")
    parser.add_argument("--rehearse", action="store_true", help="in small, on the CPU")
    asked = parser.parse_args(argv)
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # asking for a GPU must not start CUDA before a process forks
    if asked.rehearse:
        os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is first imported

    import torch

    from tests.bench.gpu_rows import ROWS, Setting

    torch.set_num_threads(1)
    if unknown := sorted(set(asked.only or ()) - {row.name for row in ROWS}):
        parser.error(f"--only {unknown[0]!r}: rows are {', '.join(row.name for row in ROWS)}")
    if not asked.rehearse and not torch.cuda.is_available():
        print("no GPU on this machine; --rehearse runs everything in small on the CPU", file=sys.stderr)
        return 2
    setting = Setting("cpu" if asked.rehearse else "cuda", asked.rehearse, asked.released, 1 if asked.rehearse else 3)
    asked.out.mkdir(parents=True, exist_ok=True)
    file = asked.out / "gpu.json"
    rows = [row for row in ROWS if not asked.only or row.name in asked.only]
    kept: dict[str, Any] = {"rehearsal": asked.rehearse, **_machine(setting)}
    kept["rows"] = {row.name: {"status": NOT_REACHED, "states": {}} for row in rows}
    _write(file, kept)
    for row in rows:
        left = asked.seconds - (time.monotonic() - began)
        if row.seconds <= left:
            kept["rows"][row.name] = _run(row, setting, asked.out)
            kept["device"] = kept["rows"][row.name].pop("device", None) or kept["device"]
        found = kept["rows"][row.name]
        print(f"{row.name}: {found['status']}{': ' + found['reason'] if 'reason' in found else ''}", flush=True)
        _write(file, kept)
    kept["seconds"] = round(time.monotonic() - began, 1)
    _write(file, kept)
    print(f"{kept['seconds']:.0f} s; {file}")
    return int(any(found["status"] in (FAILED, STOPPED, NOT_REACHED) for found in kept["rows"].values()))


def _run(row: Any, setting: Any, out: Path) -> dict[str, Any]:
    """Run one row in a process of its own, and end it at its limit."""
    part = out / "gpu-row.json"
    part.unlink(missing_ok=True)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(row, setting, part))
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12's of forks: the parent has no work in threads
        process.start()
    process.join(row.seconds)
    stopped = process.is_alive()
    if stopped:
        process.kill()
        process.join()
    found: dict[str, Any] = json.loads(part.read_text()) if part.exists() else {"status": FAILED, "states": {}}
    part.unlink(missing_ok=True)
    if stopped:
        found |= {"status": STOPPED, "reason": f"it took more than its {row.seconds:g} s"}
    elif process.exitcode:
        found |= {"status": FAILED, "reason": f"its process ended with {process.exitcode}"}
    return found | {"seconds": round(time.monotonic() - began, 1)}


def _child(row: Any, setting: Any, part: Path) -> None:
    """Run a row, and write what is known of it after each state."""
    import torch

    from tests.bench.gpu_rows import NotHere

    name = torch.cuda.get_device_name() if setting.device == "cuda" else platform.processor() or platform.machine()
    found: dict[str, Any] = {"status": FAILED, "states": {}, "device": name}

    def put(state: str, values: Mapping[str, Any]) -> None:
        found["states"][state] = dict(values)
        _write(part, found)

    try:
        row.run(setting, put)
        broken = [name for name, values in found["states"].items() if "failed" in values]
        found |= {"status": FAILED, "reason": f"failed: {', '.join(broken)}"} if broken else {"status": DONE}
    except NotHere as error:
        found |= {"status": NOT_HERE, "reason": str(error)}
    except Exception as error:
        traceback.print_exc()
        found["reason"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    _write(part, found)


def _machine(setting: Any) -> dict[str, Any]:
    """Describe versions and number format. A row names the device: CUDA must not start in this process."""
    import diffusers
    import torch

    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "python": platform.python_version()}
    try:
        import triton

        versions["triton"] = triton.__version__
    except ImportError:
        versions["triton"] = "missing"
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return {"device": None, "dtype": str(setting.dtype).removeprefix("torch."), "versions": versions, "made": made}


def _write(file: Path, kept: Mapping[str, Any]) -> None:
    """Replace the file atomically: a process that is killed leaves the last state."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(kept, indent=1) + "\n")
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main())
