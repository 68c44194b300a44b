"""Printing a table, and keeping it with what it was made on."""

import argparse
import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import diffusers
import torch

NOT_MEASURED = "not measured"


def arguments(about: str | None, *, rounds: int = 3) -> argparse.ArgumentParser:
    """What every table's command takes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for the table as Markdown and JSON")
    parser.add_argument("--rounds", type=int, default=rounds, help="at least so many")
    parser.add_argument("--threads", type=int, default=1, help="of torch on a CPU")
    parser.add_argument("--tiny", action="store_true", help="small sizes: whether it works, not how fast it is")
    return parser


def device_name(device: str) -> str:
    """The device's own name, and of a CPU the cores."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    from skewbench.tasks.generate import cpu_name  # needs pyarrow, which a machine of `tests.bench.gpu` lacks

    return f"{cpu_name()}, {os.cpu_count()} cores"


def show(
    name: str,
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    device: str,
    notes: Sequence[str] = (),
    raw: Any = None,
    out: Path | None = None,
) -> str:
    """Prints the table; writes it as `<name>.md` and, with the `raw` numbers, as `<name>.json` into `out`."""
    rows = [[str(cell) for cell in row] for row in rows]
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}, Python {platform.python_version()}"
    where = f"{device_name(device)}; {versions}; {torch.get_num_threads()} torch thread(s)"
    lines = [f"### {title}", "", where, ""]
    lines += [_line(header), _line(["---"] * len(header)), *map(_line, rows), ""]
    lines += [line for note in notes for line in (note, "")]
    text = "\n".join(lines)
    print(text, flush=True)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.md").write_text(text)
        kept = {"title": title, "device": where, "made": datetime.now(UTC).isoformat(timespec="seconds")}
        kept |= {"header": list(header), "rows": rows, "notes": list(notes), "raw": raw}
        (out / f"{name}.json").write_text(json.dumps(kept, indent=1, default=_plain) + "\n")
    return text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
