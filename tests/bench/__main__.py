"""All tables that this machine can make: `python -m tests.bench`, which is `make bench`.

--out FOLDER      keep them, as Markdown and JSON
--released PATH   a checkout of the paper's released code; without it that column is not measured
--only NAME ...   some of them
--tiny            small sizes: whether it works, not how fast it is
"""

import argparse
import time
from pathlib import Path

import torch

from tests.bench import cells, lake, layer, model, open_lake, peer, pool, prompts, queries, receipts, sketch, startup


def main(argv: list[str] | None = None) -> None:
    modules = {
        "layer": layer,
        "model": model,
        "peer": peer,
        "cells": cells,
        "prompts": prompts,
        "sketch": sketch,
        "lake": lake,
        "open_lake": open_lake,
        "queries": queries,
    }
    modules |= {"receipts": receipts, "pool": pool, "startup": startup}
    tables = {name: module.main for name, module in modules.items()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--released", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(tables), default=list(tables))
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args(argv)
    common = (["--out", str(asked.out)] if asked.out else []) + (["--tiny"] if asked.tiny else [])
    began = time.perf_counter()
    for name in asked.only:
        more = ["--released", str(asked.released)] if name == "peer" and asked.released else []
        for device in ("cpu", "cuda"):
            if device == "cpu" or (torch.cuda.is_available() and name in ("layer", "model", "peer")):
                tables[name]([*common, *more, *(["--device", device] if device == "cuda" else [])])
    print(f"All of it took {time.perf_counter() - began:.0f} s.")


if __name__ == "__main__":
    main()
