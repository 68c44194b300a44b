"""The Triton kernels compiled for a Hopper GPU, which needs none: `python -m tests.stability.compiled`.

Prints a line of JSON for each variant at SDXL's shapes: registers of a thread, bytes of shared memory, bytes that
spilled into slow local memory, and whether the products run on tensor cores.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from skewbench.stability import kernel, norm_kernel

TARGET = GPUTarget("cuda", 90, 32)
ASSEMBLER = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "ptxas-blackwell"
"""It assembles for Hopper too. The plain `ptxas` beside it is too old for what Triton writes."""
HEAD, FEATURES = 64, (640, 1280)
TYPES = {torch.float16: "*fp16", torch.bfloat16: "*bf16"}


def variants() -> Iterator[tuple[Any, torch.dtype, dict[str, Any]]]:
    """Kernels, number formats and constants, as the calls of a layer of SDXL have them."""
    for dtype in TYPES:
        for columns in (HEAD, *FEATURES):  # values of the heads, and features that are measured without a norm
            for skewed in (True, False):
                constants = {"WIDTH": HEAD, "COLUMNS": columns, "SKEWED": skewed}
                yield kernel._pair_kernel, dtype, constants | kernel.tiles_of(HEAD, columns, dtype)
        for columns in FEATURES:
            for kept in (True, False):
                constants = {"WIDTH": HEAD, "COLUMNS": columns, "KEPT": kept, "EVEN": True}
                yield norm_kernel._norms_kernel, dtype, constants | norm_kernel._tiles(HEAD, columns, dtype)


def compiled(function: Any, dtype: torch.dtype, constants: dict[str, Any]) -> dict[str, Any]:
    """What the compiler says of a variant."""
    options = {name: constants.pop(name) for name in ("num_warps", "num_stages") if name in constants}
    names, signature = function.arg_names, {}
    for name in names:
        if name in constants:
            signature[name] = "constexpr"
        elif name in ("q", "k", "x", "values"):
            signature[name] = TYPES[dtype]
        elif name == "scale":
            signature[name] = "fp32"
        else:
            sizes = name in ("heads", "tokens") or name.endswith(("_row", "_head", "_token"))
            signature[name] = "i32" if sizes else "*fp32"
    # at SDXL's shapes all addresses, strides and lengths are multiples of 16, as Triton notices by itself in a call
    aligned = {
        (at,): [["tt.divisibility", 16]] for at, name in enumerate(names)
        if name not in constants and name not in ("heads", "scale")
    }  # fmt: skip
    by_name = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(function, signature=signature, constexprs=by_name, attrs=aligned)
    found = triton.compile(source, target=TARGET, options=options)
    code = found.asm["ptx"]
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(code)
        file.flush()
        command = [ASSEMBLER, "-v", "--gpu-name", "sm_90a", file.name, "-o", "/dev/null"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    spilled = sum(int(number) for number in re.findall(r"(\d+) bytes spill", said))
    (registers,) = re.findall(r"Used (\d+) registers", said)
    return {
        "kernel": function.__name__, "dtype": str(dtype), **constants, **options, "registers": int(registers),
        "shared": found.metadata.shared, "spilled": spilled, "tensor_cores": "wgmma.mma_async" in code,
    }  # fmt: skip


if __name__ == "__main__":
    for variant in variants():
        print(json.dumps(compiled(*variant)), flush=True)
